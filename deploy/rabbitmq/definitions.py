"""Writes definitions.json: the topology, and a RabbitMQ user for each process with no more rights than it needs.

    python deploy/rabbitmq/definitions.py

Made from evalbus.bus.topology, so that the broker can stand ready before any of ours has connected to it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from evalbus.bus.rabbitmq.declare import queue_arguments, tier_arguments
from evalbus.bus.topology import (
    ANSWERS_ASKED,
    ANSWERS_QUEUE,
    COMMANDS,
    DEAD,
    DEAD_QUEUE,
    EVENTS,
    EXCHANGES,
    MARKER,
    PROGRESS_QUEUE,
    QUEUES,
    RETURN,
    RPC,
    RPC_COMMANDS,
    RPC_QUERIES,
    SCORED,
    SCORED_QUEUE,
    START_QUEUE,
    TIERS,
    WORK,
    WORK_LIVE,
    WORK_RECORDED,
)

FILE = Path(__file__).with_name("definitions.json")
VHOST = "/"
# Queues that a client makes for itself: for answers, and for the events it listens to.
OWN_QUEUES = ("amq_[0-9a-f]{32}", r"amq\.gen-.*", r"evalbus\.reply\..*")
# Replies go through the default exchange, which reaches every queue: only who answers questions may write to it.
DEFAULT_EXCHANGE = "amq.default"
# Where every consumer puts what it could not handle.
DETOURS = (DEAD.name, *(tier.name for tier in TIERS))

JsonDict = dict[str, object]


def definitions() -> JsonDict:
    """What the management API and `load_definitions` import. Users have no password until they are given one."""
    return {
        "vhosts": [{"name": VHOST}],
        "users": [
            {"name": name, "password_hash": "", "tags": []}
            for name in ("evalbus-migrate", *_rights())
        ],
        "permissions": [
            _permission("evalbus-migrate", *[r"^evalbus\..*$"] * 3),
            *(
                _permission(user, *(_one_of(names) for names in rights))
                for user, rights in _rights().items()
            ),
        ],
        "exchanges": [
            *(_exchange(each.name, each.type) for each in EXCHANGES),
            *(_exchange(tier.name, "fanout") for tier in TIERS),
        ],
        "queues": [
            *(_queue(each.name, dict(queue_arguments(each))) for each in QUEUES),
            *(_queue(tier.name, dict(tier_arguments(tier))) for tier in TIERS),
        ],
        "bindings": [
            *(_binding(each.exchange.name, each.name, each.key) for each in QUEUES),
            *(_binding(RETURN.name, each.name, each.name) for each in QUEUES),
            *(_binding(tier.name, tier.name, "") for tier in TIERS),
        ],
    }


def _rights() -> dict[str, tuple[Sequence[str], Sequence[str], Sequence[str]]]:
    """What each user may configure, write and read."""
    literal = re.escape
    return {
        "evalbus-producer": (
            # Whoever finds the marker missing puts it back, after telling the database that the broker is empty.
            [literal(MARKER)],
            [*map(literal, (WORK.name, EVENTS.name, DEFAULT_EXCHANGE, *DETOURS))],
            [*map(literal, (START_QUEUE.name, RPC_COMMANDS.name))],
        ),
        "evalbus-evaluator": (
            [],
            [*map(literal, (SCORED.name, *DETOURS))],
            [*map(literal, (WORK_RECORDED.name, WORK_LIVE.name))],
        ),
        "evalbus-results": (
            [literal(MARKER)],
            [*map(literal, (EVENTS.name, DEFAULT_EXCHANGE, *DETOURS))],
            [
                *map(
                    literal,
                    (
                        SCORED_QUEUE.name,
                        PROGRESS_QUEUE.name,
                        ANSWERS_QUEUE.name,
                        ANSWERS_ASKED.name,
                        RPC_QUERIES.name,
                        DEAD_QUEUE.name,
                    ),
                )
            ],
        ),
        "evalbus-client": (
            OWN_QUEUES,
            [*map(literal, (RPC.name, COMMANDS.name)), *OWN_QUEUES],
            [literal(EVENTS.name), *OWN_QUEUES],
        ),
    }


def _one_of(patterns: Iterable[str]) -> str:
    patterns = tuple(patterns)
    if not patterns:
        return "^$"
    return f"^({'|'.join(patterns)})$"


def _permission(user: str, configure: str, write: str, read: str) -> JsonDict:
    return {"user": user, "vhost": VHOST, "configure": configure, "write": write, "read": read}


def _exchange(name: str, kind: str) -> JsonDict:
    return {
        "name": name,
        "vhost": VHOST,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _queue(name: str, arguments: JsonDict) -> JsonDict:
    return {
        "name": name,
        "vhost": VHOST,
        "durable": True,
        "auto_delete": False,
        "arguments": arguments,
    }


def _binding(exchange: str, queue: str, key: str) -> JsonDict:
    return {
        "source": exchange,
        "vhost": VHOST,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
    }


def as_text() -> str:
    return json.dumps(definitions(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text())
