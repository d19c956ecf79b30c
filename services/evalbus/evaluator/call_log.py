"""Keeping request logs within the room there is for them: what was asked last is worth most."""

from collections.abc import Sequence

import orjson

from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Asked


def cut_log(requests: Sequence[JsonObject], *, bytes_max: int) -> tuple[JsonObject, ...]:
    """The latest of them that fit together."""
    kept: list[JsonObject] = []
    room = bytes_max
    for entry in reversed(requests):
        room -= _size(entry)
        if room < 0:
            break
        kept.append(entry)
    return tuple(reversed(kept))


def cut_logs(rows: Sequence[Asked], *, bytes_max: int) -> tuple[Asked, ...]:
    """Every row with its log, cut so that all logs together fit; short ones leave their room to the others."""
    sizes = [sum(_size(entry) for entry in asked.requests) for asked in rows]
    if sum(sizes) <= bytes_max:
        return tuple(rows)
    kept = list(rows)
    room = max(bytes_max, 0)
    for place, row in enumerate(sorted(range(len(rows)), key=sizes.__getitem__)):
        share = room // (len(rows) - place)
        if sizes[row] > share:
            requests = cut_log(rows[row].requests, bytes_max=share)
            kept[row] = rows[row].model_copy(update={"requests": requests})
        room -= min(sizes[row], share)
    return tuple(kept)


def _size(entry: JsonObject) -> int:
    return len(orjson.dumps(entry)) + 1
