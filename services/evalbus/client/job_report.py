"""What a job says of each of its models, in the forms that programs ask for: means, details, failure rates."""

from collections import Counter
from dataclasses import dataclass

from evalbus.writing.names import bare, names_in
from evalbus_schemas.queries import Result
from evalbus_schemas.scores import MetricResult, ScoreStatistics
from evalbus_schemas.usage import FailedByStage, ModelUsage

MODEL = "Model"
DATASET = "Dataset"
FAILURE_RATE = "Failure Rate"
SAMPLE_FAILURE_RATE = "Sample Failure Rate"
METRIC_FAILURE_RATE = "Metric Failure Rate"


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """Models in the order of the benchmark; without results as long as the job has none."""

    status: str
    results: tuple[MetricResult, ...]
    usage: tuple[ModelUsage, ...]

    @property
    def labels(self) -> dict[str, str]:
        """What each model is called, by its reference: two that are displayed alike are told apart."""
        times = Counter(model.display_name for model in self.usage)
        return {
            model.model: model.display_name
            if times[model.display_name] == 1
            else f"{model.display_name} ({bare(model.model)})"
            for model in self.usage
        }

    def results_of(self, model: str) -> list[MetricResult]:
        return [result for result in self.results if result.model == model]


def report_of(result: Result) -> JobReport:
    return JobReport(
        status="completed",
        results=result.results,
        usage=result.usage or tuple(_counted(result, model) for model in result.models),
    )


def means(report: JobReport) -> list[dict[str, object]]:
    """A line for each model with the mean of each score, None where no row has a value.

    Of a benchmark with several datasets it is a line for each model and dataset: a mean over both would be of neither.
    """
    names = names_in(report.results)
    has_several = len({result.dataset for result in report.results}) > 1
    lines: list[dict[str, object]] = []
    for model, label in report.labels.items():
        by_dataset: dict[str, dict[str, object]] = {}
        for result in report.results_of(model):
            line = by_dataset.setdefault(result.dataset, {})
            line |= {names[result.metric, score.name]: score.mean for score in result.scores}
        lines += [
            {MODEL: label} | ({DATASET: bare(dataset)} if has_several else {}) | line
            for dataset, line in (by_dataset or {"": {}}).items()
        ]
    return lines


def details(report: JobReport) -> dict[str, dict[str, object]]:
    """By model: what it cost, how many seconds its rows took, how it ended, and every score."""
    names = names_in(report.results)
    labels = report.labels
    return {
        labels[model.model]: {
            "creditsUsed": round(model.cost or 0.0, 5),
            "timeSpent": round(model.seconds, 2),
            "status": report.status,
            "rawScores": [
                _raw_score(names[result.metric, score.name], result, score)
                for result in report.results_of(model.model)
                for score in result.scores
            ],
        }
        for model in report.usage
    }


def failure_rates(report: JobReport) -> dict[str, float | None]:
    """Per cent of all rows planned, by model; None for one of which nothing ran."""
    labels = report.labels
    return {labels[each.model]: _per_cent(each.failed_rows, each) for each in report.usage}


def failure_rates_by_stage(report: JobReport) -> dict[str, dict[str, float | None]]:
    """The same, and its parts: rows that got no sample, and rows over which a metric failed."""
    labels = report.labels
    return {
        labels[each.model]: {
            FAILURE_RATE: _per_cent(each.failed_rows, each),
            SAMPLE_FAILURE_RATE: _per_cent(each.failed_by_stage.sample, each),
            METRIC_FAILURE_RATE: _per_cent(each.failed_by_stage.metric, each),
        }
        for each in report.usage
    }


def _per_cent(rows: int, usage: ModelUsage) -> float | None:
    # Until all is read, of the rows so far.
    planned = max(usage.rows_planned or 0, usage.rows)
    if usage.failure_rate is None or not planned:
        return None
    # From the counts: a product with the rate would be off in its last digit.
    return rows * 100 / planned


def _raw_score(name: str, result: MetricResult, score: ScoreStatistics) -> dict[str, object]:
    return {
        "longName": name,
        "average": score.mean,
        "count": score.count,
        "failedSegmentsCount": score.n_failed or 0,
        "nanCount": score.nan_count or 0,
        "dataset": result.dataset,
        "metric": result.metric,
        "score": score.name,
        "min": score.min,
        "max": score.max,
        "stdDev": score.std_dev,
    }


def _counted(result: Result, model: str) -> ModelUsage:
    """As much as the statistics tell: a result from before usage was kept has none of its own."""
    rows: dict[str, int] = {}
    failed: dict[str, int] = {}
    for each in result.results:
        if each.model != model:
            continue
        for score in each.scores:
            rows[each.dataset] = max(rows.get(each.dataset, 0), score.n_rows or 0)
            failed[each.dataset] = max(failed.get(each.dataset, 0), score.n_failed or 0)
    n_rows, n_failed = sum(rows.values()), sum(failed.values())
    return ModelUsage(
        model=model,
        display_name=bare(model),
        is_live=False,
        rows_planned=n_rows,
        rows=n_rows,
        failed_rows=n_failed,
        failed_by_stage=FailedByStage(),
        failure_rate=n_failed / n_rows if n_rows else None,
    )
