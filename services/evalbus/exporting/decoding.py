"""A datapoint out of its line."""

import json
from dataclasses import dataclass
from typing import Any, cast

import orjson

from evalbus.characters import whole

TO_ZEROES = bytes.maketrans(b"123456789", b"0" * 9)
LONG_INTEGER = b"0" * 19
"""What may not fit into 64 bits, and would come out of the quicker reader as a rounded float."""


@dataclass(frozen=True, slots=True)
class Datapoint:
    """A row of a dataset with all answers and scores, as the contract has it (`DatapointPage`)."""

    place: tuple[str, str, int, str]
    """Its `x_uid`, `dataset`, `row_index` and `row_id`."""
    item: dict[str, Any]
    samples: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    slices: list[str]


def datapoint(line: bytes) -> Datapoint:
    found = _decoded(line)
    return Datapoint(
        place=(found["x_uid"], found["dataset"], found["row_index"], found["row_id"]),
        item=found["item"],
        samples=found["samples"],
        scores=found["scores"],
        slices=found["slice_membership"],
    )


def _decoded(line: bytes) -> dict[str, Any]:
    if LONG_INTEGER not in line.translate(TO_ZEROES):
        try:
            return cast("dict[str, Any]", orjson.loads(line))
        except orjson.JSONDecodeError:
            # Halves of characters and numbers beyond a double: JSON allows both.
            pass
    text = json.dumps(json.loads(line, parse_int=_integer), ensure_ascii=False)
    return cast("dict[str, Any]", json.loads(whole(text)))


def _integer(digits: str) -> int | str:
    """Of more digits than Python makes a number of: the digits."""
    try:
        return int(digits)
    except ValueError:
        return digits
