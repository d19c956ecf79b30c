"""The formats of datasets, and which of them a file is written in; a new one is a file here and a line in the table."""

from pathlib import PurePosixPath
from typing import Final, NamedTuple

from evalbus.datasets.arrow import Arrow
from evalbus.datasets.base import FileFormat
from evalbus.datasets.csv import Csv, Tsv
from evalbus.datasets.json import Json
from evalbus.datasets.jsonl import Jsonl
from evalbus.datasets.orc import Orc
from evalbus.datasets.parquet import Parquet
from evalbus.errors import Invalid
from evalbus.registry import Table

PACKED = ".gz"

FORMATS: Final = Table[FileFormat](
    kind="dataset format",
    group="evalbus.datasets",
    base=FileFormat,
    builtin={
        "arrow": Arrow,
        "csv": Csv,
        "feather": Arrow,
        "json": Json,
        "jsonl": Jsonl,
        "ndjson": Jsonl,
        "orc": Orc,
        "parquet": Parquet,
        "tsv": Tsv,
    },
)


class Written(NamedTuple):
    """How a file is written."""

    format: FileFormat
    is_packed: bool


def how_written(name: str, stated: str | None, *, where: str) -> Written:
    """By the format that the dataset states, else by the file's extension; either may end in `.gz`.

    Raises Invalid that begins with `where`.
    """
    plain = name.lower().removesuffix(PACKED)
    extension = PurePosixPath(plain).suffix.removeprefix(".")
    wanted = extension if stated is None else stated.lower().removesuffix(PACKED)
    if not wanted:
        raise Invalid(
            f"{where}: the name does not say how the file is written: give the dataset a format (known: {', '.join(FORMATS.known())})",
            {"wanted": FORMATS.kind, "found": None, "known": list(FORMATS.known())},
        )
    kind = FORMATS.find(wanted, where=where)
    try:
        found = kind()
    except Invalid as error:
        raise Invalid(f"{where}: {error.message}", error.data) from None
    is_packed = any(text.lower().endswith(PACKED) for text in (name, stated or ""))
    if is_packed and found.packs_itself:
        raise Invalid(f"{where}: {wanted} is compressed by itself: unpack the {PACKED} first")
    return Written(found, is_packed)


def is_known(name: str) -> bool:
    """Whether a file of this name is written in some format, to judge by its extension."""
    extension = PurePosixPath(name.lower().removesuffix(PACKED)).suffix.removeprefix(".")
    return extension in FORMATS.known()
