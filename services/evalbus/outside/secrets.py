"""Secrets by name: where their values lie, and which hosts they may be sent to."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from evalbus.errors import Invalid, NotAllowed, NotFound, WrongSettings
from evalbus.outside.secret_names import SecretName as SecretName
from evalbus.outside.secret_names import check_secret_name
from evalbus.settings import PREFIX, Settings

FOLDER = Path("/run/secrets")
VARIABLE_PREFIX = f"{PREFIX}SECRET_"
BOUND_VARIABLE = f"{PREFIX}BOUND_SECRETS"

VALUE_CHARACTERS_MAX = 16 * 1024
FILE_BYTES_MAX = 4 * VALUE_CHARACTERS_MAX

HOST_PATTERN = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*)|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A host, and its port unless any will do."""

    host: str
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        return self.host == _plain(host) and self.port in (None, port)

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


Bindings = Mapping[str, tuple[Destination, ...]]


class Secrets:
    """The secrets of this process, read anew each time: whoever replaces one need not restart anything."""

    def __init__(
        self,
        *,
        bindings: Bindings | None = None,
        is_embedded: bool = False,
        folder: Path = FOLDER,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._bindings = bindings or {}
        self._is_embedded = is_embedded
        self._folder = folder
        self._environment = environment

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises WrongSettings when the bindings make no sense."""
        return cls(
            bindings=parse_bindings(settings.bound_secrets), is_embedded=settings.is_embedded
        )

    def find(self, name: str, *, host: str, port: int) -> SecretStr:
        """The value of a secret that is to be sent to a host.

        Raises NotAllowed when it is bound to others or its name is the system's, NotFound when it is not set, with
        the places where it was looked for, and Invalid when what lies there is no secret.
        """
        try:
            check_secret_name(name)
        except ValueError as error:
            raise NotAllowed(f"secret {name[:63]!r}: {error}") from None
        self._check_binding(name, host, port)
        value = self._file(name)
        if value is None:
            value = next((v for place in self._variables(name) if (v := self._variable(place))), "")
        value = value.strip()
        if not value:
            raise self._missing(name)
        if len(value) > VALUE_CHARACTERS_MAX:
            raise Invalid(f"secret {name} has more than {VALUE_CHARACTERS_MAX} characters")
        return SecretStr(value)

    def _check_binding(self, name: str, host: str, port: int) -> None:
        bound = self._bindings.get(name)
        if bound is not None and not any(place.covers(host, port) for place in bound):
            shown = ", ".join(map(str, bound))
            raise NotAllowed(
                f"secret {name} may be sent to {shown} only, not to {host}:{port} (see {BOUND_VARIABLE})",
                {"wanted": shown, "found": f"{host}:{port}"},
            )

    def _file(self, name: str) -> str | None:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise NotFound(f"secret {name}: {path} cannot be read: {error.strerror}") from None
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise Invalid(f"secret {name}: {path} is not text") from None

    def _variables(self, name: str) -> tuple[str, ...]:
        # Alone in its process, evalbus belongs to whoever wrote the benchmark, and so do its variables.
        return (VARIABLE_PREFIX + name, name) if self._is_embedded else (VARIABLE_PREFIX + name,)

    def _variable(self, variable: str) -> str:
        return self._environment.get(variable, "").strip()

    def _missing(self, name: str) -> NotFound:
        places = [str(self._folder / name), *self._variables(name)]
        return NotFound(
            f"secret {name} is not set (looked for {', '.join(places)})",
            {"wanted": name, "known": list(places)},
        )


def parse_bindings(text: str) -> Bindings:
    """`NAME=host[:port],host; NAME2=…`; raises WrongSettings, which never repeats what stands there.

    Somebody may have written a value where a host belongs.
    """
    bindings: dict[str, tuple[Destination, ...]] = {}
    for number, entry in enumerate((part for part in text.split(";") if part.strip()), start=1):
        name, sign, hosts = (part.strip() for part in entry.partition("="))
        if not sign or not hosts:
            raise _wrong(number, "wanted NAME=host[:port],host")
        try:
            check_secret_name(name)
        except ValueError as error:
            raise _wrong(number, str(error)) from None
        if name in bindings:
            raise _wrong(number, "its secret was bound before")
        bindings[name] = tuple(_destination(host.strip(), number) for host in hosts.split(","))
    return bindings


def _destination(text: str, number: int) -> Destination:
    match = HOST_PATTERN.fullmatch(text)
    if match is None:
        raise _wrong(number, "wanted host or host:port, without http:// and paths")
    port = None if match[2] is None else int(match[2])
    if port is not None and not 1 <= port <= 65535:
        raise _wrong(number, "there is no such port")
    return Destination(host=_plain(match[1]), port=port)


def _plain(host: str) -> str:
    return host.lower().removesuffix(".").removeprefix("[").removesuffix("]")


def _wrong(number: int, why: str) -> WrongSettings:
    return WrongSettings(f"{BOUND_VARIABLE}: entry {number}: {why}")
