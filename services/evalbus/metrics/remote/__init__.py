"""Metrics that are somebody else's service: behind an endpoint or behind a queue."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.remote.amqp import Amqp
from evalbus.metrics.remote.remote import Remote

REMOTE: Final[dict[str, type[Metric]]] = {
    "amqp": Amqp,
    "remote": Remote,
}
