"""The formats of datasets; a new one is a file here and a line in the table."""

from pathlib import Path
from typing import Final

from evalbus.datasets.base import (
    DatasetReader,
    FileFormat,
    FileMark,
    Fingerprint,
    ItemRow,
    Position,
    Record,
)
from evalbus.datasets.csv import Csv
from evalbus.datasets.files import FilesReader, SourceFile
from evalbus.datasets.first_rows import TemplateUse, check_first_rows, template_uses
from evalbus.datasets.inline import InlineReader
from evalbus.datasets.jsonl import Jsonl
from evalbus.datasets.places import Place, find_files
from evalbus.datasets.row_id import row_id_from
from evalbus.errors import Invalid, Refused
from evalbus.registry import Table
from evalbus_schemas.benchmark import Dataset
from evalbus_schemas.chunks import RowLimits

FORMATS: Final = Table[FileFormat](
    kind="dataset format",
    group="evalbus.datasets",
    base=FileFormat,
    builtin={
        "csv": Csv,
        "jsonl": Jsonl,
        "ndjson": Jsonl,
    },
)


def open_dataset(
    dataset: Dataset,
    *,
    roots: tuple[Path, ...] | None,
    base: Path | None = None,
    limits: RowLimits | None = None,
    position: Position | None = None,
) -> DatasetReader:
    """A reader of the dataset's rows behind `position`.

    Files lie below `roots`; None means anywhere, a relative source then starts from `base` (by default the current
    folder). Raises NotFound, NotAllowed or Invalid that begins with the dataset's name.
    """
    where = f"dataset {dataset.name!r}"
    row_bytes = (limits or RowLimits()).row_bytes
    start = position or Position()
    try:
        row_id = row_id_from(dataset.id)
    except Invalid as error:
        raise Invalid(f"{where}, id: {error.message}", error.data) from None
    if dataset.source is None:
        rows = dataset.rows or ()
        return InlineReader(rows, row_id=row_id, row_bytes=row_bytes, position=start)
    try:
        places = find_files(dataset.source, roots=roots, base=base or Path.cwd())
    except Refused as refusal:
        raise type(refusal)(f"{where}: {refusal.message}", refusal.data) from None
    files = [_source_file(place, where) for place in places]
    return FilesReader(files, row_id=row_id, row_bytes=row_bytes, position=start)


def _source_file(place: Place, where: str) -> SourceFile:
    extension = place.path.suffix.removeprefix(".").lower()
    found = FORMATS.find(extension, where=f"{where}, {place.shown}")
    return SourceFile(path=place.path, shown=place.shown, format=found())


__all__ = [
    "FORMATS",
    "DatasetReader",
    "FileFormat",
    "FileMark",
    "Fingerprint",
    "ItemRow",
    "Position",
    "Record",
    "TemplateUse",
    "check_first_rows",
    "open_dataset",
    "template_uses",
]
