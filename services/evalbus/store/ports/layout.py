"""What the store has to know of metrics: where the values of a row lie, and how to read them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from evalbus_schemas.benchmark import Benchmark, ScoreDirection


class Layout(Protocol):
    """How the values of a benchmark's rows are laid out."""

    @property
    def scores(self) -> Sequence[tuple[str, str]]:
        """The (metric, score) names in the order in which values are stored."""
        ...

    @property
    def over_repeats(self) -> Sequence[Callable[[Sequence[float]], float]]:
        """How the values of a row's repeats become one, in the same order."""
        ...

    @property
    def not_averaged(self) -> Collection[tuple[str, str]]:
        """The scores whose rule is another than the mean."""
        ...

    @property
    def counted(self) -> Sequence[str]:
        """The metrics whose rows have counts, in the order in which these are stored."""
        ...

    @property
    def with_truth(self) -> Sequence[tuple[str, str]]:
        """The scores that have a ground truth, in the order in which a row's truths are stored."""
        ...

    @property
    def directions(self) -> Mapping[tuple[str, str], ScoreDirection]:
        """Whether more is better, by (metric, score): all scores in the order of the benchmark, corpus scores included."""
        ...


LayoutOf = Callable[[Benchmark], Layout]
