"""What models, metrics and scores are called where the workspace is known."""

from collections.abc import Iterable, Mapping, Sequence

from evalbus_schemas.scores import MetricResult


def bare(reference: str) -> str:
    """The name inside of the workspace that everything of one job shares."""
    return reference.rpartition("/")[2]


def score_names(scores: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], str]:
    """How scores are called, by (metric, score), from the names of each metric's: the metric alone if it has one."""
    names: dict[tuple[str, str], str] = {}
    for metric, given in scores.items():
        several = list(given)
        for score in several:
            is_only = len(several) == 1
            names[metric, score] = bare(metric) if is_only else f"{bare(metric)}:{score}"
    return names


def names_in(results: Sequence[MetricResult]) -> dict[tuple[str, str], str]:
    return score_names({each.metric: [score.name for score in each.scores] for each in results})
