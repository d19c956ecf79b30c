"""Pages are asked for before their turn, the second next on a guess where the next will end: asking takes as long as using."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from evalbus_schemas.exports import DATAPOINTS_MAX, DatapointPage

AskForPage = Callable[[str | None, int], Awaitable[DatapointPage]]
"""From the cursor of a page (None: the first) and how many datapoints it may have at most, to that page."""

UNDER_WAY_MAX = 2
ROOM = 0.8
"""Of a full page, what is asked for: rows differ in size, and a page that has to end early makes the guess wrong."""


@dataclass(frozen=True, kw_only=True)
class _Request:
    cursor: str
    datapoints_max: int
    answer: "asyncio.Future[DatapointPage]"

    @property
    def end(self) -> str | None:
        """Where the next page begins if this one has as many datapoints as it may; None inside of a large datapoint."""
        dataset, _, row = self.cursor.partition(".")
        return f"{dataset}.{int(row) + self.datapoints_max}" if row.isdecimal() else None


async def asked_ahead(ask: AskForPage) -> AsyncGenerator[DatapointPage]:
    """Every page as it was answered. Three are held at a time: the one that is used, and two that are asked for."""
    page = await ask(None, DATAPOINTS_MAX)
    largest = 0
    under_way: list[_Request] = []

    def request(cursor: str) -> _Request:
        rows_max = _rows_max(page, largest)
        # Not in a TaskGroup: whoever iterates may ask for each page from another task, as the synchronous client does.
        answer = asyncio.ensure_future(ask(cursor, rows_max))
        return _Request(cursor=cursor, datapoints_max=rows_max, answer=answer)

    try:
        while page.next is not None:
            largest = max(largest, len(page.lines))
            if not under_way or under_way[0].cursor != page.next:
                await _drop(under_way)
                under_way = [request(page.next)]
            while len(under_way) < UNDER_WAY_MAX and (guess := under_way[-1].end) is not None:
                under_way.append(request(guess))
            yield page
            page = await under_way.pop(0).answer
        yield page
    finally:
        await _drop(under_way)


def _rows_max(page: DatapointPage, largest: int) -> int:
    """As many as fill most of a page if they are as large as those of this one."""
    if not page.count:
        return 1
    return min(max(int(ROOM * largest * page.count / len(page.lines)), 1), DATAPOINTS_MAX)


async def _drop(under_way: Sequence[_Request]) -> None:
    """What these say, or why they say nothing, is of no interest any more."""
    for request in under_way:
        request.answer.cancel()
    await asyncio.gather(*(request.answer for request in under_way), return_exceptions=True)
