"""The scores of a result in the order in which people compare them: all models of a score under one another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evalbus.writing.names import bare, names_in
from evalbus.writing.tables import Bar
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.scores import MetricResult, ScoreStatistics

ARROWS: Final[dict[ScoreDirection, str]] = {"higher": "↑", "lower": "↓", "none": ""}
OF_ALL_ROWS: Final = "of all rows"

ScoreKey = tuple[str, str, str]
"""Dataset, metric and score."""
Directions = Mapping[ScoreKey, ScoreDirection]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One score of one model on one dataset, and what it is called."""

    key: ScoreKey
    dataset: str
    model: str
    name: str
    direction: ScoreDirection
    score: ScoreStatistics

    @property
    def is_corpus(self) -> bool:
        return self.score.scope == "corpus"

    @property
    def title(self) -> str:
        """With an arrow where it has a direction; a score of the whole is no mean, and says so."""
        title = titled(self.name, self.direction)
        return f"{title} ({OF_ALL_ROWS})" if self.is_corpus else title

    @property
    def unscored(self) -> int:
        """Rows that did not fail and yet have no value."""
        return (self.score.nan_count or 0) - (self.score.n_failed or 0)

    @property
    def rows(self) -> int:
        if self.score.n_rows is not None:
            return self.score.n_rows
        return self.score.count + (self.score.nan_count or 0)


def titled(name: str, direction: ScoreDirection) -> str:
    return f"{name} {ARROWS[direction]}".rstrip()


def score_lines(results: Sequence[MetricResult], directions: Directions) -> list[Line]:
    names = names_in(results)
    found = [
        Line(
            key=(result.dataset, result.metric, score.name),
            dataset=bare(result.dataset),
            model=bare(result.model),
            name=names[result.metric, score.name],
            direction=directions.get((result.dataset, result.metric, score.name), "none"),
            score=score,
        )
        for result in results
        for score in result.scores
    ]
    order = {key: place for place, key in enumerate(dict.fromkeys(line.key for line in found))}
    return sorted(found, key=lambda line: order[line.key])


def grouped(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines of each score together."""
    by_key: dict[ScoreKey, list[Line]] = {}
    for line in lines:
        by_key.setdefault(line.key, []).append(line)
    yield from by_key.values()


def directions_in(explanations: Explanations | None) -> Directions:
    if explanations is None:
        return {}
    return {
        (each.dataset, each.summary.metric, each.summary.score): each.summary.direction
        for each in explanations.metric_dependent
    }


def bars(values: Sequence[float | None]) -> list[Bar | None]:
    """Each as a share of the way from the least to the largest; 0 and 1 are the ends where all lie between them."""
    known = [value for value in values if value is not None]
    if not known:
        return [None] * len(values)
    low, high = min(0.0, *known), max(known)
    high = 1.0 if low >= 0 and high <= 1 else high
    if high <= low:
        return [None] * len(values)
    return [None if value is None else Bar((value - low) / (high - low)) for value in values]
