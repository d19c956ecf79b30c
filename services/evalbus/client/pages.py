"""Page after page until the end, or until the caller has enough."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from evalbus_schemas.queries import PAGE_SIZE_MAX

P = TypeVar("P")
T = TypeVar("T")

PAGE_SIZE = PAGE_SIZE_MAX
"""A page is cut by its bytes as well, so asking for many costs nothing."""


async def pages(
    ask: Callable[[str | None, int], Awaitable[P]],
    *,
    count: Callable[[P], int],
    cursor: Callable[[P], str | None],
    limit: int | None,
) -> AsyncIterator[P]:
    """Every page; the last asks for no more entries than the limit leaves. A page may be shorter than asked for."""
    after: str | None = None
    left = limit
    while left is None or left > 0:
        page = await ask(after, PAGE_SIZE if left is None else min(left, PAGE_SIZE))
        yield page
        if left is not None:
            left -= count(page)
        after = cursor(page)
        if after is None:
            return


async def entries(source: AsyncIterator[P], of: Callable[[P], Sequence[T]]) -> AsyncIterator[T]:
    async for page in source:
        for entry in of(page):
            yield entry
