"""`client.evaluation`: results and rows under the names that evaluation platforms give them.

Every method is one call of `client.results`, in the client's workspace or in another.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

from evalbus.client.result_pages import AsyncResultList, ResultQuery
from evalbus.client.results import Results
from evalbus.client.rows import RowFilters, ScoredRow
from evalbus_schemas.queries import AggregateField, Deleted, Result
from evalbus_schemas.scores import MetricResult, ScoreStatistics

ResultsIn = Callable[[str | None], Results]
"""`client.results` in that workspace; None: the client's own."""


@dataclass(frozen=True, kw_only=True)
class AggregateScores:
    """The statistics of a job: by dataset, model and metric, and in the same order without their grouping."""

    results: tuple[MetricResult, ...]

    @property
    def scores(self) -> tuple[ScoreStatistics, ...]:
        return tuple(score for result in self.results for score in result.scores)


class AggregateScoresResource:
    """`client.evaluation.benchmark_jobs.results.aggregate_scores`."""

    def __init__(self, results: ResultsIn) -> None:
        self._results = results

    async def download(
        self,
        *,
        job: str,
        aggregate_fields: Sequence[AggregateField] | None = None,
        workspace: str | None = None,
    ) -> AggregateScores:
        """Raises NotFound until the job has completed."""
        found = await self._results(workspace).get(job, aggregate_fields=aggregate_fields)
        return AggregateScores(results=found.results)


class RowScoresResource:
    """`client.evaluation.benchmark_jobs.results.row_scores`."""

    def __init__(self, results: ResultsIn) -> None:
        self._results = results

    def download(
        self,
        *,
        job: str,
        limit: int | None = None,
        workspace: str | None = None,
        **filters: Unpack[RowFilters],
    ) -> AsyncIterator[ScoredRow]:
        """The rows in the order of the dataset, asked for as they are iterated over."""
        return self._results(workspace).rows(job, limit=limit, **filters)


class JobResultsResource:
    """`client.evaluation.benchmark_jobs.results`."""

    def __init__(self, results: ResultsIn) -> None:
        self.aggregate_scores = AggregateScoresResource(results)
        self.row_scores = RowScoresResource(results)


class BenchmarkJobsResource:
    """`client.evaluation.benchmark_jobs`."""

    def __init__(self, results: ResultsIn) -> None:
        self.results = JobResultsResource(results)


class BenchmarkJobResultsResource:
    """`client.evaluation.benchmark_job_results`."""

    def __init__(self, results: ResultsIn) -> None:
        self._results = results

    def list(
        self, *, workspace: str | None = None, **query: Unpack[ResultQuery]
    ) -> AsyncResultList:
        """The results that the query finds, newest first: await a page, or iterate over all."""
        return self._results(workspace).list(**query)

    async def retrieve(
        self,
        name: str,
        *,
        aggregate_fields: Sequence[AggregateField] | None = None,
        workspace: str | None = None,
    ) -> Result:
        """The result of the job of that name; raises NotFound."""
        return await self._results(workspace).get(name, aggregate_fields=aggregate_fields)

    async def delete(self, name: str, *, workspace: str | None = None) -> Deleted:
        """Gone from every answer, and never made again; raises NotFound, also the second time."""
        return await self._results(workspace).delete(name)


class Evaluation:
    """`client.evaluation`."""

    def __init__(self, results: ResultsIn) -> None:
        self.benchmark_jobs = BenchmarkJobsResource(results)
        self.benchmark_job_results = BenchmarkJobResultsResource(results)
