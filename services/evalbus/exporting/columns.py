"""The columns of a job as a table: which there are, how they are called, and of what type they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evalbus.exporting.base import WrongExport
from evalbus.exporting.decoding import Datapoint
from evalbus.exporting.kinds import NOTHING, ColumnType, column_type, kind_of
from evalbus_schemas.exports import ExportedScore, ExportHead

FIELDS_MAX = 10_000
"""So many different fields of items, and there is no table any more."""

Part = str
"""Of what is said of a score: `value`, `label`, `rationale`, `agreement`, `truth` or `error`."""

PartOf = tuple[int, Part]
"""The number of a score (`criteria_uid`), and a part of it."""

ITEM_PREFIX = "item."
SCORE_PREFIX = "score."
"""Before a name that another column has already."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: ColumnType


PLACE = (
    Column("x_uid", "text"),
    Column("dataset", "text"),
    Column("row_index", "integer"),
    Column("row_id", "text"),
)
ANSWER = (
    Column("model", "text"),
    Column("repeat", "integer"),
    Column("failed", "boolean"),
    Column("latency_seconds", "number"),
)
OUTPUT = "output_text"
SLICES = Column("slices", "texts")


@dataclass(frozen=True)
class Columns:
    """In the order of the file: the place of a row, its item, the answer, the scores, and the slices."""

    all: tuple[Column, ...]
    fields: tuple[str, ...]
    """Of the item, in the order in which they came."""
    parts: tuple[PartOf, ...]


@dataclass
class Survey:
    """What the datapoints turn out to have while they go by: fields of the items, parts of the scores, their kinds."""

    head: ExportHead
    _fields: dict[str, int] = field(default_factory=dict[str, int])
    _output: int = NOTHING
    _parts: dict[PartOf, int] = field(default_factory=dict[PartOf, int])

    def see(self, point: Datapoint) -> None:
        """Raises WrongExport when there are more fields than a table has columns."""
        fields, parts = self._fields, self._parts
        for name, value in point.item.items():
            fields[name] = fields.get(name, NOTHING) | kind_of(value)
        if len(fields) > FIELDS_MAX:
            raise WrongExport(
                f"the items have more than {FIELDS_MAX} different fields, too many for a table:"
                " export them as json or jsonl"
            )
        for sample in point.samples:
            self._output |= kind_of(sample["output"].get(OUTPUT))
        for score in point.scores:
            for part, value in parts_of(score):
                parts[part] = parts.get(part, NOTHING) | kind_of(value)

    def columns(self) -> Columns:
        output = Column(OUTPUT, column_type(self._output))
        names = _Names((*PLACE, *ANSWER, output, SLICES))
        scores = {
            part: Column(name, self._type_of(part))
            for part, name in names.of_scores(self.head.scores, self._parts)
        }
        fields = {
            name: Column(names.free(name, ITEM_PREFIX), column_type(kinds))
            for name, kinds in self._fields.items()
        }
        return Columns(
            all=(*PLACE, *fields.values(), *ANSWER, output, *scores.values(), SLICES),
            fields=tuple(fields),
            parts=tuple(scores),
        )

    def _type_of(self, part: PartOf) -> ColumnType:
        if part[1] in ("value", "agreement"):
            return "number"
        return column_type(self._parts.get(part, NOTHING))


def parts_of(score: Mapping[str, object]) -> Iterable[tuple[PartOf, object]]:
    """What one entry among a datapoint's scores says."""
    number = score["criteria_uid"]
    assert isinstance(number, int), "a score is known by its number"
    match score["score_type"]:
        case "RATIONALE":
            yield (number, "rationale"), score["value"]
        case "AGREEMENT":
            yield (number, "agreement"), score["value"]
            if "truth" in score:
                yield (number, "truth"), score["truth"]
        case _:
            yield (number, "value"), score["value"]
            for part in ("label", "truth", "error"):
                if part in score:
                    yield (number, part), score[part]


class _Names:
    """Names that no other column has."""

    def __init__(self, taken: Iterable[Column]) -> None:
        self._taken = {column.name for column in taken}

    def free(self, name: str, prefix: str) -> str:
        while name in self._taken:
            name = prefix + name
        self._taken.add(name)
        return name

    def of_scores(
        self, scores: Iterable[ExportedScore], seen: Mapping[PartOf, int]
    ) -> Iterable[tuple[PartOf, str]]:
        """Labels and rationales have a column where there is one anywhere, what people said where a score has it."""
        rows = [score for score in scores if score.scope == "row"]
        # All of them first: `judge_error` may be the name of a score.
        names = {score.criteria_uid: self.free(score.criteria_name, SCORE_PREFIX) for score in rows}
        for score in rows:
            number = score.criteria_uid
            yield (number, "value"), names[number]
            for part in ("label", "rationale", "agreement", "truth", "error"):
                if _has(score, part) or (number, part) in seen:
                    name = self.free(f"{names[number]}_{part}", SCORE_PREFIX)
                    yield (number, part), name


def _has(score: ExportedScore, part: Part) -> bool:
    return part == "error" or (score.has_ground_truth and part in ("agreement", "truth"))
