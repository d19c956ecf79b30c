"""Ports that are free now and that no outgoing connection will take while a server is restarted."""

import random
import socket

# Below the range from which Linux and macOS take the ports of outgoing connections.
LOWEST, HIGHEST = 20_000, 32_000
ATTEMPTS_MAX = 500


def free_ports(count: int) -> tuple[int, ...]:
    """Different from one another; raises OSError when none can be found."""
    found: list[int] = []
    for _ in range(ATTEMPTS_MAX):
        if len(found) == count:
            return tuple(found)
        port = random.randrange(LOWEST, HIGHEST)
        if port not in found and _is_free(port):
            found.append(port)
    raise OSError(f"wanted {count} free ports between {LOWEST} and {HIGHEST}, found {len(found)}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
