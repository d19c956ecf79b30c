"""What metrics say of rows beside their values, cut to what a message may carry: each by itself, and all together."""

from collections.abc import Iterable, Sequence

import orjson

from evalbus.characters import cut, whole
from evalbus.evaluator.plans import NamedMetric
from evalbus.metrics import DETAIL_BYTES_MAX, RATIONALE_CHARACTERS_MAX, Columns, Remark
from evalbus.metrics.details import readable
from evalbus_schemas.chunks import ScoreRemark

LABEL_CHARACTERS_MAX = 255
REMARKS_BYTES_MAX = 1024 * 1024
"""Of one chunk together; behind that only labels are kept."""


def remarks_of(named: NamedMetric, rows: Sequence[int], scored: Columns) -> list[ScoreRemark]:
    """The metric's remarks, each cut to its limits; a detail that is too large or too deep is left out.

    Raises TypeError, ValueError or LookupError for what is no remark, or is about no row or score.
    """
    return [
        _remark(rows[place], named.name, named.metric.scores[score].name, remark)
        for (place, score), remark in scored.remarks.items()
    ]


def fitting(remarks: Iterable[ScoreRemark]) -> tuple[ScoreRemark, ...]:
    """In row order, so that it does not matter in which parts a chunk was scored."""
    room = REMARKS_BYTES_MAX
    kept: list[ScoreRemark] = []
    for remark in sorted(remarks, key=lambda remark: remark.row):
        size = len(orjson.dumps([remark.rationale, remark.detail]))
        if size > room:
            room = 0
            kept.append(remark.model_copy(update={"rationale": None, "detail": None}))
        else:
            kept.append(remark)
            room -= size
    return tuple(kept)


def writable(text: str, characters_max: int) -> str:
    """As much of it as may be written, in characters that can be."""
    return cut(whole(text), characters_max)


def _remark(row: int, metric: str, score: str, remark: Remark) -> ScoreRemark:
    rationale, label = remark.rationale, remark.label
    return ScoreRemark(
        row=row,
        metric=metric,
        score=score,
        label=None if label is None else writable(label, LABEL_CHARACTERS_MAX),
        rationale=None if rationale is None else writable(rationale, RATIONALE_CHARACTERS_MAX),
        detail=None
        if remark.detail is None
        else readable(remark.detail, bytes_max=DETAIL_BYTES_MAX),
    )
