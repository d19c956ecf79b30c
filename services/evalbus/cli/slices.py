"""`evalbus results slices`: what a result says over the rows of each slice."""

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, ResultName, Workspace
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
from evalbus.reporting.slices import slices_table
from evalbus_schemas.queries import SliceScores


def slices(
    result: ResultName,
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The scores of each slice, and how they agree with what people said of its rows.

    `all` has every row, `no-slice` those that are in none. Agreement is there for metrics with a ground_truth.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> list[SliceScores]:
        async with asking_client(settings, workspace) as client:
            return [each async for each in client.results.slices(result)]

    found = loop.run(work)
    if style is Style.JSON:
        write_document({"slices": found})
    else:
        write_table(slices_table(found), style)
