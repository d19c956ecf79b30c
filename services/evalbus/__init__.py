"""A self-hosted evaluation service on RabbitMQ and Postgres."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalbus.client import AsyncClient as AsyncClient
    from evalbus.client import Client as Client

__all__ = ["AsyncClient", "Client"]  # given by __getattr__

_HOMES = {"AsyncClient": "evalbus.client", "Client": "evalbus.client"}


def __getattr__(name: str) -> object:
    # Looked up at first use: `evalbus --help` and a scoring child need no client and start faster without.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
