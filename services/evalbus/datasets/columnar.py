"""Rows out of columns: what parquet, orc and arrow have in common once a batch of them is read."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, cast

from pydantic import JsonValue

from evalbus.datasets.arrow_values import Convert, Inconvertible, conversion
from evalbus.datasets.base import UNDECODABLE, FileFormat, Position, Record
from evalbus.datasets.items import as_json
from evalbus.datasets.row_id import hash_id
from evalbus.errors import SourceBroken
from evalbus.extras import imported
from evalbus_schemas.base import JsonObject

EXTRA = "parquet"
SLICE_ROWS = 1024
SLICE_BYTES = 4 * 1024 * 1024
SAID_CHARACTERS_MAX = 300

CANNOT_BE_HAD = (ValueError, OverflowError, NotImplementedError)
"""What is raised for a value that has no counterpart in Python."""


class Batch(NamedTuple):
    """Some consecutive rows of a file, the first of them counted from 0."""

    first_row: int
    rows: Any
    """A pyarrow RecordBatch."""


class Columnar(FileFormat):
    """A position counts rows as its lines, and as its bytes the items that were made."""

    packs_itself = True

    def __init__(self) -> None:
        """Raises Invalid when the library is not installed."""
        self.pyarrow = imported("pyarrow", extra=EXTRA, what="reading columns")

    @abstractmethod
    def batches(self, file: Any, *, rows_before: int) -> Iterator[Batch]:
        """All rows but the first `rows_before`, of which some may be there; raises what pyarrow raises."""

    def records(
        self, file: BinaryIO, *, shown: str, after: Position, row_bytes: int
    ) -> Generator[Record]:
        pyarrow = self.pyarrow
        offset, row = after.offset, after.line
        batches = self.batches(pyarrow.PythonFile(file, mode="r"), rows_before=row)
        while True:
            with _faults(pyarrow, shown):
                batch = next(batches, None)
            if batch is None:
                return
            if batch.first_row + batch.rows.num_rows <= row:
                continue
            begun = batch.rows.slice(max(0, row - batch.first_row))
            for value in _values(pyarrow, begun, shown=shown, first_row=row):
                item = as_json(value)
                offset += len(item)
                row += 1
                if len(item) > row_bytes:
                    yield Record(b"", None, offset, row, hash_id(item))
                else:
                    yield Record(item, value, offset, row)


@contextmanager
def _faults(pyarrow: Any, shown: str) -> Generator[None]:
    try:
        yield
    except SourceBroken:
        raise
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The disk's, not the file's.
            raise
        said = " ".join(str(error).split())[:SAID_CHARACTERS_MAX]
        raise SourceBroken(UNDECODABLE, f"{shown}: {said}") from None


def _values(pyarrow: Any, batch: Any, *, shown: str, first_row: int) -> Generator[JsonObject]:
    names = cast("list[str]", batch.schema.names)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise SourceBroken(UNDECODABLE, f"{shown}: two columns are called {twice[0]!r}")
    columns = [_column(pyarrow, field, shown) for field in batch.schema]
    rows = cast("int", batch.num_rows)
    step = _slice_rows(pyarrow, batch)
    for begin in range(0, rows, step):
        part = batch.slice(begin, step)
        cells = [
            column.values(array, shown=shown, first_row=first_row + begin)
            for column, array in zip(columns, part.columns, strict=True)
        ]
        for row in zip(*cells, strict=True):
            yield dict(zip(names, row, strict=True))


def _slice_rows(pyarrow: Any, batch: Any) -> int:
    """How many rows are unfolded at once, so that they take about SLICE_BYTES however large they are."""
    row_bytes: int = batch.nbytes // max(1, batch.num_rows)
    row_bytes += sum(_folded_bytes(pyarrow, array) for array in batch.columns)
    return max(1, min(SLICE_ROWS, SLICE_BYTES // max(1, row_bytes)))


def _folded_bytes(pyarrow: Any, array: Any) -> int:
    """What a row may grow by: many rows can mean the same long text, of which there is one until they are unfolded."""
    types, kind = pyarrow.types, array.type
    if types.is_dictionary(kind):
        return _longest(pyarrow, array.dictionary)
    if types.is_struct(kind):
        return sum(_folded_bytes(pyarrow, array.field(at)) for at in range(kind.num_fields))
    if types.is_map(kind):
        return sum(_in_each(pyarrow, array, part) for part in (array.keys, array.items))
    if types.is_nested(kind):
        return _in_each(pyarrow, array, array.flatten())
    return 0


def _in_each(pyarrow: Any, array: Any, elements: Any) -> int:
    each = -(-len(elements) // max(1, len(array)))
    return each * _folded_bytes(pyarrow, elements)


def _longest(pyarrow: Any, texts: Any) -> int:
    kind, types = texts.type, pyarrow.types
    if not (types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind)):
        return 0
    compute = imported("pyarrow.compute", extra=EXTRA, what="reading columns")
    longest: int | None = compute.max(compute.binary_length(texts)).as_py()
    return longest or 0


class _Column(NamedTuple):
    name: str
    convert: Convert | None

    def values(self, array: Any, *, shown: str, first_row: int) -> list[JsonValue]:
        """The column of one slice; raises SourceBroken that names column and row."""
        try:
            return self._converted(array.to_pylist())
        except CANNOT_BE_HAD:
            pass
        # Some cell cannot be had: look again, one by one, to say which.
        values: list[JsonValue] = []
        for number, cell in enumerate(array):
            try:
                values += self._converted([cell.as_py()])
            except CANNOT_BE_HAD as error:
                raise SourceBroken(
                    UNDECODABLE,
                    f"{shown}, row {first_row + number + 1}, column {self.name!r}: {error}",
                ) from None
        return values

    def _converted(self, values: list[Any]) -> list[JsonValue]:
        convert = self.convert
        if convert is None:
            return values
        return [None if value is None else convert(value) for value in values]


def _column(pyarrow: Any, field: Any, shown: str) -> _Column:
    try:
        return _Column(cast("str", field.name), conversion(pyarrow.types, field.type))
    except Inconvertible as error:
        raise SourceBroken(UNDECODABLE, f"{shown}: column {field.name!r}: {error}") from None
