"""What follows from a confusion matrix: every measure of how well answers were classified, from the same integers."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, assert_never

Measure = Literal["precision", "recall", "f1"]

OTHER = "__other__"
"""Stands for every answer that is none of the labels; never a label itself."""


@dataclass(frozen=True, kw_only=True)
class OfLabel:
    """One label against all others; 0.0 for a ratio whose denominator is 0."""

    hits: int
    answers: int
    support: int
    """How many references have it."""

    @property
    def precision(self) -> float:
        return _ratio(self.hits, self.answers)

    @property
    def recall(self) -> float:
        return _ratio(self.hits, self.support)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.hits, self.answers + self.support)


@dataclass(frozen=True)
class Confusion:
    """How many rows have which (reference, answer); of at least one row.

    Averages go over `labels`, which has every reference and may have more; an answer that is not among them counts
    against the recall of its reference, and against nobody's precision.
    """

    cells: Mapping[tuple[str, str], int]
    labels: Sequence[str]

    @cached_property
    def rows(self) -> int:
        return sum(self.cells.values())

    @cached_property
    def of_reference(self) -> Counter[str]:
        return self._summed(0)

    @cached_property
    def of_answer(self) -> Counter[str]:
        return self._summed(1)

    @cached_property
    def per_label(self) -> dict[str, OfLabel]:
        return {
            label: OfLabel(
                hits=self.cells.get((label, label), 0),
                answers=self.of_answer[label],
                support=self.of_reference[label],
            )
            for label in self.labels
        }

    @cached_property
    def together(self) -> OfLabel:
        """All labels as if they were one, which is what micro averages are of."""
        every = self.per_label.values()
        return OfLabel(
            hits=sum(one.hits for one in every),
            answers=sum(one.answers for one in every),
            support=sum(one.support for one in every),
        )

    @property
    def accuracy(self) -> float:
        return self.together.hits / self.rows

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the labels that references have."""
        recalls = [one.recall for one in self.per_label.values() if one.support]
        return math.fsum(recalls) / len(recalls)

    def macro(self, measure: Measure) -> float:
        """The mean over labels, however rare each is."""
        values = [_measure(one, measure) for one in self.per_label.values()]
        return math.fsum(values) / len(values)

    def micro(self, measure: Measure) -> float:
        return _measure(self.together, measure)

    def weighted(self, measure: Measure) -> float:
        """The mean over labels, each as often as references have it."""
        every = self.per_label.values()
        return math.fsum(one.support * _measure(one, measure) for one in every) / self.rows

    @property
    def mcc(self) -> float:
        """Matthews' correlation for several classes (Gorodkin 2004); 0.0 where either side has but one label."""
        spread = (self.rows**2 - _squares(self.of_reference)) * (
            self.rows**2 - _squares(self.of_answer)
        )
        if spread == 0:
            return 0.0
        # Integers up to the last step, so that nothing is lost between two large products.
        return self._covariance / math.sqrt(spread)

    @property
    def kappa(self) -> float:
        """Cohen's kappa; NaN where both sides have the same one label, so that chance explains everything."""
        beyond_chance = self.rows**2 - self._chance
        return self._covariance / beyond_chance if beyond_chance else math.nan

    @cached_property
    def _covariance(self) -> int:
        return self.together.hits * self.rows - self._chance

    @cached_property
    def _chance(self) -> int:
        """Of `rows` squared pairs of a reference and an answer, how many agree."""
        return sum(count * self.of_answer[label] for label, count in self.of_reference.items())

    def _summed(self, side: int) -> Counter[str]:
        sums: Counter[str] = Counter()
        for pair, count in self.cells.items():
            sums[pair[side]] += count
        return sums


def _measure(one: OfLabel, measure: Measure) -> float:
    match measure:
        case "precision":
            return one.precision
        case "recall":
            return one.recall
        case "f1":
            return one.f1
        case _:
            assert_never(measure)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _squares(counts: Mapping[str, int]) -> int:
    return sum(count**2 for count in counts.values())
