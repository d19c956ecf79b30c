"""`evalbus apply`: what files declare is created or updated, and what changed is said."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, Workspace
from evalbus.cli.catalogue import about_file, saving_client
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
from evalbus.client import AsyncClient
from evalbus.client.catalogue import as_about
from evalbus.client.catalogue_file import Declared, in_order, read_declared
from evalbus.errors import NotFound
from evalbus.writing.tables import Table
from evalbus_schemas.catalogue import Entry, EntryKind, GetEntry
from evalbus_schemas.names import reference

if TYPE_CHECKING:
    from evalbus.store.ports import NewRevision

COLUMNS = ("change", "kind", "id", "revision")


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What became of one thing, or would."""

    change: str
    kind: EntryKind
    id: str
    revision: int


def apply(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Benchmark files, or files with lists: datasets, models, metrics, benchmarks.",
        ),
    ],
    workspace: Workspace = WORKSPACE,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Create or update in the catalogue what files declare.

    Whatever is named comes before what names it, in whatever order it is written. A file is read to its end before
    anything is saved.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    declared = in_order([each for file in files for each in read_declared(file)])
    settings = client_settings()
    applied: list[Applied] = []

    async def work() -> None:
        if is_dry:
            async with asking_client(settings, workspace) as client:
                await _foresee(client, declared, workspace, applied)
        else:
            async with saving_client(settings, workspace) as client:
                await _save(client, declared, applied)

    try:
        loop.run(work)
    finally:
        # Also when one of them was refused: those before it are saved.
        _write(applied, style, is_dry=is_dry)


async def _save(client: AsyncClient, declared: Sequence[Declared], applied: list[Applied]) -> None:
    for each in declared:
        things = client.saved(each.kind, each.workspace)
        with about_file(each.place):
            saved = await things.save(each.definition, **as_about(each.about))
        applied.append(
            Applied(
                change=saved.change,
                kind=each.kind,
                id=saved.entry.id,
                revision=saved.entry.revision,
            )
        )


def _write(applied: Sequence[Applied], style: Style, *, is_dry: bool) -> None:
    if style is Style.JSON:
        lines = [{name: getattr(each, name) for name in COLUMNS} for each in applied]
        write_document({"applied": lines, "dry_run": is_dry})
    elif applied:
        rows = [(each.change, each.kind, each.id, each.revision) for each in applied]
        write_table(Table(columns=COLUMNS, rows=rows), style)


# --- what would change --------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Foreseen:
    """The catalogue as it would be: what is declared goes before what is saved."""

    client: AsyncClient
    declared: dict[tuple[EntryKind, str], Entry] = field(
        default_factory=dict["tuple[EntryKind, str]", Entry]
    )

    async def get(self, kind: EntryKind, query: GetEntry) -> Entry:
        """Raises NotFound."""
        assert query.name is not None, "things are declared by name"
        name = reference(query.workspace, query.name)
        return self.declared.get((kind, name)) or await self.client.saved(kind).get(name)


async def _foresee(
    client: AsyncClient, declared: Sequence[Declared], workspace: str, applied: list[Applied]
) -> None:
    catalogue = _Foreseen(client=client)
    for each in declared:
        with about_file(each.place):
            new = await _revision(each, each.workspace or workspace, catalogue)
        change, entry = await _change(client, new)
        catalogue.declared[new.kind, entry.id] = entry
        applied.append(Applied(change=change, kind=new.kind, id=entry.id, revision=entry.revision))


async def _revision(each: Declared, workspace: str, catalogue: _Foreseen) -> "NewRevision":
    """As the producer would save it; raises as it would refuse it."""
    # They bring models and metrics, which take time to load.
    from evalbus.producer.catalogue import new_revision
    from evalbus.producer.checking import PartChecks
    from evalbus.producer.references import References
    from evalbus.settings import load_settings
    from evalbus_schemas.benchmark import BenchmarkFile, Dataset, MetricPlugin
    from evalbus_schemas.chunks import RowLimits

    checks = PartChecks(limits=RowLimits(), allow_private=load_settings().allow_private_endpoints)
    definition = each.definition
    if isinstance(definition, BenchmarkFile):
        written = await References(catalogue).written_out(definition)
        checks.benchmark(written)
        return new_revision(each.kind, written, each.about, workspace=workspace, created_by=None)
    if isinstance(definition, Dataset):
        checks.dataset(definition)
    elif isinstance(definition, MetricPlugin):
        checks.metric(definition)
    else:
        checks.model(definition)
    return new_revision(each.kind, definition, each.about, workspace=workspace, created_by=None)


async def _change(client: AsyncClient, new: "NewRevision") -> tuple[str, Entry]:
    from evalbus.store.revisions import says_the_same

    try:
        there = await client.saved(new.kind, new.workspace).get(new.name)
    except NotFound:
        return "created", _as_entry(new, revision=1)
    if says_the_same(there, new):
        return "unchanged", there
    return "updated", _as_entry(new, revision=there.revision + 1)


def _as_entry(new: "NewRevision", *, revision: int) -> Entry:
    now = datetime.now(UTC)
    return Entry(
        # Nobody has given it a number, and nobody asks for it.
        uid=1,
        id=reference(new.workspace, new.name),
        kind=new.kind,
        workspace=new.workspace,
        name=new.name,
        revision=revision,
        version=new.version,
        description=new.description,
        supplier=new.supplier,
        labels=new.labels,
        additional_info=new.additional_info,
        definition=new.definition,
        created_at=now,
        updated_at=now,
        created_by=new.created_by,
    )
