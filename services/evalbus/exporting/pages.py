"""The pages of datapoints that a file is written from."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from evalbus.exporting.ahead import AskForPage, asked_ahead
from evalbus_schemas.exports import DatapointPage


async def datapoint_pages(ask: AskForPage) -> AsyncGenerator[DatapointPage]:
    """Every page with whole datapoints only. Three pages are held at a time, or one datapoint if it is larger."""
    held: list[DatapointPage] = []
    async with aclosing(asked_ahead(ask)) as pages:
        async for page in pages:
            held.append(page)
            if page.lines.endswith("\n") or page.next is None:
                yield _joined(held) if len(held) > 1 else page
                held.clear()


def _joined(pieces: list[DatapointPage]) -> DatapointPage:
    """A datapoint that is larger than a page comes in pieces; the last of them says what comes next."""
    whole = {
        "head": pieces[0].head,
        "lines": "".join(piece.lines for piece in pieces),
        "count": sum(piece.count for piece in pieces),
    }
    return pieces[-1].model_copy(update=whole)
