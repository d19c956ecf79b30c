"""Lines of a job as a CSV file that is there whole or not at all, and that no spreadsheet runs as formulas."""

import csv
import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from evalbus.client.job_lines import HEAD, ITEM_PREFIX, TAIL, Line
from evalbus.errors import Invalid

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(
    lines: Iterable[Line], path: Path, *, score_columns: Sequence[str], neutralise: bool
) -> None:
    """UTF-8 with a header; folders are made. A file that was there is replaced once the new one is whole.

    `score_columns` are those of a table without lines. Raises Invalid for a path that is no place for a file, and
    OSError.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise Invalid(f"{path} is not a file that could be replaced", {"found": str(path)})
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".evalbus-{uuid4().hex}.part")
    try:
        with unfinished.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for cells in _table(lines, score_columns, folder=target.parent):
                writer.writerow([_text(cell, neutralise=neutralise) for cell in cells])
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _table(
    lines: Iterable[Line], score_columns: Sequence[str], *, folder: Path
) -> Iterator[list[object]]:
    """The header, then every line with all of its cells.

    Which fields the items have is known only behind the last of them, and there may be more lines than memory: so
    they wait in a file without a name.
    """
    scores = list(score_columns)
    fields: dict[str, None] = {}
    with tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder) as waiting:
        for line in lines:
            scores = list(line.scores)
            fields |= dict.fromkeys(line.item)
            cells = [*line.head, *line.scores.values(), *line.tail]
            waiting.write(json.dumps([cells, line.item]) + "\n")
        yield [*HEAD, *scores, *TAIL, *(f"{ITEM_PREFIX}{field}" for field in fields)]
        waiting.seek(0)
        for text in waiting:
            cells, item = json.loads(text)
            yield [*cells, *(item.get(field) for field in fields)]


def _text(cell: object, *, neutralise: bool) -> object:
    match cell:
        case None:
            return ""
        case float() if math.isnan(cell):
            return ""
        case str():
            return f"'{cell}" if neutralise and cell.startswith(FORMULA_STARTS) else cell
        case bool() | int() | float():
            return cell
        case _:
            return json.dumps(cell, ensure_ascii=False)
