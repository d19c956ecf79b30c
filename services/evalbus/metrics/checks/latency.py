"""How long the call took that an answer came from."""

import math
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from evalbus.metrics.base import (
    UNPARSABLE,
    Batch,
    Columns,
    Metric,
    Note,
    ScoreDeclaration,
    with_gaps,
)
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

NOT_MEASURED = "not_measured"


class Latency(Metric):
    """How many seconds the call took that an answer came from.

    Models that are called measure it. A recorded answer, or one that came from the cache, has no call: it has no
    score (`not_measured`), so that the mean is of real calls. What is no number of seconds, or below zero, gives none
    either (`unparsable`).

    >>> from evalbus.testing import score_row
    >>> score_row({"type": "latency"}, item={}, sample={"output_text": "Paris", "latency_seconds": 0.25})
    {'latency': 0.25}
    """

    class Parameters(Closed):
        # Without the filter a sample that was not measured would be a failed row.
        candidate: TemplateText = Field(
            default="{{ sample.latency_seconds | default(none) }}",
            description="The seconds; null where nothing was measured.",
        )

    scores = (
        ScoreDeclaration(
            name="latency",
            direction="lower",
            minimum=0.0,
            unit="s",
            description="How long the call took.",
        ),
    )
    formula: ClassVar[str] = (
        "Seconds from the request to the end of the answer, as the sample has them."
    )
    source: ClassVar[str] = "Our own measurement of each call."

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._candidate = compile_template(
            parameters.candidate, characters_max=limits.template_characters
        )

    def templates(self) -> Mapping[str, Template]:
        return {"candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        notes: dict[int, Note] = {}
        values: list[float] = []
        for row, text in enumerate(batch.texts(self._candidate)):
            seconds = math.nan
            # A template that is more than a look-up gives null as text.
            if text is None or text == "null":
                notes[row] = Note(code=NOT_MEASURED, message="no call was measured for this answer")
            elif (found := _seconds(text)) is None:
                notes[row] = Note(code=UNPARSABLE, message="candidate gives no number of seconds")
            else:
                seconds = found
            values.append(seconds)
        return Columns(values=(with_gaps(values, notes),), notes=notes)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
