"""How long an answer is."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from evalbus.metrics.base import Batch, Columns, Metric, ScoreDeclaration, missing_notes, with_gaps
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

Unit = Literal["characters", "words", "lines", "bytes"]


def _words(text: str) -> int:
    return len(text.split())


def _lines(text: str) -> int:
    return len(text.splitlines())


def _bytes(text: str) -> int:
    # Half of a character cannot be written, but it would take three bytes.
    return len(text.encode("utf-8", "surrogatepass"))


_MEASURES: Final[Mapping[Unit, Callable[[str], int]]] = {
    "characters": len,
    "words": _words,
    "lines": _lines,
    "bytes": _bytes,
}


class Length(Metric):
    """How long an answer is, in characters, words, lines or bytes; neither more nor less is better.

    Characters are Unicode code points, so that an emoji may be several. Words are what white space parts: a text in
    Chinese or Japanese has hardly any. A line break at the end begins no further line. The empty text has length 0 in
    every unit.

    >>> from evalbus.testing import score_row
    >>> score_row({"type": "length", "unit": "words"}, item={}, output_text="It is Paris.")
    {'length': 3.0}
    """

    class Parameters(Closed):
        unit: Unit = Field(
            default="characters",
            description="characters: Unicode code points; words: parted by white space; bytes: of UTF-8.",
        )
        candidate: TemplateText = "{{ sample.output_text }}"

    formula: ClassVar[str] = "The number of characters, words, lines or bytes of candidate."
    source: ClassVar[str] = (
        "Code points, white space and line breaks as Unicode and Python define them."
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._candidate = compile_template(
            parameters.candidate, characters_max=limits.template_characters
        )
        self._measure = _MEASURES[parameters.unit]
        self.scores = (
            ScoreDeclaration(
                name="length",
                direction="none",
                minimum=0.0,
                unit=parameters.unit,
                description="How long the answer is.",
            ),
        )

    def templates(self) -> Mapping[str, Template]:
        return {"candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        candidates = batch.texts(self._candidate)
        notes = missing_notes((), candidates)
        values = [float(self._measure(text or "")) for text in candidates]
        return Columns(values=(with_gaps(values, notes),), notes=notes)
