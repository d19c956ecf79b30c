"""A benchmark whose samples are the records of a CSV file."""

import csv
import io
from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from evalbus.client.benchmark import Benchmark
from evalbus.client.decoding import typed_cell
from evalbus.client.samples import Sample, WrongSamples
from evalbus.errors import unknown

if TYPE_CHECKING:
    from evalbus.client.synchronous import Client

CELL_CHARACTERS_MAX = 4 * 1024 * 1024


class CSVBenchmark(Benchmark):
    """One sample for each record under the header, its number as id; made when the file has been read.

    UTF-8, with or without a byte order mark; cells may hold line breaks. A cell that is JSON is what it says: `4`,
    `true`, `null`, `[1]`; everything else is text, `007` and `NaN` included. `fetch_samples` reads the file again.
    Raises WrongSamples (a ValueError) that names file and line, and OSError for a file that cannot be read.
    """

    def __init__(
        self,
        csv_file: str | PathLike[str],
        agent_input_columns: Sequence[str] | None = None,
        extra_columns: Sequence[str] | None = None,
        benchmark_id: str | None = None,
        *,
        client: "Client | None" = None,
        **additional_info: object,
    ) -> None:
        """The id is by default the path as it is given."""
        self.csv_file = fspath(csv_file)
        super().__init__(benchmark_id or self.csv_file, client=client)
        self.additional_info = dict(additional_info)
        self._input_columns = tuple(agent_input_columns or ())
        self._extra_columns = tuple(extra_columns or ())
        self.samples = self._read_samples()

    def _read_samples(self) -> list[Sample]:
        records = _records(self.csv_file, {*self._input_columns, *self._extra_columns})
        return [self._sample(str(number), record) for number, record in enumerate(records)]

    def _sample(self, number: str, record: Mapping[str, str]) -> Sample:
        return Sample(
            benchmark_id=self.benchmark_id,
            id=number,
            agent_inputs={name: typed_cell(record[name]) for name in self._input_columns},
            extras={name: typed_cell(record[name]) for name in self._extra_columns},
        )


def _records(path: str, wanted: Collection[str]) -> Generator[dict[str, str]]:
    """The records by column; a file without a header has none."""
    # The module's own limit is one for the whole process, and smaller than a cell may be.
    csv.field_size_limit(max(csv.field_size_limit(), CELL_CHARACTERS_MAX))
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    begins = 1
    header: list[str] | None = None
    try:
        for cells in reader:
            place, begins = f"{path}:{begins}", reader.line_num + 1
            if header is None:
                header = _checked(cells, wanted, place)
            elif cells:
                yield _record(header, cells, place)
    except csv.Error as error:
        raise WrongSamples(f"{path}:{begins}: {error}") from None


def _text(path: str) -> str:
    try:
        return Path(path).read_bytes().decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise WrongSamples(f"{path}: not UTF-8 at byte {error.start} ({error.reason})") from None


def _checked(header: list[str], wanted: Collection[str], place: str) -> list[str]:
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise WrongSamples(f"{place}: two columns are called {twice[0]!r}")
    for name in wanted:
        if name not in header:
            raise WrongSamples(str(unknown("column", name, header, where=place)))
    return header


def _record(header: list[str], cells: list[str], place: str) -> dict[str, str]:
    if len(cells) != len(header):
        raise WrongSamples(f"{place}: {len(cells)} cells, but the header has {len(header)} columns")
    return dict(zip(header, cells, strict=True))
