"""A YAML 1.2 or JSON file as plain JSON values: nothing else gets in, and nothing is changed on the way."""

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from evalbus.errors import Invalid

T = TypeVar("T")

FILE_BYTES_MAX = 8 * 1024 * 1024
DEPTH_MAX = 100
VALUES_MAX = 1_000_000
"""More values than this can only come from aliases that multiply."""


def read_document(path: Path) -> JsonValue:
    """The content of the file; raises Invalid with file, line and column."""
    text = _text_of(path)
    return _checked(_json(text, path) if path.suffix == ".json" else _yaml(text, path), path)


def read_documents(path: Path) -> list[JsonValue]:
    """Each document of the file, of which YAML may have several; one with nothing in it is none."""
    text = _text_of(path)
    found = [_json(text, path)] if path.suffix == ".json" else _all_yaml(text, path)
    return [_checked(each, path) for each in found if each is not None]


def _checked(found: object, path: Path) -> JsonValue:
    _Checker(path.name).check(found)
    return cast(JsonValue, found)


def _text_of(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise Invalid(
                f"{path}: {size} bytes are more than the {FILE_BYTES_MAX} that are allowed"
            )
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Invalid(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"{path.name}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None


class _PlainConstructor(SafeConstructor):
    """Dates stay the text that was written: JSON has no dates, and rewriting them would change the data."""


# ruamel.yaml is typed in part; what it leaves open stays in this file.
_constructor: Any = _PlainConstructor
_constructor.add_constructor("tag:yaml.org,2002:timestamp", _constructor.construct_yaml_str)


def _yaml(text: str, path: Path) -> object:
    return _loaded(path, lambda yaml: cast(object, yaml.load(text)))


def _all_yaml(text: str, path: Path) -> list[object]:
    return _loaded(path, lambda yaml: list(cast("Iterable[object]", yaml.load_all(text))))


def _loaded(path: Path, load: Callable[[Any], T]) -> T:
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.Constructor = _PlainConstructor
    try:
        return load(yaml)
    except MarkedYAMLError as error:
        raise Invalid(_where(error, path.name)) from None
    except (YAMLError, ValueError) as error:
        raise Invalid(f"{path.name}: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise Invalid(f"{path.name}: nested too deep") from None


def _where(error: Any, name: str) -> str:
    mark = error.problem_mark
    place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
    problem = str(error.problem or "not YAML").splitlines()[0]
    return f"{name}{place}: {problem}"


def _json(text: str, path: Path) -> object:
    def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise Invalid(f"{path.name}: the key {key!r} is there twice")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=no_doubles)
    except json.JSONDecodeError as error:
        raise Invalid(f"{path.name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except RecursionError:
        raise Invalid(f"{path.name}: nested too deep") from None


class _Checker:
    """Walks a document once; counts what it sees."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values = 0

    def check(self, value: object, place: tuple[str, ...] = ()) -> None:
        self._values += 1
        if len(place) > DEPTH_MAX or self._values > VALUES_MAX:
            raise Invalid(f"{self._name}: too large, or an alias that contains itself")
        match value:
            case None | bool() | int() | str():
                return
            case float():
                if not math.isfinite(value):
                    raise self._refusal(place, f"{value} is not a number that JSON has")
            case list():
                for number, entry in enumerate(cast(list[object], value)):
                    self.check(entry, (*place, str(number)))
            case dict():
                for key, entry in cast(dict[object, object], value).items():
                    if not isinstance(key, str):
                        raise self._refusal(place, f"the key {key!r} is not text; put it in quotes")
                    self.check(entry, (*place, key))
            case _:
                kind = type(value).__name__
                raise self._refusal(place, f"a {kind} cannot be written as JSON")

    def _refusal(self, place: tuple[str, ...], problem: str) -> Invalid:
        return Invalid(f"{self._name}: {'.'.join(place) or 'top level'}: {problem}")
