"""From the columns of all datasets of a job to its explanations."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from evalbus.metrics import layout_of
from evalbus.results.explaining.columns import DatasetColumns
from evalbus.results.explaining.data import explain_data
from evalbus.results.explaining.features import (
    features_of_answers,
    features_of_rows,
    features_of_slices,
)
from evalbus.results.explaining.looks import Looks
from evalbus.results.explaining.made_of import answer_fields, truth_fields
from evalbus.results.explaining.room import fitting
from evalbus.results.explaining.studies import ScoreToExplain, Study
from evalbus.results.explaining.words import counted
from evalbus.store.ports import JobToExplain
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.names import reference

STUDIES_MAX: Final = 64
"""Scores of datasets that are explained; there may be thousands."""


def columns_for(job: JobToExplain) -> DatasetColumns:
    """Nothing yet of one dataset of the job."""
    layout = layout_of(job.benchmark)
    return DatasetColumns(
        n_models=len(job.benchmark.models),
        n_scores=len(layout.scores),
        n_truths=len(layout.with_truth),
    )


def explain(job: JobToExplain, columns: Sequence[DatasetColumns]) -> Explanations:
    """Given the finished columns of each dataset. Pure: the same columns give the same."""
    looks = Looks()
    scores = _scores(job)
    models = [reference(job.workspace, model.name) for model in job.benchmark.models]
    slices = [one.name for one in job.benchmark.slices]
    data = [
        explain_data(seen, dataset, reference=reference(job.workspace, dataset.name), models=models)
        for dataset, seen in zip(job.datasets, columns, strict=True)
    ]
    studies: list[Study] = []
    for dataset, seen, of_dataset in zip(job.datasets, columns, scores, strict=True):
        of_rows = features_of_rows(seen, slices)
        of_slices = features_of_slices(seen, slices)
        of_answers = [features_of_answers(given) for given in seen.models]
        studies += [
            Study(
                looks,
                score,
                seen,
                dataset=reference(job.workspace, dataset.name),
                models=models,
                of_rows=of_rows,
                of_answers=of_answers,
                slices=of_slices,
            )
            for score in of_dataset[: STUDIES_MAX - len(studies)]
        ]
    looks.close()
    n_left_out = sum(map(len, scores)) - len(studies)
    return fitting(
        Explanations(
            metric_independent=tuple(data),
            metric_dependent=tuple(study.explained(looks) for study in studies),
            partial=not job.is_complete,
            looks=looks.count,
            left_out=n_left_out,
            text=_summary(job, studies, looks),
        )
    )


def _scores(job: JobToExplain) -> list[list[ScoreToExplain]]:
    """Those of each dataset that rows have values of, called as in a table of means."""
    layout = layout_of(job.benchmark)
    times = Counter(metric for metric, _ in layout.directions)
    metrics = {metric.name: metric for metric in job.benchmark.metrics}
    has_several = len(job.benchmark.datasets) > 1
    answers = answer_fields(job.benchmark.models)
    return [
        [
            ScoreToExplain(
                score_id=(f"{dataset.name}/" if has_several else "")
                + (metric if times[metric] == 1 else f"{metric}:{score}"),
                workspace=job.workspace,
                metric=metric,
                score=score,
                direction=layout.directions[metric, score],
                place=place,
                truth_place=layout.with_truth.index((metric, score))
                if (metric, score) in layout.with_truth
                else None,
                not_features=answers | truth_fields(metrics[metric]),
            )
            for place, (metric, score) in enumerate(layout.scores)
        ]
        for dataset in job.benchmark.datasets
    ]


def _summary(job: JobToExplain, studies: Sequence[Study], looks: Looks) -> str:
    state = "" if job.is_complete else "The job has not completed: this is about the rows it has. "
    return (
        f"{state}{counted(len(studies), 'score')} explained, {counted(looks.count, 'look')} in all;"
        " p-values are adjusted for that (Holm), so that in 19 of 20 jobs without any effect nothing is found."
    )
