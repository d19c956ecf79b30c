"""Lines of a job as a CSV file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from evalbus.client.job_lines import HEAD, ITEM_PREFIX, TAIL, Line
from evalbus.exporting import LocalFile
from evalbus.exporting.cells import Cells, as_bytes
from evalbus.exporting.waiting import Waiting


def write_csv(
    lines: Iterable[Line], path: Path, *, score_columns: Sequence[str], neutralise: bool
) -> None:
    """UTF-8 with a header; folders are made. A file that was there is replaced once the new one is whole.

    `score_columns` are those of a table without lines. Raises Invalid for a path that is no place for a file, and
    OSError.
    """
    cells = Cells(neutralise=neutralise)
    with LocalFile(path) as file:
        for some in _table(lines, score_columns, folder=file.folder):
            file.write(as_bytes(map(cells.line, some)))
        file.commit()


def _table(
    lines: Iterable[Line], score_columns: Sequence[str], *, folder: Path
) -> Iterator[list[list[object]]]:
    """The header, then every line with all of its cells, some at a time.

    Which fields the items have is known only behind the last of them.
    """
    scores = list(score_columns)
    fields: dict[str, None] = {}
    with Waiting(folder) as waiting:
        for line in lines:
            scores = list(line.scores)
            fields |= dict.fromkeys(line.item)
            cells = [*line.head, *line.scores.values(), *line.tail]
            waiting.add(json.dumps([cells, line.item]).encode() + b"\n")
        yield [[*HEAD, *scores, *TAIL, *(f"{ITEM_PREFIX}{field}" for field in fields)]]
        for batch in waiting.batches():
            yield [[*cells, *map(item.get, fields)] for cells, item in map(json.loads, batch)]
