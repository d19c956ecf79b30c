"""The connections of an aiohttp session, none of them to an address that may not be reached."""

import errno
import socket
from functools import partial
from typing import Any

from aiohttp import TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from evalbus.errors import NotAllowed
from evalbus.outside.addresses import check_address

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""What `getaddrinfo` gives: family, kind, protocol, name, and the address itself."""


def guarded_connector(
    *, allow_private: bool, resolver: AbstractResolver | None = None
) -> TCPConnector:
    """Resolves once and connects to what was checked; to be made inside of a running loop.

    A name with any address that may not be reached is NotAllowed. An address that stands in the URL itself is not
    resolved, so it is checked as its socket is made (PermissionError inside of a ClientConnectorError); `check_url`
    beforehand says it better. `resolver` stands in for the system's.
    """
    # How many connections there are is up to whoever calls; waiting in here would count as the endpoint's time.
    return TCPConnector(
        limit=0,
        resolver=GuardedResolver(resolver or ThreadedResolver(), allow_private=allow_private),
        socket_factory=partial(_guarded_socket, allow_private=allow_private),
    )


class GuardedResolver(AbstractResolver):
    """Another resolver's answers, refused as a whole if one address in them is."""

    def __init__(self, resolver: AbstractResolver, *, allow_private: bool) -> None:
        self._resolver = resolver
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises NotAllowed, or OSError when the host has no address."""
        found = await self._resolver.resolve(host, port, family)
        for entry in found:
            check_address(host, entry["host"], allow_private=self._allow_private)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _guarded_socket(info: AddressInfo, *, allow_private: bool) -> socket.socket:
    """The last word on every connection, wherever its address came from."""
    family, kind, protocol, _, place = info
    address = str(place[0])
    try:
        check_address(address, address, allow_private=allow_private)
    except NotAllowed as refusal:
        raise PermissionError(errno.EACCES, refusal.message) from None
    return socket.socket(family=family, type=kind, proto=protocol)
