"""Asking evalbus from Python: `AsyncClient`, and `Client` for code without an event loop."""

from evalbus.client.asynchronous import AsyncClient
from evalbus.client.benchmark_file import load_benchmark
from evalbus.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "load_benchmark"]
