"""Datasets: rows from wherever they lie, in whatever format, in an order that never changes."""

from pathlib import Path

from evalbus.datasets.base import (
    Content,
    DatasetReader,
    FileFormat,
    FileMark,
    Fingerprint,
    ItemRow,
    Position,
    Record,
)
from evalbus.datasets.files import FilesReader, SourceFile
from evalbus.datasets.first_rows import TemplateUse, check_first_rows, template_uses
from evalbus.datasets.formats import FORMATS, how_written
from evalbus.datasets.inline import InlineReader
from evalbus.datasets.row_id import row_id_from
from evalbus.datasets.shaping import Shape, shape_from
from evalbus.datasets.sources import Found, Sources, find_contents
from evalbus.errors import Invalid, Refused
from evalbus_schemas.benchmark import Dataset
from evalbus_schemas.chunks import RowLimits


def open_dataset(
    dataset: Dataset,
    *,
    sources: Sources | None = None,
    roots: tuple[Path, ...] | None = (),
    base: Path | None = None,
    limits: RowLimits | None = None,
    position: Position | None = None,
) -> DatasetReader:
    """A reader of the dataset's rows behind `position`.

    `sources` says from where it may be read; `roots` and `base` are short for sources with nothing but them. Raises
    NotFound, NotAllowed, Invalid or OverLimit that begins with the dataset's name. Remote sources are looked up here.
    """
    where = f"dataset {dataset.name!r}"
    start = position or Position()
    row_bytes = (limits or RowLimits()).row_bytes
    try:
        row_id = row_id_from(dataset.id)
    except Invalid as error:
        raise Invalid(f"{where}, id: {error.message}", error.data) from None
    try:
        shape = shape_from(dataset.fields, typed=dataset.typed)
        if dataset.source is None:
            return InlineReader(
                dataset.rows or (),
                shape=shape,
                row_id=row_id,
                row_bytes=row_bytes,
                position=start,
            )
        allowed = sources or Sources(roots=roots, base=base)
        contents = find_contents(dataset, allowed)
    except Refused as refusal:
        raise type(refusal)(f"{where}: {refusal.message}", refusal.data) from None
    files = [
        _source_file(found, dataset, shape=shape, unpacked_bytes_max=allowed.unpacked_bytes_max)
        for found in contents
    ]
    return FilesReader(files, row_id=row_id, row_bytes=row_bytes, position=start)


def _source_file(
    found: Found, dataset: Dataset, *, shape: Shape | None, unpacked_bytes_max: int
) -> SourceFile:
    where = f"dataset {dataset.name!r}, {found.content.shown}"
    written = how_written(found.name, dataset.format, where=where)
    if shape is not None and not written.format.cells_are_text:
        shape = shape.without_types()
    return SourceFile(
        content=found.content,
        format=written.format,
        is_packed=written.is_packed,
        unpacked_bytes_max=unpacked_bytes_max,
        shape=shape,
    )


__all__ = [
    "FORMATS",
    "Content",
    "DatasetReader",
    "FileFormat",
    "FileMark",
    "Fingerprint",
    "ItemRow",
    "Position",
    "Record",
    "Sources",
    "TemplateUse",
    "check_first_rows",
    "open_dataset",
    "template_uses",
]
