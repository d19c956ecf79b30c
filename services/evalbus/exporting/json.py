"""A job as one JSON document; the datapoints go into it as they come, and are not decoded."""

from collections.abc import AsyncGenerator, AsyncIterator

from pydantic_core import to_json

from evalbus.exporting.heads import benchmark_metadata, execution_metadata, slices
from evalbus_schemas.exports import ExportHead


async def json(head: ExportHead, pages: AsyncIterator[str]) -> AsyncGenerator[bytes]:
    before = {
        "benchmark_metadata": benchmark_metadata(head),
        "execution_metadata": execution_metadata(head),
    }
    yield to_json(before)[:-1] + b',"data":['
    gap = "\n"
    async for lines in pages:
        if lines:
            yield (gap + lines[:-1].replace("\n", ",\n")).encode()
            gap = ",\n"
    yield b'\n],"slices":' + to_json(slices(head)) + b"}\n"
