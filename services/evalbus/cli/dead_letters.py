"""`evalbus dlq`: messages that were set aside, and why."""

from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import LIMIT, WORKSPACE, Limit
from evalbus.cli.job_table import fields_table
from evalbus.cli.modes import asking_client, client_settings
from evalbus.cli.output import (
    CsvFlag,
    JsonFlag,
    MarkdownFlag,
    Style,
    chosen,
    write_document,
    write_table,
    write_text,
)
from evalbus.writing.tables import Cell, Table, printable
from evalbus.writing.times import moment
from evalbus_schemas.queries import DeadLetter, DeadLetterShown

app = typer.Typer(help="Messages that were set aside, and why.", no_args_is_help=True)

COLUMNS = ("id", "queue", "reason", "detail", "type", "attempts", "bytes", "first seen")


@app.command("list")
def list_dead_letters(
    queue: Annotated[str | None, typer.Option(help="Only from this queue.")] = None,
    limit: Limit = LIMIT,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Newest first."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> list[DeadLetter]:
        async with asking_client(settings, WORKSPACE) as client:
            return [each async for each in client.dlq.list(queue=queue, limit=limit)]

    found = loop.run(work)
    if style is Style.JSON:
        write_document({"dead_letters": found})
    else:
        write_table(Table(columns=COLUMNS, rows=[_line(each) for each in found]), style)


@app.command()
def show(
    id: Annotated[int, typer.Argument(metavar="ID", min=1, help="As in the list.")],
    as_json: JsonFlag = False,
) -> None:
    """One of them with its headers and body."""
    settings = client_settings()

    async def work() -> DeadLetterShown:
        async with asking_client(settings, WORKSPACE) as client:
            return await client.dlq.show(id)

    found = loop.run(work)
    if as_json:
        write_document(found)
        return
    write_table(fields_table(found.dead_letter), Style.TABLE)
    headers: list[tuple[Cell, ...]] = [(name, str(value)) for name, value in found.headers.items()]
    if headers:
        write_text("")
        write_table(Table(columns=("header", "value"), rows=headers), Style.TABLE)
    write_text("")
    write_text(printable(found.body))


def _line(letter: DeadLetter) -> tuple[Cell, ...]:
    return (
        letter.id,
        letter.queue,
        letter.reason,
        letter.detail,
        letter.type,
        letter.attempts,
        letter.body_bytes,
        moment(letter.first_seen_at),
    )
