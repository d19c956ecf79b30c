"""What can be read of every metric before it is used: it is there, it is true, and its example runs."""

import doctest
import io

import pytest

from evalbus.metrics import METRICS, Metric, build_metric
from evalbus.metrics.explaining import Explanation, explain
from evalbus.metrics.parameters import ParameterExplanation
from evalbus.models.parameters import (
    Inference,
    LiveParameters,
    PriceParameters,
    PromptMessage,
)
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits

OF_MODELS = frozenset(
    name
    for model in (LiveParameters, Inference, PriceParameters, PromptMessage)
    for name in model.model_fields
)
"""What a metric takes over from live models is explained with them."""

SPEAKING_NAMES = OF_MODELS | {
    *("reference", "references", "candidate", "left_template", "right_template"),
    *("name", "type", "description", "scores", "minimum", "maximum", "rubric", "label", "value"),
    *("parser", "pattern", "queue", "ignore_case"),
}
"""Parameters that their names say enough of, with their type."""

every_metric = pytest.mark.parametrize("name", METRICS.builtin)


def of_example(explained: Explanation) -> Metric:
    """The metric as its first example has it."""
    plugin = {**explained.examples[0].plugin, "name": explained.type}
    return build_metric(MetricPlugin.model_validate(plugin), RowLimits())


def undescribed(parameters: tuple[ParameterExplanation, ...], path: str = "") -> list[str]:
    """Those that neither a name nor a description explains, nested ones too."""
    found: list[str] = []
    for parameter in parameters:
        place = f"{path}{parameter.name}"
        if not parameter.description and parameter.name not in SPEAKING_NAMES:
            found.append(place)
        for form in parameter.forms:
            found += undescribed(form.parameters, f"{place}.")
    return found


@every_metric
def test_it_says_what_it_measures_how_and_after_whom(name: str) -> None:
    explained = explain(name)

    assert explained.summary.endswith("."), "the first sentence of the docstring is what lists show"
    assert explained.formula
    assert explained.source
    assert explained.version
    assert explained.problem is None


@every_metric
def test_its_example_runs_and_is_understood(name: str) -> None:
    # given
    documentation = METRICS.find(name).__doc__ or ""
    test = doctest.DocTestParser().get_doctest(documentation, {}, name, None, 0)
    said = io.StringIO()

    # when
    outcome = doctest.DocTestRunner().run(test, out=said.write)

    # then
    assert outcome.attempted > 0
    assert outcome.failed == 0, said.getvalue()
    examples = explain(name).examples
    assert examples, "no example calls score_row or corpus_of with everything written out"
    assert {example.plugin.get("type") for example in examples} == {name}


@every_metric
def test_every_parameter_says_what_it_is_for(name: str) -> None:
    assert undescribed(explain(name).parameters) == []


@every_metric
def test_what_is_said_of_its_scores_is_what_it_gives(name: str) -> None:
    # given
    explained = explain(name)
    metric = of_example(explained)

    # then
    for said, declared in (
        (explained.scores, metric.scores),
        (explained.corpus_scores, metric.corpus),
    ):
        assert [(score.name, score.direction, score.minimum, score.maximum) for score in said] == [
            (score.name, score.direction, score.minimum, score.maximum) for score in declared
        ]
    names = [score.name for score in (*metric.scores, *metric.corpus)]
    assert metric.scores
    assert len(set(names)) == len(names)
    assert all(score.description for score in metric.corpus)


@every_metric
def test_a_score_says_what_it_is_where_its_name_is_not_that_of_the_metric(name: str) -> None:
    explained = explain(name)

    # Scores that a benchmark makes up are described there.
    own = () if explained.scores_depend else explained.scores
    assert [score.name for score in own if not score.description and score.name != name] == []
