"""What tests of judges share: an endpoint that answers and judges, and benchmarks whose answers it judges."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.acceptance.live import a_live_benchmark, knows
from tests.servers.openai_endpoint import Act, Asked, OpenAIEndpoint, judges

MODEL = "small-1"
JUDGE = "judge-1"
PRICE = {"input_per_million": 1_000_000, "output_per_million": 2_000_000}
CALL_COST = 13
"""Of 7 tokens in and 3 out, which every call takes."""

SCORES: Sequence[Mapping[str, object]] = (
    {"name": "quality", "minimum": 1, "maximum": 5},
    {
        "name": "verdict",
        "rubric": [{"label": "good", "value": 1}, {"label": "bad", "value": 0}],
    },
)
"""Over rows by the tens the first has a mean of 3, and the second one of a half."""


def row_of(asked: Asked) -> int:
    """The row that a model or a judge is asked about."""
    found = re.search(r"question (\d+)", asked.prompt)
    assert found, f"{asked.prompt!r} is about no row"
    return int(found[1])


def verdict_on(asked: Asked, *, seconds: float = 0.0) -> Act:
    """What a judge says who goes by the row alone."""
    row = row_of(asked)
    return judges(quality=row % 5 + 1, verdict="bad" if row % 2 else "good", seconds=seconds)


def both(
    *,
    model: Callable[[Asked], Act] = knows,
    judge: Callable[[Asked], Act] = verdict_on,
) -> Callable[[Asked], Act]:
    """An endpoint behind which the model is found as well as its judges."""
    return lambda asked: model(asked) if asked.model == MODEL else judge(asked)


def a_judge_model(endpoint: OpenAIEndpoint | str, **more: object) -> dict[str, Any]:
    url = endpoint if isinstance(endpoint, str) else endpoint.url
    return {"type": "openai", "url": url, "model": JUDGE, "cache": "off"} | more


def a_judge(endpoint: OpenAIEndpoint | str, **more: object) -> dict[str, Any]:
    """A metric that asks about each answer; what it is asked names the row."""
    metric: dict[str, Any] = {
        "name": "judge",
        "type": "llm-judge",
        "scores": list(SCORES),
        "prompt": "Is {{ sample.output_text }} the answer to {{ item.q }}?",
    }
    if "models" not in more:
        metric["model"] = a_judge_model(endpoint)
    return metric | more


def a_judged_benchmark(
    judge: Mapping[str, object],
    *,
    rows: int,
    model: OpenAIEndpoint | None = None,
    params: Mapping[str, object] | None = None,
    name: str = "judged",
) -> dict[str, Any]:
    """Answers of a live model at the endpoint, or recorded ones; and what a judge makes of them."""
    benchmark = a_live_benchmark(
        model or "http://unused", rows=rows, name=name, model={"cache": "off"}, params=params
    )
    if model is None:
        benchmark["models"] = [
            {"name": "recorded", "type": "recorded", "output": "{{ item.a }}"},
        ]
    benchmark["metrics"].append(dict(judge))
    return benchmark
