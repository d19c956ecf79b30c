"""`evalbus events`: what happened to the jobs of a workspace."""

from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import LIMIT, WORKSPACE, Limit, Workspace
from evalbus.cli.modes import asking_client, client_settings
from evalbus.cli.output import (
    CsvFlag,
    JsonFlag,
    MarkdownFlag,
    Style,
    chosen,
    write_document,
    write_table,
)
from evalbus.writing.tables import Cell, Table
from evalbus.writing.times import moment
from evalbus_schemas.queries import StoredEvent

app = typer.Typer(help="What happened to jobs.", no_args_is_help=True)

COLUMNS = ("sequence", "time", "type", "job", "benchmark", "rows", "failed", "error")


@app.command("list")
def list_events(
    workspace: Workspace = WORKSPACE,
    after: Annotated[
        int, typer.Option(min=0, help="Only what came after this sequence number.")
    ] = 0,
    limit: Limit = LIMIT,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Lifecycle events in the order in which they happened."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> list[StoredEvent]:
        async with asking_client(settings, workspace) as client:
            return [each async for each in client.events.list(after=after, limit=limit)]

    found = loop.run(work)
    if style is Style.JSON:
        write_document({"events": found})
    else:
        write_table(Table(columns=COLUMNS, rows=[_line(each) for each in found]), style)


def _line(stored: StoredEvent) -> tuple[Cell, ...]:
    event = stored.event
    return (
        event.sequence,
        moment(stored.time),
        stored.type,
        event.job,
        event.benchmark,
        event.rows,
        event.failed_rows,
        event.error.message if event.error else None,
    )
