"""`evalbus datasets`, `models`, `metrics` and `benchmarks`: the same verbs for each."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import LIMIT, WORKSPACE, Limit, Workspace
from evalbus.cli.job_table import fields_table
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
from evalbus.client import AsyncClient
from evalbus.errors import Invalid, NotFound
from evalbus.settings import Settings
from evalbus.writing.tables import Cell, Table
from evalbus.writing.times import moment
from evalbus_schemas.catalogue import Entry, EntryKind
from evalbus_schemas.queries import Deleted

EntryName = Annotated[str, typer.Argument(metavar="NAME", help="Its name, or workspace/name.")]
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="As in a benchmark file; `about:` may say what is known of it."
    ),
]
COLUMNS = ("name", "uid", "revision", "version", "description", "updated")


def saving_client(settings: Settings, workspace: str) -> AsyncClient:
    """For commands that write to the catalogue: without servers the folder is made when it is not there."""
    if settings.amqp_url is None:
        return AsyncClient.reading(workspace=workspace, settings=settings)
    return AsyncClient(workspace=workspace, settings=settings)


@contextmanager
def about_file(place: str) -> Generator[None, None, None]:
    """What is wrong in a definition, or not where it says, is a mistake in its file."""
    try:
        yield
    except (Invalid, NotFound) as error:
        said = error.message if error.message.startswith(place) else f"{place}: {error.message}"
        raise Invalid(said, error.data) from None


def catalogue_app(kind: EntryKind) -> typer.Typer:
    """The verbs of one kind."""
    app = typer.Typer(help=f"Saved {kind}s: make them, look at them.", no_args_is_help=True)
    add_verbs(app, kind)
    _list(app, kind)
    return app


def add_verbs(app: typer.Typer, kind: EntryKind) -> None:
    """All but listing, which a kind may do in its own way."""
    for verb in (_create, _get, _update, _delete):
        verb(app, kind)


def list_saved(
    kind: EntryKind, workspace: str, *, search: str | None, limit: int, style: Style
) -> None:
    """Print what is saved in a workspace."""
    settings = client_settings()

    async def work() -> list[Entry]:
        async with asking_client(settings, workspace) as client:
            things = client.saved(kind)
            return [entry async for entry in things.list(search=search, limit=limit)]

    found = loop.run(work)
    if style is Style.JSON:
        write_document({f"{kind}s": found})
    else:
        write_table(Table(columns=COLUMNS, rows=[_line(entry) for entry in found]), style)


def write_entry(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        write_document({entry.kind: entry})
    else:
        write_table(fields_table(entry), Style.TABLE)
        write_text("")
        write_document(entry.definition)


def _create(app: typer.Typer, kind: EntryKind) -> None:
    @app.command(help=f"Save a {kind} under a new name.")
    def create(file: File, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
        entry = _saved_file(kind, file, workspace, is_new=True)
        if as_json:
            write_entry(entry, as_json=True)
        else:
            note(f"{kind} {entry.id} is saved, revision {entry.revision}")

    _keep(create)


def _update(app: typer.Typer, kind: EntryKind) -> None:
    @app.command(help=f"Save the next revision of a {kind}.")
    def update(file: File, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
        entry = _saved_file(kind, file, workspace, is_new=False)
        if as_json:
            write_entry(entry, as_json=True)
        else:
            note(f"{kind} {entry.id} is in revision {entry.revision}")

    _keep(update)


def _get(app: typer.Typer, kind: EntryKind) -> None:
    @app.command(help=f"One saved {kind}.")
    def get(
        name: EntryName,
        workspace: Workspace = WORKSPACE,
        revision: Annotated[
            int | None, typer.Option(min=1, help="An earlier one; the newest.")
        ] = None,
        as_json: JsonFlag = False,
    ) -> None:
        settings = client_settings()

        async def work() -> Entry:
            async with asking_client(settings, workspace) as client:
                return await client.saved(kind).get(name, revision=revision)

        write_entry(loop.run(work), as_json=as_json)

    _keep(get)


def _list(app: typer.Typer, kind: EntryKind) -> None:
    @app.command("list", help=f"The saved {kind}s of a workspace, in the order of their making.")
    def list_entries(
        workspace: Workspace = WORKSPACE,
        search: Annotated[
            str | None, typer.Option(help="Only those with this in name or description.")
        ] = None,
        limit: Limit = LIMIT,
        as_json: JsonFlag = False,
        as_markdown: MarkdownFlag = False,
        as_csv: CsvFlag = False,
    ) -> None:
        style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
        list_saved(kind, workspace, search=search, limit=limit, style=style)

    _keep(list_entries)


def _delete(app: typer.Typer, kind: EntryKind) -> None:
    @app.command(help=f"Delete a {kind} and all its revisions; what has it written out keeps it.")
    def delete(
        name: EntryName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False
    ) -> None:
        settings = client_settings()

        async def work() -> Deleted:
            async with asking_client(settings, workspace) as client:
                return await client.saved(kind).delete(name)

        deleted = loop.run(work)
        if as_json:
            write_document(deleted)
        else:
            note(f"{kind} {deleted.id} is deleted")

    _keep(delete)


def _keep(_command: Callable[..., None]) -> None:
    """The app has it; nobody calls it by its name."""


def _saved_file(kind: EntryKind, file: Path, workspace: str, *, is_new: bool) -> Entry:
    settings = client_settings()

    async def work() -> Entry:
        async with saving_client(settings, workspace) as client:
            things = client.saved(kind)
            with about_file(file.name):
                return await (things.create(file) if is_new else things.update(file))

    return loop.run(work)


def _line(entry: Entry) -> tuple[Cell, ...]:
    return (
        entry.name,
        entry.uid,
        entry.revision,
        entry.version,
        entry.description.partition("\n")[0],
        moment(entry.updated_at),
    )
