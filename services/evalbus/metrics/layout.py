"""How the values of a benchmark's rows are laid out: which place belongs to which score of which metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from evalbus.metrics.base import (
    LiveMetric,
    Metric,
    RepeatRule,
    ScoreDeclaration,
    mean_of_repeats,
)
from evalbus.models import Respondent
from evalbus_schemas.benchmark import ScoreDirection


@dataclass(frozen=True)
class Layout:
    """The metrics of a benchmark in its order, by name; what is kept of a row follows from them."""

    metrics: Sequence[tuple[str, Metric]]
    with_truth: Sequence[tuple[str, str]] = ()
    """The (metric, score) names of those with a ground truth, in the order in which a row's truths are kept."""

    @property
    def scores(self) -> tuple[tuple[str, str], ...]:
        """The (metric, score) names in the order in which a row's values are kept."""
        return tuple((name, score.name) for name, metric in self.metrics for score in metric.scores)

    @property
    def declarations(self) -> tuple[ScoreDeclaration, ...]:
        """How to read the values of a row, in the same order."""
        return tuple(score for _, metric in self.metrics for score in metric.scores)

    @property
    def over_repeats(self) -> tuple[RepeatRule, ...]:
        """How the repeats of a row become one value, in the same order."""
        return tuple(score.over_repeats for score in self.declarations)

    @property
    def not_averaged(self) -> frozenset[tuple[str, str]]:
        """The scores whose rule is another than the mean."""
        return frozenset(
            name
            for name, rule in zip(self.scores, self.over_repeats, strict=True)
            if rule is not mean_of_repeats
        )

    @property
    def counted(self) -> tuple[str, ...]:
        """The metrics with corpus scores, in the order in which a row's counts are kept."""
        return tuple(name for name, metric in self.metrics if metric.corpus)

    @property
    def directions(self) -> dict[tuple[str, str], ScoreDirection]:
        """Whether more is better, by (metric, score), corpus scores included."""
        return {
            (name, score.name): score.direction
            for name, metric in self.metrics
            for score in (*metric.scores, *metric.corpus)
        }

    @property
    def respondents(self) -> tuple[tuple[str, int, Respondent], ...]:
        """Whom live metrics ask, with the metric and the place among its respondents."""
        return tuple(
            (name, place, respondent)
            for name, metric in self.metrics
            if isinstance(metric, LiveMetric)
            for place, respondent in enumerate(metric.respondents)
        )
