"""`evalbus results`: the results of completed jobs, and the rows behind them."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import LIMIT, WORKSPACE, JobName, Limit, Workspace
from evalbus.cli.job_table import moment
from evalbus.cli.modes import asking_client, client_settings
from evalbus.cli.output import (
    Cell,
    CsvFlag,
    JsonFlag,
    MarkdownFlag,
    Style,
    Table,
    chosen,
    note,
    write_csv,
    write_document,
    write_table,
    write_text,
)
from evalbus.cli.row_table import REST, RowColumns, rows_table
from evalbus.cli.scores import scores_table
from evalbus_schemas.queries import Result, Row, RowPage

app = typer.Typer(help="Results of completed jobs, and their rows.", no_args_is_help=True)

ROWS_SHOWN = 20
PARTIAL = "partial: the job has not completed"


@app.command("list")
def list_results(
    workspace: Workspace = WORKSPACE,
    benchmark: Annotated[
        str | None, typer.Option(help="Only of this benchmark, as workspace/name.")
    ] = None,
    limit: Limit = LIMIT,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The results of a workspace, newest first."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> list[Result]:
        async with asking_client(settings, workspace) as client:
            return [each async for each in client.results.list(benchmark=benchmark, limit=limit)]

    found = loop.run(work)
    if style is Style.JSON:
        write_document({"results": found})
    else:
        columns = ("result", "benchmark", "rows", "failed", "finished")
        write_table(Table(columns=columns, rows=[_line(each) for each in found]), style)


@app.command()
def get(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="The name of its job.")],
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The scores of one completed job."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> Result:
        async with asking_client(settings, workspace) as client:
            return await client.results.get(result)

    found = loop.run(work)
    if style is Style.JSON:
        write_document(found)
    else:
        write_table(scores_table(found.results, workspace=found.workspace), style)


@app.command()
def rows(
    job: JobName,
    workspace: Workspace = WORKSPACE,
    dataset: Annotated[str | None, typer.Option(help="Only of this dataset.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only rows that failed.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help=f"At most so many; by default {ROWS_SHOWN} in a table, else all."),
    ] = None,
    as_json: JsonFlag = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON document for each row.")
    ] = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The stored rows of a job with their scores; also of one that has not completed."""
    style = chosen(as_json=as_json or as_jsonl, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()
    is_table = style in (Style.TABLE, Style.MARKDOWN)
    wanted = limit or (ROWS_SHOWN if is_table else None)

    async def work() -> None:
        async with asking_client(settings, workspace) as client:
            pages = client.results.row_pages(
                job, dataset=dataset, model=model, failed_only=failed, limit=wanted
            )
            if as_jsonl:
                await _write_lines(pages)
            elif style is Style.JSON:
                await _write_stream(pages)
            elif style is Style.CSV:
                await _write_csv(pages)
            else:
                await _write_table(pages, style, is_cut=limit is None and is_table)

    loop.run(work)


async def _write_lines(pages: AsyncIterator[RowPage]) -> None:
    is_partial = False
    async for page in pages:
        for row in page.rows:
            write_text(row.model_dump_json())
        is_partial = page.partial
    if is_partial:
        note(PARTIAL)


async def _write_stream(pages: AsyncIterator[RowPage]) -> None:
    """One document, written page by page: a job may have more rows than memory holds."""
    is_partial, separator = False, ""
    sys.stdout.write('{"rows": [')
    async for page in pages:
        for row in page.rows:
            sys.stdout.write(f"{separator}\n{row.model_dump_json()}")
            separator = ","
        is_partial = page.partial
    write_text(f'\n], "partial": {json.dumps(is_partial)}}}')


async def _write_csv(pages: AsyncIterator[RowPage]) -> None:
    """Page by page as well, therefore with the columns of the first page and one for whatever comes later."""
    is_partial, columns = False, None
    async for page in pages:
        if columns is None:
            columns = RowColumns.of(page.rows)
            write_csv([(*columns.header, REST)])
        write_csv([(*columns.line(row), columns.rest(row)) for row in page.rows])
        is_partial = page.partial
    if is_partial:
        note(PARTIAL)


async def _write_table(pages: AsyncIterator[RowPage], style: Style, *, is_cut: bool) -> None:
    found: list[Row] = []
    is_partial = has_more = False
    async for page in pages:
        found.extend(page.rows)
        is_partial, has_more = page.partial, page.next is not None
    write_table(rows_table(found), style)
    if has_more and is_cut:
        note(f"the first {len(found)} rows; --limit, --json, --jsonl and --csv give more")
    if is_partial:
        note(PARTIAL)


def _line(result: Result) -> tuple[Cell, ...]:
    return (
        result.name,
        result.benchmark,
        result.rows,
        result.failed_rows,
        moment(result.finished_at),
    )
