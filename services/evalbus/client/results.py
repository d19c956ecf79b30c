"""Results of completed jobs, and the rows behind them."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Unpack

from evalbus.client.bucket_export import export_to_bucket
from evalbus.client.calls import Calls
from evalbus.client.job_export import Destination, Exported, Tell, bucket_url, write_pages
from evalbus.client.pages import entries, pages
from evalbus.client.parameters import parameters
from evalbus.client.patience import asked_on
from evalbus.client.report_material import report_material
from evalbus.client.result_pages import AsyncResultList, ResultPages, ResultQuery
from evalbus.client.rows import RowFilters, ScoredRow, scored
from evalbus.exporting import ExportConfig, checked_config
from evalbus.exporting.pages import datapoint_pages
from evalbus.reporting import as_html, as_markdown, report_of
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.exports import DatapointPage, ListDatapoints
from evalbus_schemas.queries import (
    AggregateField,
    CompareResults,
    Comparison,
    Deleted,
    GetResult,
    JobNamed,
    ListRows,
    ListSlices,
    Result,
    ResultNamed,
    RowPage,
    SlicePage,
    SliceScores,
)


class Results:
    """`client.results`."""

    def __init__(self, calls: Calls, workspace: str, *, away_seconds: float) -> None:
        """`away_seconds`: how long an export goes on asking servers that are away."""
        self._away_seconds = away_seconds
        self._calls = calls
        self._workspace = workspace

    async def get(
        self, result: str, *, aggregate_fields: Sequence[AggregateField] | None = None
    ) -> Result:
        """The result of the job of that name; raises NotFound until the job has completed."""
        wanted = {
            "result": result,
            "workspace": self._workspace,
            "aggregate_fields": aggregate_fields,
        }
        return await self._calls.call("results.get", parameters(GetResult, wanted), Result)

    def list(self, **query: Unpack[ResultQuery]) -> AsyncResultList:
        """The results that the query finds, newest first: await a page, or iterate over all. Raises Invalid."""
        return AsyncResultList(ResultPages(self._calls, self._workspace, query))

    async def delete(self, result: str) -> Deleted:
        """Gone from every answer, and never made again; raises NotFound, also the second time."""
        wanted = {"result": result, "workspace": self._workspace}
        return await self._calls.call("results.delete", parameters(ResultNamed, wanted), Deleted)

    async def compare(
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
        wanted: dict[str, object] = {
            "columns": [columns] if isinstance(columns, str) else list(columns),
            "baseline": baseline,
            "workspace": self._workspace,
            "force": force,
            "slice": slice,
        }
        return await self._calls.call(
            "results.compare", parameters(CompareResults, wanted), Comparison
        )

    async def slices(self, result: str) -> AsyncIterator[SliceScores]:
        """What the result says over the rows of each slice: `all`, the declared ones in their order, and `no-slice`.

        Raises NotFound until the job has completed.
        """

        async def ask(after: str | None, count: int) -> SlicePage:
            wanted = {
                "result": result,
                "workspace": self._workspace,
                "after": after,
                "limit": count,
            }
            return await self._calls.call(
                "results.slices", parameters(ListSlices, wanted), SlicePage
            )

        found = pages(ask, count=lambda p: len(p.slices), cursor=lambda p: p.next, limit=None)
        async for one in entries(found, lambda p: p.slices):
            yield one

    async def explain(self, job: str) -> Explanations:
        """What its rows say about its scores, also of a job that has not completed. Raises NotFound."""
        wanted = {"job": job, "workspace": self._workspace}
        return await self._calls.call("results.explain", parameters(JobNamed, wanted), Explanations)

    async def report(self, job: str, *, html: bool = False) -> str:
        """The job as a report for people: Markdown, or one self-contained page of HTML.

        Of a job that has not completed it is what there is, and of a deleted one what its result says; either stands
        at the top. Raises NotFound.
        """
        composed = report_of(await report_material(self, self._calls, self._workspace, job))
        return as_html(composed) if html else as_markdown(composed)

    async def rows(
        self, job: str, *, limit: int | None = None, **filters: Unpack[RowFilters]
    ) -> AsyncIterator[ScoredRow]:
        """The stored rows with their scores, in the order of the dataset; also of a job that has not completed.

        However many there are, only a page of them is held at a time.
        """
        async for page in self.row_pages(job, limit=limit, **filters):
            for row in page.rows:
                yield scored(row)

    async def row_pages(
        self, job: str, *, limit: int | None = None, **filters: Unpack[RowFilters]
    ) -> AsyncIterator[RowPage]:
        """The same by the page as it was answered, which also says whether the job is still incomplete."""
        first: dict[str, object] = {"job": job, "workspace": self._workspace, **filters}

        async def ask(after: str | None, count: int) -> RowPage:
            place = {"after": after or filters.get("after"), "limit": count}
            return await self._calls.call(
                "results.rows", parameters(ListRows, first | place), RowPage
            )

        found = pages(ask, count=lambda p: len(p.rows), cursor=lambda p: p.next, limit=limit)
        async for page in found:
            yield page

    def datapoints(self, job: str) -> AsyncGenerator[DatapointPage]:
        """Every row of the job's datasets with all its scores, as pages of JSON lines; also those without a score.

        The first page has the head. What the job has at that moment: of a job that runs, each page as it is asked for.
        Raises NotFound, or Conflict if a large datapoint of a running job changes while it is read.
        """

        first: dict[str, object] = {"job": job, "workspace": self._workspace}

        async def ask(after: str | None, count: int) -> DatapointPage:
            wanted = parameters(ListDatapoints, first | {"after": after, "limit": count})
            # Servers that are away from the start are not waited for; nothing is lost yet.
            patience = 0.0 if after is None else self._away_seconds
            return await asked_on(
                lambda: self._calls.call("results.datapoints", wanted, DatapointPage),
                away_seconds=patience,
            )

        return datapoint_pages(ask)

    async def export(
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
        one is given; anywhere else none is needed. Raises NotFound; WrongExport (a ValueError) for a config or a place
        that is none; OSError, which names the path.
        """
        chosen = checked_config(config)
        url = bucket_url(destination)
        if url is not None:
            return await export_to_bucket(
                self._calls, self._workspace, job, url, chosen, connector=connector, tell=tell
            )
        async with aclosing(self.datapoints(job)) as found:
            return await write_pages(found, destination, chosen, tell=tell)
