"""Calls of tools as models write them, read into a form in which equal calls are equal."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from evalbus.metrics.checks.json_text import NotJson, json_of
from evalbus_schemas.base import JsonObject

CALLS_MAX = 256


class NoCalls(ValueError):
    """What is no list of calls; says why."""


@dataclass(frozen=True)
class Call:
    """A tool with its arguments: their JSON by name, in one spelling for equal values."""

    name: str
    arguments: tuple[tuple[str, str], ...]

    @cached_property
    def given(self) -> frozenset[tuple[str, str]]:
        return frozenset(self.arguments)


def calls_in(value: JsonValue) -> list[Call]:
    """The calls of a response, a message, a list of calls, one call, or the JSON text of any; raises NoCalls.

    A response or message of OpenAI's shape without `tool_calls` has none.
    """
    if isinstance(value, str):
        value = _parsed(value, "the calls are")
    found = _listed(value)
    if len(found) > CALLS_MAX:
        raise NoCalls(f"more than {CALLS_MAX} calls")
    return [_call(each) for each in found]


def _listed(value: JsonValue) -> Sequence[JsonValue]:
    match value:
        case list():
            return value
        case {"choices": [{"message": dict(message)}, *_]} | {"message": dict(message)}:
            return _listed_in_message(message)
        case dict() if "tool_calls" in value or "role" in value:
            return _listed_in_message(value)
        case {"name": str()} | {"function": dict()}:
            return [value]
        case _:
            raise NoCalls("there is no list of calls, no message and no response with one")


def _listed_in_message(message: JsonObject) -> Sequence[JsonValue]:
    found = message.get("tool_calls")
    if found is None:
        return []
    if not isinstance(found, list):
        raise NoCalls("tool_calls is no list")
    return found


def _call(value: JsonValue) -> Call:
    match value:
        case {"function": dict(function)}:
            return _call(function)
        case dict() if isinstance(name := value.get("name"), str):
            arguments = _arguments(value.get("arguments"), name)
            written = ((key, _written(each)) for key, each in arguments.items())
            return Call(name, tuple(sorted(written)))
        case _:
            raise NoCalls("a call has no function with a name")


def _arguments(value: JsonValue, name: str) -> JsonObject:
    """Models write an object as JSON in a text; of a call without arguments some write nothing."""
    if isinstance(value, str):
        value = _parsed(value, f"the arguments of {name!r} are") if value.strip() else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NoCalls(f"the arguments of {name!r} are no object")
    return value


def _parsed(text: str, what: str) -> JsonValue:
    try:
        return json_of(text)
    except NotJson as error:
        raise NoCalls(f"{what} no JSON: {error}") from None


def _written(value: JsonValue) -> str:
    """The same text for equal values: 1 and 1.0 are one number, true is none."""
    return json.dumps(_whole_numbers_as_integers(value), sort_keys=True, separators=(",", ":"))


def _whole_numbers_as_integers(value: JsonValue) -> JsonValue:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_whole_numbers_as_integers(each) for each in value]
        case dict():
            return {key: _whole_numbers_as_integers(each) for key, each in value.items()}
        case _:
            return value
