"""A metric of somebody else's package: does an answer name the sources that it should?"""

import math
from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import Field

from evalbus.metrics import Batch, Columns, Metric, Note, ScoreDeclaration, Whole
from evalbus.templates import Template, as_text, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts


class Citations(Metric):
    """How many of the sources that an answer should name it does name.

    A source is named where its text stands in the answer, letter by letter; one that is listed twice counts once.

    >>> from evalbus.testing import score_row
    >>> metric = {"type": "citations", "sources": "{{ item.sources }}"}
    >>> score_row(metric, item={"sources": ["RFC 2119", "RFC 8174"]}, output_text="See RFC 2119.")
    {'named': 0.5}
    """

    class Parameters(Closed):
        sources: Annotated[
            TemplateText, Field(description="The sources: a lone look-up of a list, or one text.")
        ]
        candidate: TemplateText = "{{ sample.output_text }}"

    scores = (
        ScoreDeclaration(
            name="named",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="The share of the row's sources that its answer names.",
        ),
    )
    corpus = (
        ScoreDeclaration(
            name="named_of_all",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="The share of all rows' sources; a row with more of them weighs more.",
        ),
    )
    formula = "named sources / sources; of all rows: the sum of the former / the sum of the latter."
    source = "An example, made up for the documentation of evalbus."

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._sources = compile_template(parameters.sources, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)

    def templates(self) -> Mapping[str, Template]:
        return {"sources": self._sources, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        values: list[float] = []
        counts: list[tuple[int, ...] | None] = []
        notes: dict[int, Note] = {}
        pairs = zip(batch.values(self._sources), batch.texts(self._candidate), strict=True)
        for row, (found, answer) in enumerate(pairs):
            sources = _distinct(found)
            if not sources or answer is None:
                notes[row] = _reason(answer)
                values.append(math.nan)
                counts.append(None)
                continue
            named = sum(source in answer for source in sources)
            values.append(named / len(sources))
            counts.append((named, len(sources)))
        return Columns(values=(values,), notes=notes, counts=counts)

    def whole(self, total: Counts) -> Whole:
        assert isinstance(total, tuple), "its rows count by place"
        named, sources = total
        return Whole(values=(named / sources,))


def _distinct(found: object) -> set[str]:
    """Of a list, or of a single source; null is none."""
    several = cast("list[object]", found) if isinstance(found, list) else [found]
    return {text for source in several if source is not None and (text := as_text(source))}


def _reason(answer: str | None) -> Note:
    if answer is None:
        return Note(code="no_candidate", message="there is nothing to score: null")
    return Note(code="no_reference", message="there are no sources to name")
