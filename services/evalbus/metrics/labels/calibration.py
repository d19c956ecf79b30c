"""Whether stated probabilities come true: by the row, and in bins over all rows."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, cast

from pydantic import Field

from evalbus.metrics.base import (
    NO_CANDIDATE,
    NO_REFERENCE,
    UNPARSABLE,
    Batch,
    Columns,
    Metric,
    Note,
    ScoreDeclaration,
    Whole,
    with_gaps,
)
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

UNIT: Final = 2**32
"""Probabilities are added up as integers in units of 1/UNIT: the sum over two thousand million rows has 64 bits."""

_CLIP: Final = 2.0**-52
"""What scikit-learn takes for the logarithm of 0: the distance from 1 to the next number."""
_NUMERAL_CHARACTERS_MAX: Final = 400


class Calibration(Metric):
    """How far probabilities are from what came true: Brier score and log loss of each row, and the expected
    calibration error (ECE) of all rows.

    `probability` is a number from 0 to 1, that of the event or of being right; `outcome` is what came true: true or
    false, 1 or 0. Both may stand there as the text of a number. Anything else gives no score (`unparsable`), null on
    either side neither (`no_candidate`, `no_reference`).

    Brier score and log loss are those of scikit-learn for two classes; so that a wrong certainty has a finite loss,
    probabilities are kept 2**-52 away from 0 and 1, which makes 36.04 the largest one.

    For the ECE the range is cut into `bins` of equal width, each with its lower bound, the last with both; a
    probability belongs where its decimal numeral lies, so that 0.29 is in the bin that begins with 0.29. Each
    probability is rounded to 2**-32 before it is added, so that the ECE differs from a sum of floats by at most
    1.2e-10, and never between two ways to split the rows.

    >>> from evalbus.testing import corpus_of, score_row
    >>> plugin = {"type": "calibration", "probability": "{{ item.p }}", "outcome": "{{ item.rain }}"}
    >>> score_row(plugin, item={"p": 0.5, "rain": True})
    {'brier': 0.25, 'log_loss': 0.6931471805599453}
    >>> corpus_of(plugin, rows=[({"p": 0.75, "rain": True}, ""), ({"p": 0.75, "rain": 0}, "")])
    {'ece': 0.25}
    """

    class Parameters(Closed):
        probability: Annotated[
            TemplateText, Field(description="A number from 0 to 1.", examples=["{{ sample.p }}"])
        ]
        outcome: Annotated[
            TemplateText,
            Field(description="true or false, 1 or 0.", examples=["{{ item.happened }}"]),
        ]
        bins: Annotated[
            int, Field(ge=1, le=100, description="Of equal width, for the calibration error.")
        ] = 10

    formula = (
        "brier = (p - y)^2; log_loss = -ln of the probability given to what came true, kept 2**-52 away from 0 and 1;"
        " ece = sum over the bins of (rows in the bin / rows) * |mean p - mean y|, bins of equal width."
    )
    source = (
        "Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2; scikit-learn 1.9;"
        " ECE: Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602"
    )
    scores = (
        ScoreDeclaration(
            name="brier",
            direction="lower",
            minimum=0.0,
            maximum=1.0,
            description="The square of the distance from the outcome.",
        ),
        ScoreDeclaration(
            name="log_loss",
            direction="lower",
            minimum=0.0,
            unit="nats",
            description="The surprise at the outcome.",
        ),
    )
    corpus = (
        ScoreDeclaration(
            name="ece",
            direction="lower",
            minimum=0.0,
            maximum=1.0,
            description="The expected calibration error over bins of equal width.",
        ),
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._probability = compile_template(parameters.probability, characters_max=most)
        self._outcome = compile_template(parameters.outcome, characters_max=most)
        self._bins = parameters.bins

    def templates(self) -> Mapping[str, Template]:
        return {"probability": self._probability, "outcome": self._outcome}

    def score(self, batch: Batch) -> Columns:
        brier: list[float] = []
        log_loss: list[float] = []
        counts: list[Counts | None] = []
        notes: dict[int, Note] = {}
        probabilities, outcomes = batch.values(self._probability), batch.values(self._outcome)
        for row, (stated, happened) in enumerate(zip(probabilities, outcomes, strict=True)):
            probability, outcome = _number(stated), _outcome(happened)
            if probability is None or not 0.0 <= probability <= 1.0 or outcome is None:
                notes[row] = _why_not(stated, happened, is_outcome=outcome is not None)
                probability, outcome = 0.0, 0
                counts.append(None)
            else:
                counts.append(_counted(probability, outcome, self._bins))
            brier.append((probability - outcome) ** 2)
            log_loss.append(_surprise(probability, outcome))
        return Columns(
            values=(with_gaps(brier, notes), with_gaps(log_loss, notes)),
            notes=notes,
            counts=counts,
        )

    def whole(self, total: Counts) -> Whole:
        named = cast("Mapping[str, int]", total)
        bins = [
            (
                named.get(f"{place} rows", 0),
                named.get(f"{place} probability", 0),
                named.get(f"{place} outcomes", 0),
            )
            for place in range(self._bins)
        ]
        apart = sum(abs(probability - outcomes * UNIT) for _, probability, outcomes in bins)
        rows = sum(in_bin for in_bin, _, _ in bins)
        return Whole(
            values=(apart / (rows * UNIT),),
            detail={"bins": [self._shown(place, *one) for place, one in enumerate(bins)]},
        )

    def _shown(self, place: int, rows: int, probability: int, outcomes: int) -> JsonObject:
        """A line of the reliability table; null for the means of a bin without rows."""
        return {
            "from": place / self._bins,
            "to": (place + 1) / self._bins,
            "rows": rows,
            "mean_probability": probability / (rows * UNIT) if rows else None,
            "mean_outcome": outcomes / rows if rows else None,
        }


def _counted(probability: float, outcome: int, bins: int) -> dict[str, int]:
    # As it was written, not as the binary fraction next to it: 0.29 * 100 is less than 29.
    place = min(int(Decimal(repr(probability)) * bins), bins - 1)
    return {
        f"{place} rows": 1,
        f"{place} probability": round(probability * UNIT),
        f"{place} outcomes": outcome,
    }


def _surprise(probability: float, outcome: int) -> float:
    of_what_happened = probability if outcome else 1.0 - probability
    return -math.log(min(max(of_what_happened, _CLIP), 1.0 - _CLIP))


def _number(value: object) -> float | None:
    """Of a number, or of a text that is one and nothing else; None for anything else."""
    if isinstance(value, str):
        if len(value) > _NUMERAL_CHARACTERS_MAX:
            return None
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _outcome(value: object) -> int | None:
    if isinstance(value, bool):
        return int(value)
    number = _number(value)
    return int(number) if number in (0.0, 1.0) else None


def _why_not(stated: object, happened: object, *, is_outcome: bool) -> Note:
    if stated is None:
        return Note(code=NO_CANDIDATE, message="there is no probability: null")
    if happened is None:
        return Note(code=NO_REFERENCE, message="there is no outcome: null")
    if is_outcome:
        return Note(code=UNPARSABLE, message="probability gives no number from 0 to 1")
    return Note(code=UNPARSABLE, message="outcome gives neither true, false, 1 nor 0")
