"""Results of completed jobs, and the rows behind them."""

from collections.abc import AsyncIterator

from evalbus.client.calls import Calls
from evalbus.client.pages import entries, pages
from evalbus.client.parameters import parameters
from evalbus_schemas.queries import (
    ListResults,
    ListRows,
    Result,
    ResultNamed,
    ResultPage,
    Row,
    RowPage,
)


class Results:
    """`client.results`."""

    def __init__(self, calls: Calls, workspace: str) -> None:
        self._calls = calls
        self._workspace = workspace

    async def get(self, result: str) -> Result:
        """The result of the job of that name; raises NotFound until the job has completed."""
        named = parameters(ResultNamed, {"result": result, "workspace": self._workspace})
        return await self._calls.call("results.get", named, Result)

    async def list(
        self, *, benchmark: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Result]:
        """The results of the workspace, newest first; `benchmark` as `workspace/name`."""

        async def ask(after: str | None, count: int) -> ResultPage:
            wanted: dict[str, object] = {
                "workspace": self._workspace,
                "benchmark": benchmark,
                "after": after,
                "limit": count,
            }
            return await self._calls.call(
                "results.list", parameters(ListResults, wanted), ResultPage
            )

        found = pages(ask, count=lambda p: len(p.results), cursor=lambda p: p.next, limit=limit)
        async for each in entries(found, lambda page: page.results):
            yield each

    async def rows(
        self,
        job: str,
        *,
        dataset: str | None = None,
        model: str | None = None,
        failed_only: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        """The stored rows with their scores, in the order of the dataset; also of a job that has not completed."""
        found = self.row_pages(
            job, dataset=dataset, model=model, failed_only=failed_only, limit=limit
        )
        async for each in entries(found, lambda page: page.rows):
            yield each

    async def row_pages(
        self,
        job: str,
        *,
        dataset: str | None = None,
        model: str | None = None,
        failed_only: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[RowPage]:
        """The same by the page, which also says whether the job is still incomplete."""

        async def ask(after: str | None, count: int) -> RowPage:
            wanted: dict[str, object] = {
                "job": job,
                "workspace": self._workspace,
                "dataset": dataset,
                "model": model,
                "failed_only": failed_only,
                "after": after,
                "limit": count,
            }
            return await self._calls.call("results.rows", parameters(ListRows, wanted), RowPage)

        async for page in pages(
            ask, count=lambda p: len(p.rows), cursor=lambda p: p.next, limit=limit
        ):
            yield page
