"""A datapoint a line, as it comes."""

from collections.abc import AsyncGenerator, AsyncIterator

from evalbus_schemas.exports import ExportHead


async def jsonl(_: ExportHead, pages: AsyncIterator[str]) -> AsyncGenerator[bytes]:
    async for lines in pages:
        yield lines.encode()
