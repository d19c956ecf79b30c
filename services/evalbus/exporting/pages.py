"""The pages of datapoints that a file is written from: each is asked for while the one before is written."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from evalbus_schemas.exports import DatapointPage

AskForPage = Callable[[str | None], Awaitable[DatapointPage]]
"""From the cursor of a page to that page; None: the first."""


async def datapoint_pages(ask: AskForPage) -> AsyncGenerator[DatapointPage]:
    """Every page with whole datapoints only. Two pages are held at a time, or one datapoint if it is larger."""
    held: list[DatapointPage] = []
    async with aclosing(_asked_ahead(ask)) as pages:
        async for page in pages:
            held.append(page)
            if page.lines.endswith("\n") or page.next is None:
                yield _joined(held) if len(held) > 1 else page
                held.clear()


async def _asked_ahead(ask: AskForPage) -> AsyncGenerator[DatapointPage]:
    page = await ask(None)
    while page.next is not None:
        # Not in a TaskGroup: whoever iterates may ask for each page from another task, as the synchronous client does.
        following = asyncio.ensure_future(ask(page.next))
        try:
            yield page
        except BaseException:
            # Left early: what the next page says, or why there is none, is of no interest any more.
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            raise
        page = await following
    yield page


def _joined(pieces: list[DatapointPage]) -> DatapointPage:
    """A datapoint that is larger than a page comes in pieces; the last of them says what comes next."""
    whole = {
        "head": pieces[0].head,
        "lines": "".join(piece.lines for piece in pieces),
        "count": sum(piece.count for piece in pieces),
    }
    return pieces[-1].model_copy(update=whole)
