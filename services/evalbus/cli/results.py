"""`evalbus results`: the results of completed jobs, the rows behind them, and how they compare."""

from collections.abc import Sequence
from typing import Annotated, cast

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, JobName, ResultName, Workspace
from evalbus.cli.comparison_table import comparison_lines, comparison_table
from evalbus.cli.explanations import explain
from evalbus.cli.exporting import export
from evalbus.cli.modes import asking_client, client_settings
from evalbus.cli.output import (
    CsvFlag,
    JsonFlag,
    MarkdownFlag,
    Style,
    chosen,
    note,
    write_document,
    write_table,
    write_text,
)
from evalbus.cli.report import report
from evalbus.cli.result_table import fields_of_scores_table, results_table
from evalbus.cli.rows import write_csv_lines, write_json_lines, write_rows_table
from evalbus.cli.scores import scores_table
from evalbus.cli.slices import slices
from evalbus.errors import Conflict
from evalbus_schemas.queries import (
    AggregateField,
    Comparison,
    Deleted,
    Pagination,
    Result,
    ResultPage,
    ResultSort,
)

app = typer.Typer(
    help="Results of completed jobs, their rows, and comparisons.", no_args_is_help=True
)

ROWS_SHOWN = 20

Fields = Annotated[
    str | None,
    typer.Option(help="What to tell of each score, separated by commas: mean,std_dev,percentiles."),
]


@app.command("list")
def list_results(
    workspace: Workspace = WORKSPACE,
    filter: Annotated[
        str | None,
        typer.Option(
            help="""JSON or words: '{"benchmark": "team/a"}', 'benchmark:"team/a" scores.f1.mean>0.8'."""
        ),
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="As --filter, but a bare text need only be contained.")
    ] = None,
    sort: Annotated[ResultSort, typer.Option(help="With - in front, the largest first.")] = (
        "-created_at"
    ),
    fields: Fields = None,
    page: Annotated[int | None, typer.Option(min=1, help="Which page; the first.")] = None,
    page_size: Annotated[
        int | None, typer.Option(min=1, help="Results on a page; as many as an answer holds.")
    ] = None,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The results of a workspace, newest first; with --fields a line for each score."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()
    wanted = _aggregate_fields(fields)

    async def work() -> ResultPage:
        async with asking_client(settings, workspace) as client:
            found = await client.results.list(
                filter=filter,
                search=search,
                sort=sort,
                aggregate_fields=wanted,
                page=page,
                page_size=page_size,
            )
            return found.page

    found = loop.run(work)
    if style is Style.JSON:
        write_document(found)
        return
    if wanted is None:
        write_table(results_table(found.data), style)
    else:
        write_table(fields_of_scores_table(found.data, wanted), style)
    _tell_the_page(found.pagination)


def _tell_the_page(place: Pagination) -> None:
    if place.total_pages > 1 or place.page > 1:
        note(
            f"page {place.page} of {place.total_pages}, {place.total_results} results"
            f" (--page, --page-size {place.page_size})"
        )


@app.command()
def get(
    result: ResultName,
    workspace: Workspace = WORKSPACE,
    fields: Fields = None,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The scores of one completed job."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()
    wanted = _aggregate_fields(fields)

    async def work() -> Result:
        async with asking_client(settings, workspace) as client:
            return await client.results.get(result, aggregate_fields=wanted)

    found = loop.run(work)
    if style is Style.JSON:
        write_document(found)
    elif wanted is None:
        write_table(scores_table(found.results, workspace=found.workspace), style)
    else:
        write_table(fields_of_scores_table([found], wanted), style)


@app.command()
def rows(
    job: JobName,
    workspace: Workspace = WORKSPACE,
    dataset: Annotated[str | None, typer.Option(help="Only of this dataset.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    slice: Annotated[
        str | None, typer.Option(help="Only of this slice; no-slice: those that are in none.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only rows that failed.")] = False,
    score: Annotated[
        str | None,
        typer.Option(help="What --below and --above look at: a metric, or metric.score."),
    ] = None,
    below: Annotated[float | None, typer.Option(help="Only rows whose score is lower.")] = None,
    above: Annotated[float | None, typer.Option(help="Only rows whose score is higher.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many, the first ones.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="Go on where an earlier answer says that there are more.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON document a line, one for each row.")
    ] = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The rows of a job in the order of the dataset, also of one that has not completed.

    Tables show the first 20; --json and --csv write all of them, and hold few in memory.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()
    is_table = style in (Style.TABLE, Style.MARKDOWN)

    async def work() -> None:
        async with asking_client(settings, workspace) as client:
            pages = client.results.row_pages(
                job,
                limit=limit or (ROWS_SHOWN if is_table else None),
                dataset=dataset,
                model=model,
                slice=slice,
                failed_only=failed,
                score=score,
                below=below,
                above=above,
                after=after,
            )
            if style is Style.JSON:
                await write_json_lines(pages)
            elif style is Style.CSV:
                await write_csv_lines(pages)
            else:
                await write_rows_table(pages, style)

    loop.run(work)


app.command()(export)
app.command()(slices)
app.command()(report)
app.command()(explain)


@app.command()
def delete(result: ResultName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """Take a result out of every list and comparison; it is never made again."""
    settings = client_settings()

    async def work() -> Deleted:
        async with asking_client(settings, workspace) as client:
            return await client.results.delete(result)

    deleted = loop.run(work)
    if as_json:
        write_document(deleted)
    else:
        note(f"result {deleted.id} is deleted")


@app.command()
def compare(
    columns: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULT[:MODEL]...", help="A result with all its models, or one of them."
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RESULT[:MODEL]", help="What the others are compared with; the first column."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although data or metric parameters differ.")
    ] = False,
    slice: Annotated[
        str | None, typer.Option(help="Only the rows of this slice, or of no-slice.")
    ] = None,
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Models or results side by side, row by row: one RESULT compares the models in it.

    Means come from the results; Δ is the mean difference over the rows that both have a value for, paired by their ids.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> Comparison:
        async with asking_client(settings, workspace) as client:
            return await client.results.compare(
                columns, baseline=baseline, force=force, slice=slice
            )

    try:
        found = loop.run(work)
    except Conflict as refusal:
        if "found" not in refusal.data:
            raise
        raise Conflict(f"{refusal.message} (--force)", refusal.data) from None
    if style is Style.JSON:
        write_document(found)
    else:
        _write_comparison(found, slice, style)


def _write_comparison(comparison: Comparison, slice: str | None, style: Style) -> None:
    if style is Style.CSV:
        write_table(comparison_lines(comparison), style)
    else:
        write_table(comparison_table(comparison), style)
    remarks = [f"compared by force: {difference}" for difference in comparison.differences]
    if slice is not None:
        remarks.insert(0, f"only the rows of slice {slice}")
    for remark in remarks:
        if style is Style.MARKDOWN:
            # Goes where the table goes: whoever reads it there must know.
            write_text(f"\n{remark[0].upper()}{remark[1:]}.")
        else:
            note(remark)


def _aggregate_fields(text: str | None) -> Sequence[AggregateField] | None:
    if text is None:
        return None
    # Words that are none of these are refused where the query is put together.
    return cast(list[AggregateField], [field.strip() for field in text.split(",")])
