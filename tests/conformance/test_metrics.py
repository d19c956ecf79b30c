"""What every metric promises; a new one adds its row to CASES."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import pytest

from evalbus.errors import Invalid
from evalbus.metrics import METRICS, Batch, LiveMetric, Metric, build_metric
from evalbus.templates import RowsFailed, fields_used
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.metric_cases.case import Case
from tests.metric_cases.checks import CHECKS
from tests.metric_cases.labels import LABELS
from tests.metric_cases.overlap import OVERLAP
from tests.metric_cases.vectors import VECTORS
from tests.scoring import a_plugin

CASES = [*CHECKS, *OVERLAP, *LABELS, *VECTORS]

every_metric = pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)


def built(case: Case, **changes: Any) -> Metric:
    return build_metric(a_plugin(case.type, **case.parameters | changes), RowLimits())


def written_at(parameters: Any, place: Sequence[str], text: str) -> Any:
    """The parameters with another text at `references.0`, or wherever else one stands."""
    if not place:
        return text
    first = int(place[0]) if place[0].isdigit() else place[0]
    parameters[first] = written_at(
        parameters.get(first) if isinstance(first, str) else parameters[first], place[1:], text
    )
    return parameters


def a_batch(*pairs: tuple[object, str]) -> Batch:
    items: list[JsonObject] = [{"reference": reference} for reference, _ in pairs]  # type: ignore[dict-item]  # the cases are JSON
    samples: list[JsonObject] = [{"output_text": answer} for _, answer in pairs]
    return Batch(items, samples)


def test_every_metric_there_is_has_a_case() -> None:
    asks_nobody = {
        name for name, kind in METRICS.builtin.items() if not issubclass(kind, LiveMetric)
    }
    assert {case.type for case in CASES} == asks_nobody


@every_metric
def test_rows_score_as_declared(case: Case) -> None:
    # given
    metric = built(case)
    batch = a_batch(*((reference, answer) for reference, answer, _ in case.scored))

    # when
    columns = metric.score(batch)

    # then
    assert len(columns.values) == len(metric.scores)
    assert not columns.notes
    for place, (_, _, wanted) in enumerate(case.scored):
        found = [column[place] for column in columns.values]
        assert found == pytest.approx(wanted)
        for value, score in zip(found, metric.scores, strict=True):
            assert score.minimum is None or value >= score.minimum
            assert score.maximum is None or value <= score.maximum


@every_metric
def test_a_row_that_cannot_be_scored_is_nan_with_a_reason(case: Case) -> None:
    # given
    metric = built(case)
    batch = a_batch(*((reference, answer) for reference, answer, _ in case.unscored))

    # when
    columns = metric.score(batch)

    # then
    assert all(math.isnan(value) for column in columns.values for value in column)
    for place, (_, _, reason) in enumerate(case.unscored):
        assert columns.notes[place].code == reason
        assert columns.notes[place].message


@every_metric
def test_a_row_scores_the_same_alone_and_in_company(case: Case) -> None:
    # given
    metric = built(case)
    pairs = [(reference, answer) for reference, answer, _ in (*case.scored, *case.unscored)]

    # when
    together = metric.score(a_batch(*pairs))
    alone = [metric.score(a_batch(pair)) for pair in pairs]

    # then
    for column, values in enumerate(together.values):
        for place, single in enumerate(alone):
            assert values[place] == pytest.approx(single.values[column][0], abs=0, nan_ok=True)
            assert together.notes.get(place) == single.notes.get(0)


@every_metric
def test_rows_without_a_field_are_named_so_that_the_others_can_be_scored(case: Case) -> None:
    # given
    metric = built(case)
    item: JsonObject = {"reference": "1"}
    batch = Batch([item, {}, item], [{"output_text": "1"}] * 3)

    # when
    with pytest.raises(RowsFailed) as raised:
        metric.score(batch)

    # then
    assert set(raised.value.errors) == {1}
    assert "'reference'" in raised.value.errors[1].message


@every_metric
def test_no_rows_give_empty_columns(case: Case) -> None:
    # given
    metric = built(case)

    # when
    columns = metric.score(Batch([], []))

    # then
    assert [list(column) for column in columns.values] == [[] for _ in metric.scores]


@every_metric
def test_its_templates_are_known_by_the_parameter_that_holds_them(case: Case) -> None:
    # given
    metric = built(case)

    # when
    templates = metric.templates()

    # then
    assert {place.partition(".")[0] for place in templates} <= set(
        type(metric).Parameters.model_fields
    )
    used = {path for template in templates.values() for path in fields_used(template.text)}
    assert ("reference",) in used


@every_metric
def test_a_parameter_that_it_does_not_know_is_refused(case: Case) -> None:
    with pytest.raises(Invalid, match="unknown parameter 'surprise'"):
        built(case, surprise=1)


@every_metric
def test_a_broken_template_is_refused_when_it_is_built(case: Case) -> None:
    place = next(iter(built(case).templates()))
    parameters = copy.deepcopy(case.parameters)
    broken = written_at(parameters, place.split("."), "{{ item.")

    with pytest.raises(Invalid, match=rf"metric '{case.type}': (of: )?(.*: )?not a template"):
        built(case, **broken)


@every_metric
def test_its_parameters_have_a_schema_and_its_scores_names(case: Case) -> None:
    # given
    metric = built(case)

    # when
    schema = type(metric).Parameters.model_json_schema()

    # then
    assert schema["additionalProperties"] is False
    assert len({score.name for score in metric.scores}) == len(metric.scores) > 0
