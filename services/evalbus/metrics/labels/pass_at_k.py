"""How likely it is that one of k attempts passes, estimated from all attempts at a row."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from math import comb
from typing import Annotated

from pydantic import Field, ValidationError

from evalbus.errors import Invalid
from evalbus.metrics.base import (
    Batch,
    Columns,
    LiveMetric,
    Metric,
    ScoreDeclaration,
)
from evalbus.registry import build
from evalbus.templates import Template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.chunks import RowLimits

Attempts = Annotated[int, Field(ge=1, le=100)]


class PassAtK(Metric):
    """The chance that at least one of k attempts passes, where another metric says which attempts do.

    It is for rows that a model answers repeatedly. Each attempt has 1 if the other metric's score reaches
    `threshold` and 0 if not; where lower scores are better, if it does not exceed it. The attempts of a row are then
    taken together by the unbiased estimator, not by a mean of tries: with n attempts that have a value and c that
    passed, `1 - C(n-c, k) / C(n, k)`. Fewer than k attempts with a value give the row none;
    a recorded model makes a single one.

    An attempt that the other metric cannot score has no value, for the reason which that metric gives. Scores for all
    rows together are not looked at, and a metric that asks somebody outside cannot be the other one.

    >>> from evalbus.testing import score_row
    >>> inner = {"type": "exact-match", "reference": "{{ item.answer }}"}
    >>> plugin = {"type": "pass-at-k", "of": inner, "k": [1, 5]}
    >>> score_row(plugin, item={"answer": "4"}, output_text="4")
    {'pass_at_1': 1.0, 'pass_at_5': 1.0}
    >>> from evalbus.metrics.labels.pass_at_k import pass_at_k
    >>> pass_at_k([1.0, 0.0, 0.0, 0.0], k=2)
    0.5
    """

    class Parameters(Closed):
        of: Annotated[
            JsonObject,
            Field(
                description="The metric that says which attempts pass, with its parameters; it needs no name.",
                examples=[{"type": "exact-match", "reference": "{{ item.reference }}"}],
            ),
        ]
        score: Annotated[
            str | None, Field(description="Which of its scores; by default its only one.")
        ] = None
        threshold: Annotated[
            float,
            Field(description="What the score must reach; not exceed, where lower is better."),
        ] = 1.0
        k: Annotated[
            tuple[Attempts, ...],
            Field(min_length=1, max_length=16, description="Each gives a score `pass_at_<k>`."),
        ] = (1,)

    formula = (
        "1 - C(n-c, k) / C(n, k) over the n attempts of a row that have a value, c of them passed."
    )
    source = "Chen et al. 2021, arXiv:2107.03374, equation 1"

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        if len(set(parameters.k)) < len(parameters.k):
            raise Invalid("k: a number stands there twice")
        self._metric = _metric_of(parameters.of, limits)
        self._place = _place_of(parameters.score, self._metric.scores)
        self._is_low_better = self._metric.scores[self._place].direction == "lower"
        self._threshold = parameters.threshold
        # What another metric says is as good as that metric.
        self.version = f"{type(self).version} over {self._metric.version}"
        self.libraries = self._metric.libraries
        self.scores = tuple(
            ScoreDeclaration(
                name=f"pass_at_{k}",
                direction="higher",
                minimum=0.0,
                maximum=1.0,
                description=f"The chance that one of {k} attempts passes; of one attempt, whether it does.",
                over_repeats=partial(pass_at_k, k=k),
            )
            for k in parameters.k
        )

    def templates(self) -> Mapping[str, Template]:
        return {f"of.{name}": template for name, template in self._metric.templates().items()}

    def warm_up(self) -> None:
        self._metric.warm_up()

    def score(self, batch: Batch) -> Columns:
        scored = self._metric.score(batch)
        passed = [self._passes(float(value)) for value in scored.values[self._place]]
        notes = {row: note for row, note in scored.notes.items() if math.isnan(passed[row])}
        return Columns(values=tuple(list(passed) for _ in self.scores), notes=notes)

    def _passes(self, value: float) -> float:
        if math.isnan(value):
            return math.nan
        reached = value <= self._threshold if self._is_low_better else value >= self._threshold
        return 1.0 if reached else 0.0


def pass_at_k(passed: Sequence[float], *, k: int) -> float:
    """From 1 or 0 for each attempt, NaN for one without a value; NaN for fewer than k that have one."""
    finite = [value for value in passed if math.isfinite(value)]
    n, failed = len(finite), finite.count(0.0)
    if n < k:
        return math.nan
    # Integers up to the division, which is the only place where anything is rounded.
    return (comb(n, k) - comb(failed, k)) / comb(n, k)


def _metric_of(of: JsonObject, limits: RowLimits) -> Metric:
    # The table of all metrics has this one in it, so that it can only be looked at once all are there.
    from evalbus.metrics import METRICS

    try:
        plugin = Plugin.model_validate({"name": of.get("type"), **of})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"of.{place}: {first['msg']}") from None
    kind = METRICS.find(plugin.type, where="of")
    if issubclass(kind, LiveMetric):
        raise Invalid(
            f"of: {plugin.type!r} asks somebody outside; pass-at-k needs a metric that scores by itself"
        )
    if issubclass(kind, PassAtK):
        raise Invalid("of: pass-at-k is about another metric than itself")
    return build(METRICS, plugin, limits=limits, where="of")


def _place_of(name: str | None, scores: Sequence[ScoreDeclaration]) -> int:
    names = [score.name for score in scores]
    if name is None and len(names) == 1:
        return 0
    if name in names:
        return names.index(name)
    wanted = "is needed, because it has several" if name is None else f"has no {name!r}"
    raise Invalid(f"score: {wanted} (known: {', '.join(names)})")
