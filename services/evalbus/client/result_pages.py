"""Numbered pages of results: the one that was asked for, and from there on all that follow."""

from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from typing import Any, TypedDict
from uuid import UUID

from evalbus.client.calls import Calls
from evalbus.client.parameters import parameters
from evalbus.errors import OverLimit
from evalbus_schemas.queries import (
    AggregateField,
    Filter,
    ListResults,
    Pagination,
    Result,
    ResultPage,
    ResultSort,
)

FilterSource = Mapping[str, object] | str
"""`{"name": {"$like": "nightly"}}`, the same as JSON text, or words: `name~"nightly"`."""


class ResultQuery(TypedDict, total=False):
    """Which results, in which order, and how much of each.

    A bare value in `filter` means equality, bare text in `search` containment. `aggregate_fields` names what to tell of
    a score beside its name and count. Without `page` and `page_size` the pages are as large as one answer may be.
    """

    filter: FilterSource | None
    search: FilterSource | None
    sort: ResultSort | None
    aggregate_fields: Sequence[AggregateField] | None
    page: int | None
    page_size: int | None


class ResultPages:
    """Asks for the pages of one query."""

    def __init__(self, calls: Calls, workspace: str, query: ResultQuery) -> None:
        self._calls = calls
        self._wanted = parameters(ListResults, {"workspace": workspace, **query})
        self._may_shrink = query.get("page") is None and query.get("page_size") is None

    async def first(self) -> ResultPage:
        return await self._ask(self._wanted)

    async def after(self, page: ResultPage) -> ResultPage | None:
        seen = page.pagination
        if seen.page >= seen.total_pages:
            return None
        place = {"page": seen.page + 1, "page_size": seen.page_size}
        return await self._ask(self._wanted.model_copy(update=place))

    async def onwards(self, page: ResultPage | None = None) -> AsyncIterator[Sequence[Result]]:
        """The results of this page (None: the first) and of each that follows.

        A result that is made meanwhile pushes others to the next page; none comes twice for that.
        """
        seen: set[UUID] = set()
        following: ResultPage | None = page or await self.first()
        while following is not None:
            yield [result for result in following.data if result.id not in seen]
            seen.update(result.id for result in following.data)
            following = await self.after(following)

    async def _ask(self, wanted: ListResults) -> ResultPage:
        while True:
            try:
                return await self._calls.call("results.list", wanted, ResultPage)
            except OverLimit as refusal:
                most = refusal.data.get("page_size")
                if not self._may_shrink or not isinstance(most, int):
                    raise
                if not 1 <= most < wanted.page_size:
                    raise
                wanted = _smaller(wanted, most)


def _smaller(wanted: ListResults, most: int) -> ListResults:
    """The page that begins at the same result and has no more than so many."""
    before = (wanted.page - 1) * wanted.page_size
    size = next(size for size in range(most, 0, -1) if before % size == 0)
    return wanted.model_copy(update={"page": before // size + 1, "page_size": size})


class PageView:
    """One page, as it was answered."""

    def __init__(self, page: ResultPage) -> None:
        self.page = page

    @property
    def data(self) -> tuple[Result, ...]:
        """The results of this page."""
        return self.page.data

    @property
    def pagination(self) -> Pagination:
        return self.page.pagination

    @property
    def sort(self) -> ResultSort:
        return self.page.sort

    @property
    def filter(self) -> Filter:
        return self.page.filter


class AsyncResultPage(PageView):
    """One page; iterating over it goes on through all that follow."""

    def __init__(self, page: ResultPage, pages: ResultPages) -> None:
        super().__init__(page)
        self._pages = pages

    async def __aiter__(self) -> AsyncIterator[Result]:
        async for results in self._pages.onwards(self.page):
            for result in results:
                yield result


class AsyncResultList:
    """What a query finds: await it for its page, iterate over it for that page and all that follow."""

    def __init__(self, pages: ResultPages) -> None:
        self.pages = pages

    def __await__(self) -> Generator[Any, None, AsyncResultPage]:
        return self._page().__await__()

    async def __aiter__(self) -> AsyncIterator[Result]:
        async for results in self.pages.onwards():
            for result in results:
                yield result

    async def _page(self) -> AsyncResultPage:
        return AsyncResultPage(await self.pages.first(), self.pages)
