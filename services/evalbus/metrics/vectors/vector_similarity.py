"""How alike two vectors are that lie in the row already."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from evalbus.metrics.base import (
    Batch,
    Columns,
    Metric,
    Note,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.vectors.cosine import cosine, read_vector
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class VectorSimilarity(Metric):
    """The cosine similarity of two vectors of the row: 1 for the same direction, 0 for none in common, -1 for opposite ones.

    A vector is a list of numbers, or a text that is one as JSON. Anything else, and two of different length, is
    `unparsable`; a vector of zeros has no direction (`zero_vector`), and one with Infinity in it none that can be
    computed (`non_finite`). A null is `no_candidate` on the left and `no_reference` on the right. scikit-learn differs
    for zeros: it gives 0, as if two texts without an embedding were known to be unlike.

    >>> from evalbus.testing import score_row
    >>> plugin = {"type": "vector-similarity", "left": "{{ item.told }}", "right": "{{ item.meant }}"}
    >>> score_row(plugin, item={"told": [3, 4], "meant": [6.0, 8.0]})
    {'vector-similarity': 1.0}
    """

    formula = "left · right / (|left| |right|), the products added without rounding in between."
    source = "The cosine similarity of the vector space model (Salton, Wong and Yang 1975)."

    class Parameters(Closed):
        left: Annotated[TemplateText, Field(description="A list of numbers.")]
        right: Annotated[TemplateText, Field(description="The list it is compared with.")]

    scores = (
        ScoreDeclaration(name="vector-similarity", direction="higher", minimum=-1.0, maximum=1.0),
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._left = compile_template(parameters.left, characters_max=most)
        self._right = compile_template(parameters.right, characters_max=most)

    def templates(self) -> Mapping[str, Template]:
        return {"left": self._left, "right": self._right}

    def score(self, batch: Batch) -> Columns:
        lefts, rights = batch.values(self._left), batch.values(self._right)
        notes = missing_notes(rights, lefts)
        values: list[float] = []
        for row, (left, right) in enumerate(zip(lefts, rights, strict=True)):
            found = 0.0 if row in notes else _similarity(left, right)
            if isinstance(found, Note):
                notes[row] = found
            values.append(0.0 if isinstance(found, Note) else found)
        return Columns(values=(with_gaps(values, notes),), notes=notes)


def _similarity(left: object, right: object) -> float | Note:
    one, other = read_vector(left, name="left"), read_vector(right, name="right")
    if isinstance(one, Note):
        return one
    return other if isinstance(other, Note) else cosine(one, other)
