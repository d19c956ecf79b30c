"""What is refused of a benchmark before any of its rows is read, beside what each part refuses by itself."""

import re
from contextlib import nullcontext
from typing import Any

import pytest

from evalbus.errors import Invalid
from evalbus.producer.checking import PartChecks
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
