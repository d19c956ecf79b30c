"""`client.results` and `client.evaluation` for code without an event loop."""

from collections.abc import Callable, Iterator, Sequence
from typing import Unpack

from evalbus.client.evaluation import AggregateScores
from evalbus.client.job_export import Destination, Exported, Tell
from evalbus.client.result_pages import PageView, ResultPages, ResultQuery
from evalbus.client.results import Results
from evalbus.client.rows import RowFilters, ScoredRow, scored
from evalbus.client.thread import Thread
from evalbus.exporting import ExportConfig
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.exports import DatapointPage
from evalbus_schemas.queries import (
    AggregateField,
    Comparison,
    Deleted,
    Result,
    ResultPage,
    RowPage,
    SliceScores,
)


class SyncResultPage(PageView):
    """One page; iterating over it goes on through all that follow."""

    def __init__(self, page: ResultPage, pages: ResultPages, thread: Thread) -> None:
        super().__init__(page)
        self._pages = pages
        self._thread = thread

    def __iter__(self) -> Iterator[Result]:
        for results in self._thread.iterate(self._pages.onwards, self.page):
            yield from results


class SyncResults:
    """`client.results`."""

    def __init__(self, results: Results, thread: Thread) -> None:
        self._results = results
        self._thread = thread

    def get(
        self, result: str, *, aggregate_fields: Sequence[AggregateField] | None = None
    ) -> Result:
        """The result of the job of that name; raises NotFound until the job has completed."""
        return self._thread.call(self._results.get, result, aggregate_fields=aggregate_fields)

    def list(self, **query: Unpack[ResultQuery]) -> SyncResultPage:
        """A page of the results that the query finds, newest first; iterating goes on through the pages that follow."""
        pages = self._results.list(**query).pages
        return SyncResultPage(self._thread.call(pages.first), pages, self._thread)

    def delete(self, result: str) -> Deleted:
        """Gone from every answer, and never made again; raises NotFound, also the second time."""
        return self._thread.call(self._results.delete, result)

    def compare(
        self,
        columns: str | Sequence[str],
        *,
        baseline: str | None = None,
        force: bool = False,
        slice: str | None = None,
    ) -> Comparison:
        """Columns side by side, each `result` (all its models) or `result:model`, with the first one or `baseline`.

        With a `slice` only its rows count. Raises Conflict where data, metric parameters or the slice's predicate
        differ, unless it is forced, and Invalid for a slice that a result has not.
        """
        return self._thread.call(
            self._results.compare, columns, baseline=baseline, force=force, slice=slice
        )

    def slices(self, result: str) -> Iterator[SliceScores]:
        """What the result says over the rows of each slice: `all`, the declared ones in their order, and `no-slice`.

        Raises NotFound until the job has completed.
        """
        return self._thread.iterate(self._results.slices, result)

    def explain(self, job: str) -> Explanations:
        """What its rows say about its scores, also of a job that has not completed. Raises NotFound."""
        return self._thread.call(self._results.explain, job)

    def report(self, job: str, *, html: bool = False) -> str:
        """The job as a report for people: Markdown, or one self-contained page of HTML.

        Of a job that has not completed it is what there is, and of a deleted one what its result says; either stands
        at the top. Raises NotFound.
        """
        return self._thread.call(self._results.report, job, html=html)

    def rows(
        self, job: str, *, limit: int | None = None, **filters: Unpack[RowFilters]
    ) -> Iterator[ScoredRow]:
        """The stored rows with their scores, in the order of the dataset; also of a job that has not completed.

        However many there are, only a page of them is held at a time.
        """
        # By the page: to go to the other thread for every row takes longer than the row.
        for page in self.row_pages(job, limit=limit, **filters):
            for row in page.rows:
                yield scored(row)

    def row_pages(
        self, job: str, *, limit: int | None = None, **filters: Unpack[RowFilters]
    ) -> Iterator[RowPage]:
        """The same by the page as it was answered, which also says whether the job is still incomplete."""
        return self._thread.iterate(self._results.row_pages, job, limit=limit, **filters)

    def datapoints(self, job: str) -> Iterator[DatapointPage]:
        """Every row of the job's datasets with all its scores, as pages of JSON lines; also those without a score.

        The first page has the head. What the job has at that moment: of a job that runs, each page as it is asked for.
        Raises NotFound, or Conflict if a large datapoint of a running job changes while it is read.
        """
        return self._thread.iterate(self._results.datapoints, job)

    def export(
        self,
        job: str,
        destination: Destination,
        config: ExportConfig | None = None,
        *,
        connector: str | int | None = None,
        tell: Tell | None = None,
    ) -> Exported:
        """Every datapoint of a job as a file, that is there whole or not at all; JSON unless `config` says otherwise.

        Of a job that has not completed it is what there is. Memory does not depend on the number of rows; a table
        takes as much space again while it is written. A bucket is written to by a producer, through a `connector` if
        one is given; anywhere else none is needed. `tell` is called on another thread. Raises NotFound; WrongExport
        (a ValueError) for a config or a place that is none; OSError, which names the path.
        """
        return self._thread.call(
            self._results.export, job, destination, config, connector=connector, tell=tell
        )


SyncResultsIn = Callable[[str | None], SyncResults]
"""`client.results` in that workspace; None: the client's own."""


class SyncAggregateScoresResource:
    """`client.evaluation.benchmark_jobs.results.aggregate_scores`."""

    def __init__(self, results: SyncResultsIn) -> None:
        self._results = results

    def download(
        self,
        *,
        job: str,
        aggregate_fields: Sequence[AggregateField] | None = None,
        workspace: str | None = None,
    ) -> AggregateScores:
        """Raises NotFound until the job has completed."""
        found = self._results(workspace).get(job, aggregate_fields=aggregate_fields)
        return AggregateScores(results=found.results)


class SyncRowScoresResource:
    """`client.evaluation.benchmark_jobs.results.row_scores`."""

    def __init__(self, results: SyncResultsIn) -> None:
        self._results = results

    def download(
        self,
        *,
        job: str,
        limit: int | None = None,
        workspace: str | None = None,
        **filters: Unpack[RowFilters],
    ) -> Iterator[ScoredRow]:
        """The rows in the order of the dataset, asked for as they are iterated over."""
        return self._results(workspace).rows(job, limit=limit, **filters)


class SyncJobResultsResource:
    """`client.evaluation.benchmark_jobs.results`."""

    def __init__(self, results: SyncResultsIn) -> None:
        self.aggregate_scores = SyncAggregateScoresResource(results)
        self.row_scores = SyncRowScoresResource(results)


class SyncBenchmarkJobsResource:
    """`client.evaluation.benchmark_jobs`."""

    def __init__(self, results: SyncResultsIn) -> None:
        self.results = SyncJobResultsResource(results)


class SyncBenchmarkJobResultsResource:
    """`client.evaluation.benchmark_job_results`."""

    def __init__(self, results: SyncResultsIn) -> None:
        self._results = results

    def list(self, *, workspace: str | None = None, **query: Unpack[ResultQuery]) -> SyncResultPage:
        """A page of the results that the query finds, newest first; iterating goes on through the pages that follow."""
        return self._results(workspace).list(**query)

    def retrieve(
        self,
        name: str,
        *,
        aggregate_fields: Sequence[AggregateField] | None = None,
        workspace: str | None = None,
    ) -> Result:
        """The result of the job of that name; raises NotFound."""
        return self._results(workspace).get(name, aggregate_fields=aggregate_fields)

    def delete(self, name: str, *, workspace: str | None = None) -> Deleted:
        """Gone from every answer, and never made again; raises NotFound, also the second time."""
        return self._results(workspace).delete(name)


class SyncEvaluation:
    """`client.evaluation`."""

    def __init__(self, results: SyncResultsIn) -> None:
        self.benchmark_jobs = SyncBenchmarkJobsResource(results)
        self.benchmark_job_results = SyncBenchmarkJobResultsResource(results)
