"""`evalbus metrics`: the kinds of metric there are, explained; and the verbs of saved ones."""

import shutil
import sys
from collections.abc import Sequence
from typing import Annotated, Final, assert_never

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import LIMIT, WORKSPACE, Workspace
from evalbus.cli.catalogue import add_verbs, list_saved, write_entry
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
from evalbus.errors import Invalid, NotFound, unknown
from evalbus.writing.tables import printable
from evalbus_schemas.catalogue import Entry
from evalbus_schemas.names import is_name

WIDTH: Final = 80
WIDTH_MAX: Final = 100
"""Longer lines are hard to read, however wide the terminal is."""
SUGGESTED_MAX: Final = 1000
"""Of the saved ones, so many are looked at for a name that was meant."""

app = typer.Typer(
    help="The kinds of metric there are, and saved metrics: look at them, make them.",
    no_args_is_help=True,
)
add_verbs(app, "metric")


@app.command("list")
def list_metrics(
    is_saved: Annotated[
        bool, typer.Option("--saved", help="What is saved in a workspace instead.")
    ] = False,
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="With --saved: the namespace.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="Only those with this in name or description.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="With --saved: at most so many, the first ones.")
    ] = None,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The kinds of metric there are here, built-in ones and plug-ins; no server is asked."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    if is_saved:
        list_saved(
            "metric", workspace or WORKSPACE, search=search, limit=limit or LIMIT, style=style
        )
        return
    if workspace is not None or limit is not None:
        raise typer.BadParameter("--workspace and --limit are for --saved")
    _list_kinds(search or "", style)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A kind, or a saved one: NAME or workspace/NAME.")
    ],
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
) -> None:
    """What a metric measures and how, its scores, its parameters and an example."""
    from evalbus.metrics import METRICS  # brings every metric

    if name in METRICS.known():
        _write_explanation(name, as_json=as_json)
    else:
        _write_saved(_saved(name, workspace, METRICS.known()), as_json=as_json)


def _list_kinds(search: str, style: Style) -> None:
    from evalbus.cli.metric_text import kinds_table, kinds_text  # brings every metric
    from evalbus.metrics.explaining import metric_kinds

    found = [
        kind
        for kind in metric_kinds()
        if search.casefold() in f"{kind.type}\n{kind.summary}".casefold()
    ]
    match style:
        case Style.JSON:
            write_document({"metric_types": found})
        case Style.TABLE:
            write_text(printable(kinds_text(found, _width())))
        case Style.MARKDOWN | Style.CSV:
            write_table(kinds_table(found), style)
        case _:
            assert_never(style)


def _write_explanation(type_name: str, *, as_json: bool) -> None:
    from evalbus.cli.metric_text import explanation_text  # brings every metric
    from evalbus.metrics.explaining import explain

    explanation = explain(type_name)
    if as_json:
        write_document({"metric_type": explanation})
    else:
        write_text(printable(explanation_text(explanation, _width())))


def _write_saved(entry: Entry, *, as_json: bool) -> None:
    """What is saved, then its type; services may have a plug-in that is not installed here."""
    from evalbus.metrics.explaining import explain  # brings every metric

    type_name = str(entry.definition.get("type"))
    if as_json:
        try:
            write_document({"metric": entry, "metric_type": explain(type_name)})
        except Invalid as error:
            write_document({"metric": entry, "metric_type": None})
            note(error.message)
        return
    write_entry(entry, as_json=False)
    write_text("")
    try:
        _write_explanation(type_name, as_json=False)
    except Invalid as error:
        note(error.message)


def _saved(name: str, workspace: str, types: Sequence[str]) -> Entry:
    """Raises Invalid for a name that no metric has, with the nearest one."""
    settings = client_settings()
    is_folder = settings.amqp_url is None and settings.data_dir.exists()
    can_be_saved = is_name(name.rpartition("/")[2])
    if not can_be_saved or (settings.amqp_url is None and not is_folder):
        raise unknown("metric", name, types)

    async def work() -> Entry:
        async with asking_client(settings, workspace) as client:
            things = client.saved("metric")
            try:
                return await things.get(name)
            except NotFound:
                names = [entry.name async for entry in things.list(limit=SUGGESTED_MAX)]
                raise unknown("metric", name, [*types, *names]) from None

    return loop.run(work)


def _width() -> int:
    if not sys.stdout.isatty():
        return WIDTH
    return min(shutil.get_terminal_size().columns, WIDTH_MAX)
