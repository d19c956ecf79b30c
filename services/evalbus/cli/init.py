"""`evalbus init`: a benchmark file to begin with, explained line by line, and rows that it scores."""

import json
from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli.output import note
from evalbus.errors import Conflict, Refused
from evalbus_schemas.names import is_name

DEFAULT = Path("benchmark.yaml")

ROWS = (
    ("What is 7 times 8?", "56", "56", "7 times 8 is 56."),
    ("What is the capital of Australia?", "Canberra", "Sydney", "That would be Canberra."),
    ("Which element has the symbol Fe?", "Iron", "iron", "Fe stands for iron."),
    ("How many sides has a hexagon?", "6", "6", "A hexagon has 6 sides."),
    ("Who wrote Don Quixote?", "Cervantes", "Cervantes", "Miguel de Cervantes wrote it."),
)

TEMPLATE = """\
# A benchmark: every model runs on every dataset with every metric.
#   evalbus run {file} --dry-run    shows what would be scored
#   evalbus run {file}              scores it
name: {name}
description: Five questions, answered by two recorded models.

datasets:
  - name: questions
    # .jsonl or .csv, or a glob of them, relative to this file; or write `rows: [...]` here instead
    source: {rows}
    id: "{{{{ item.id }}}}"          # what identifies a row; left out, it is a hash of the row

models:                            # `recorded`: the answers are in the dataset already
  - name: terse
    type: recorded
    output: "{{{{ item.terse }}}}"
  - name: chatty
    type: recorded
    output: "{{{{ item.chatty }}}}"

metrics:
  - name: exact-match              # equal after lower-casing, without punctuation and articles (normalize: squad)
    type: exact-match
    reference: "{{{{ item.reference }}}}"
  - name: contains                 # the reference stands somewhere in the answer
    type: string-check
    operation: contains
    left_template: "{{{{ sample.output_text }}}}"
    right_template: "{{{{ item.reference }}}}"

slices:                            # named subsets of the rows, by what their items say; each gets scores of its own
  - name: what-is
    where: {{question: {{$like: "what is"}}}}
  - name: short-answers            # the same grammar in words
    where: 'reference IN ["56", "6"]'

params:
  limit_samples: null              # a number: only so many rows of each dataset
  max_row_error_ratio: null        # 0.1: end the job in error when more than a tenth of its rows failed
"""


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")] = DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write a commented benchmark file, and the rows it scores next to it."""
    rows = file.with_suffix(".jsonl")
    if file.suffix not in (".yaml", ".yml"):
        raise typer.BadParameter(f"{file}: a benchmark file is called *.yaml")
    taken = [str(path) for path in (file, rows) if path.exists()]
    if taken and not force:
        raise Conflict(f"{' and '.join(taken)} exist already; --force overwrites")
    name = file.stem.lower() if is_name(file.stem.lower()) else "benchmark"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            TEMPLATE.format(name=name, file=file, rows=json.dumps(rows.name)), encoding="utf-8"
        )
        rows.write_text(_rows(), encoding="utf-8")
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from None
    note(f"wrote {file} and {rows}; now: evalbus run {file}")


def _rows() -> str:
    names = ("question", "reference", "terse", "chatty")
    documents = (
        {"id": f"q{number}", **dict(zip(names, row, strict=True))}
        for number, row in enumerate(ROWS, start=1)
    )
    return "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
