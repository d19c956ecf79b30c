"""What a type in a benchmark file stands for: built-in tables, and entry points of other people's packages."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Generic, TypeVar, cast

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from evalbus.errors import Invalid, unknown
from evalbus.templates import Template
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.chunks import RowLimits


class PlugIn(ABC):
    """What is built from a name, a type and the parameters that the type declares."""

    Parameters: ClassVar[type[BaseModel]]
    """What may be written beside name and type; a Closed model."""

    @abstractmethod
    def __init__(self, parameters: Any, limits: RowLimits) -> None:
        """Made ready for any number of rows from an instance of `Parameters`; raises Invalid."""

    @abstractmethod
    def templates(self) -> Mapping[str, Template]:
        """Its templates by the parameter that holds them, so that a benchmark can be checked unrun."""


T = TypeVar("T")
P = TypeVar("P", bound=PlugIn)


@dataclass(frozen=True, kw_only=True)
class Table(Generic[T]):
    """The types of one kind by name; a built-in one cannot be replaced from outside."""

    kind: str
    group: str
    base: type
    builtin: Mapping[str, type[T]]

    def find(self, name: str, *, where: str = "") -> type[T]:
        """The class that a name stands for; raises Invalid, with the nearest known name."""
        found = self.builtin.get(name)
        if found is not None:
            return found
        for point in entry_points(group=self.group, name=name):
            return self._load(point, where)
        raise unknown(self.kind, name, self.known(), where=where)

    def known(self) -> list[str]:
        return sorted({*self.builtin, *(point.name for point in entry_points(group=self.group))})

    def _load(self, point: EntryPoint, where: str) -> type[T]:
        place = f"{where}: " if where else ""
        try:
            found: object = point.load()
        except (Exception, SystemExit) as error:
            # Importing runs a stranger's code; whatever that raises, the benchmark cannot run here.
            raise Invalid(
                f"{place}{self.kind} {point.name!r} ({point.value}) cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        if isinstance(found, type) and issubclass(found, self.base):
            return cast("type[T]", found)
        raise Invalid(
            f"{place}{self.kind} {point.name!r} ({point.value}) is no {self.base.__name__}"
        )


def build(table: Table[P], plugin: Plugin, *, limits: RowLimits, where: str) -> P:
    """The plug-in with its parameters checked; raises Invalid that begins with `where`."""
    found = table.find(plugin.type, where=where)
    try:
        parameters = found.Parameters.model_validate_json(orjson.dumps(plugin.parameters))
    except orjson.JSONEncodeError as error:
        # An integer of more than 64 bits, half a character, a hundred levels and more.
        raise Invalid(f"{where}: parameters that cannot be kept: {error}") from None
    except ValidationError as error:
        raise _refusal(error, found.Parameters, where) from None
    try:
        return found(parameters, limits)
    except Invalid as error:
        raise Invalid(f"{where}: {error.message}", error.data) from None
    except (Exception, SystemExit) as error:
        # Building runs a stranger's code as well.
        raise Invalid(f"{where}: cannot be built: {type(error).__name__}: {error}") from error


def _refusal(error: ValidationError, model: type[BaseModel], where: str) -> Invalid:
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    problems = error.errors(include_input=False, include_url=False)
    said = "; ".join(_in_words(problem, known) for problem in problems)
    return Invalid(f"{where}: {said}", {"wanted": "parameters", "known": list(known)})


def _in_words(problem: ErrorDetails, known: list[str]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden" or len(problem["loc"]) > 1:
        said = problem["msg"].removeprefix("Value error, ")
        return f"{place}: {said}" if place else said
    near = get_close_matches(place, known, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown parameter {place!r}{guess} (known: {', '.join(known) or 'none'})"
