"""Between the socket and the library: what it must not choke on, and what it does not pass on.

A stranger's header must not end the connection of everybody else.

The library decodes headers while it reads the connection, and what it cannot decode (a table nested some hundred
times, a time in the year 300,000, a message id that is no UTF-8) ends the connection. The message would come again,
and end the next one. And when the broker refuses a connection after the login, it says why, and the library does not.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import aio_pika
import pamqp.frame
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp import constants
from pamqp.commands import Basic, Connection
from pamqp.common import FieldTable, FieldValue
from pamqp.header import ContentHeader
from yarl import URL

UNREADABLE: Final = "evalbus-unreadable"
"""The only header of a message whose own ones could not be read."""
DEPTH_MAX = 16


class GuardedConnection(aio_pika.Connection):
    """A plain connection that every message header passes through `readable` on."""

    def __init__(self, url: URL, *, client_properties: FieldTable) -> None:
        super().__init__(url, client_properties=client_properties)
        self._transport_factory = _GuardedTransport()
        self.kwargs["transport_factory"] = self._transport_factory

    @property
    def last_words(self) -> str:
        """Why the broker closed the connection, as it said it."""
        reader = self._transport_factory.reader
        return reader.last_words if reader is not None else ""


class _GuardedTransport(TransportFactory):
    def __init__(self) -> None:
        self.reader: _GuardedReader | None = None

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        plain = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await plain.create(url, **kwargs)
        self.reader = _GuardedReader(reader)
        return self.reader, writer


class _GuardedReader(asyncio.StreamReader):
    """Reads frame by frame, in the three steps in which the library does: one byte, six bytes, the rest."""

    def __init__(self, source: asyncio.StreamReader) -> None:
        super().__init__()
        self.last_words = ""
        self._source = source
        self._held = b""
        self._is_within = False

    def at_eof(self) -> bool:
        return not self._held and self._source.at_eof()

    async def read(self, n: int = -1) -> bytes:
        return await self._source.read(n)

    async def readexactly(self, n: int) -> bytes:
        if not self._held:
            if self._is_within:
                self._is_within = False
                return await self._source.readexactly(n)
            await self._begin_frame()
        part, self._held = self._held[:n], self._held[n:]
        return part

    async def _begin_frame(self) -> None:
        head = await self._source.readexactly(constants.FRAME_HEADER_SIZE)
        if head[0] not in (constants.FRAME_METHOD, constants.FRAME_HEADER):
            self._held = head
            self._is_within = True
            return
        payload = await self._source.readexactly(int.from_bytes(head[3:7], "big") + 1)
        if head[0] == constants.FRAME_HEADER:
            self._held = readable(head, payload)
            return
        if payload.startswith(_CONNECTION_CLOSE):
            self.last_words = payload[7 : 7 + payload[6]].decode(errors="replace")
        self._held = head + payload


_CONNECTION_CLOSE: Final = Connection.Close.index.to_bytes(4, "big")


def readable(head: bytes, payload: bytes) -> bytes:
    """The content header frame as it came, or one that says no more than how long the body is."""
    # Whatever goes wrong here would go wrong in the library, where it costs the connection.
    with suppress(Exception):
        header = ContentHeader()
        header.unmarshal(payload[:-1])
        if not _is_deeper(header.properties.headers, DEPTH_MAX):
            return head + payload
    replacement = ContentHeader(
        body_size=int.from_bytes(payload[4:12], "big"),
        properties=Basic.Properties(headers={UNREADABLE: True}),
    )
    return pamqp.frame.marshal(replacement, int.from_bytes(head[1:3], "big"))


def _is_deeper(value: FieldValue | FieldTable, depth: int) -> bool:
    match value:
        case dict():
            inner = list(value.values())
        case list():
            inner = value
        case _:
            return False
    return depth == 0 or any(_is_deeper(each, depth - 1) for each in inner)
