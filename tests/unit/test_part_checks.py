"""What is refused of a benchmark before any of its rows is read, beside what each part refuses by itself."""

import re
from contextlib import nullcontext
from typing import Any

import pytest

from evalbus.errors import Invalid
from evalbus.producer.checking import PartChecks
from evalbus.templates import fields_used
from evalbus_schemas.benchmark import Benchmark, Dataset, Params
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin, exact_match

URL = "http://127.0.0.1:1/v1"
LIVE = a_plugin("openai", name="small", url=URL, model="small-1", prompt="{{ item.q }}")
RECORDED = a_plugin("recorded", name="small", output="{{ item.answer }}")
JUDGE = a_plugin(
    "llm-judge",
    name="judge",
    model={"type": "openai", "url": URL, "model": "judge-1"},
    prompt="{{ sample.output_text }}",
    scores=[{"name": "good", "minimum": 0, "maximum": 1}],
)


@pytest.mark.parametrize(
    ("model", "metric", "row_timeout", "is_refused"),
    [
        (LIVE, JUDGE, 750.0, False),
        (LIVE, JUDGE, 751.0, True),
        (RECORDED, JUDGE, 1500.0, False),
        (LIVE, exact_match(), 1500.0, False),
    ],
)
def test_a_row_that_is_asked_about_twice_may_wait_half_as_long(
    model: Any, metric: Any, row_timeout: float, is_refused: bool
) -> None:
    # given
    checks = PartChecks(limits=RowLimits(), allow_private=True)
    benchmark = Benchmark(
        name="capitals",
        datasets=(Dataset(name="capitals", source="capitals.jsonl"),),
        models=(model,),
        metrics=(metric,),
        params=Params(row_timeout=row_timeout),
    )
    refused = pytest.raises(Invalid, match=re.escape("params.row_timeout"))

    # when, then
    with refused if is_refused else nullcontext():
        checks.benchmark(benchmark)


def labelled(name: str, **fields: str) -> Any:
    return a_plugin("recorded", name=name, output="{{ item.answer }}", fields=fields)


def asking(models: list[Any], **metric: Any) -> Benchmark:
    """A benchmark whose metric asks for something of the samples of these models."""
    return Benchmark(
        name="capitals",
        datasets=(Dataset(name="capitals", source="capitals.jsonl"),),
        models=tuple(models),
        metrics=(exact_match(**metric),),
    )


CHECKS = PartChecks(limits=RowLimits(), allow_private=True)
A = labelled("a", right="{{ item.right }}")
B = labelled("b")
RIGHT = "{{ sample.right }}"


@pytest.mark.parametrize(
    ("models", "truth"),
    [
        ([A], RIGHT),
        ([A, LIVE], RIGHT),
        ([LIVE], RIGHT),
        ([A, B], "{{ sample.right | default(0) }}"),
    ],
)
def test_a_metric_may_ask_for_what_samples_have_or_may_have(models: list[Any], truth: str) -> None:
    assert CHECKS.benchmark(asking(models, ground_truth=truth))


@pytest.mark.parametrize(
    ("models", "metric", "words"),
    [
        (
            [A, B],
            {"ground_truth": RIGHT},
            "metric 'exact-match', ground_truth: the samples of model 'b' have no 'right'"
            " (they have: output_text)",
        ),
        (
            [LIVE, A],
            {"ground_truth": {"exact-match": "{{ sample.rihgt }}"}},
            "metric 'exact-match', ground_truth.exact-match: the samples of model 'a' have no"
            " 'rihgt'; did you mean 'right'? (they have: output_text, right)",
        ),
        (
            [A],
            {"reference": "{{ sample.reference }}"},
            "metric 'exact-match', reference: the samples of model 'a' have no 'reference'",
        ),
        (
            [LIVE],
            {"ground_truth": {"f1": "{{ item.label }}"}},
            "metric 'exact-match', ground_truth: unknown score 'f1' (known: exact-match)",
        ),
    ],
)
def test_what_no_sample_of_a_model_can_have_is_refused(
    models: list[Any], metric: dict[str, Any], words: str
) -> None:
    benchmark = asking(models, **metric)

    for check in (CHECKS.benchmark, CHECKS.metrics):
        with pytest.raises(Invalid, match=re.escape(words)):
            check(benchmark)


@pytest.mark.parametrize(
    ("models", "asked"),
    [
        ([A, labelled("b", right="{{ item.other }}")], set[str]()),
        ([A, B], {"right"}),
        ([A, LIVE], {"right"}),
    ],
)
def test_a_bare_name_is_a_field_of_the_item_unless_every_sample_has_it(
    models: list[Any], asked: set[str]
) -> None:
    # when
    uses = CHECKS.benchmark(asking(models, ground_truth="{{ right }}"))

    # then
    (truth,) = (use for use in uses if use.where == "metric 'exact-match', ground_truth")
    assert {path[0] for path in fields_used(truth.text, not_fields=truth.sample_fields)} == asked
