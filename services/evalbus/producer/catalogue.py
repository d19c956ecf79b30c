"""Saving and deleting datasets, models, metrics and benchmarks: only what could be run is saved."""

from dataclasses import dataclass

from pydantic import BaseModel

from evalbus.bus.base import Message
from evalbus.bus.rpc import Answerer
from evalbus.errors import OverLimit
from evalbus.logs import get_logger
from evalbus.producer.checking import PartChecks
from evalbus.producer.references import References
from evalbus.store.ports import CatalogueStore, NewRevision
from evalbus_schemas.benchmark import Benchmark, Dataset, Plugin
from evalbus_schemas.catalogue import (
    About,
    EntryKind,
    EntryNamed,
    EntrySaved,
    SaveBenchmark,
    SaveDataset,
    SaveMetric,
    SaveModel,
)
from evalbus_schemas.queries import Deleted

log = get_logger(__name__)

REVISION_BYTES_MAX = 960 * 1024
"""With definition and information, so that each entry fits into a page."""

Save = SaveDataset | SaveModel | SaveMetric | SaveBenchmark


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The changing methods of the four kinds."""

    store: CatalogueStore
    references: References
    checks: PartChecks

    def methods(self) -> dict[str, Answerer]:
        saving: dict[str, Answerer] = {
            f"{kind}s.{verb}": _saving(self, is_new=verb == "create")
            for kind in ("dataset", "model", "metric", "benchmark")
            for verb in ("create", "update")
        }
        return saving | {
            "datasets.delete": _deleting(self, "dataset"),
            "models.delete": _deleting(self, "model"),
            "metrics.delete": _deleting(self, "metric"),
            "benchmarks.delete": _deleting(self, "benchmark"),
        }

    async def save(self, command: Save, *, is_new: bool, created_by: str | None) -> EntrySaved:
        """Raises Invalid, NotAllowed, NotFound or OverLimit; Conflict for a new one whose name has another content."""
        kind, definition = await self._checked(command)
        new = new_revision(
            kind, definition, command, workspace=command.workspace, created_by=created_by
        )
        size = len(definition.model_dump_json(exclude_defaults=True).encode()) + len(
            command.model_dump_json(exclude={"definition"}).encode()
        )
        if size > REVISION_BYTES_MAX:
            raise OverLimit(
                f"{kind} {new.name!r} has {size} bytes, more than the {REVISION_BYTES_MAX} that are saved:"
                " rows can lie in files, or be uploaded",
                {"found": size, "wanted": REVISION_BYTES_MAX},
            )
        return await (self.store.create(new) if is_new else self.store.update(new))

    async def _checked(self, command: Save) -> tuple[EntryKind, Dataset | Plugin | Benchmark]:
        match command:
            case SaveDataset():
                self.checks.dataset(command.definition)
                return "dataset", command.definition
            case SaveModel():
                self.checks.model(command.definition)
                return "model", command.definition
            case SaveMetric():
                self.checks.metric(command.definition)
                return "metric", command.definition
            case SaveBenchmark():
                benchmark = await self.references.written_out(command.definition)
                self.checks.benchmark(benchmark)
                return "benchmark", benchmark

    async def delete(self, kind: EntryKind, named: EntryNamed) -> Deleted:
        return await self.store.delete(kind, named)


def new_revision(
    kind: EntryKind,
    definition: Dataset | Plugin | Benchmark,
    about: About,
    *,
    workspace: str,
    created_by: str | None,
) -> NewRevision:
    """What is saved of a definition in which everything is written out."""
    description = about.description
    if isinstance(definition, Benchmark):
        description = description or definition.description
    return NewRevision(
        kind=kind,
        workspace=workspace,
        name=definition.name,
        version=about.version,
        description=description,
        supplier=about.supplier,
        labels=about.labels,
        additional_info=about.additional_info,
        definition=definition.model_dump(mode="json", exclude_defaults=True),
        created_by=created_by,
    )


def _saving(catalogue: Catalogue, *, is_new: bool) -> Answerer:
    async def save(command: Save, message: Message) -> BaseModel:
        saved = await catalogue.save(command, is_new=is_new, created_by=message.sender)
        entry = saved.entry
        log.info(
            "entry.saved",
            kind=entry.kind,
            id=entry.id,
            revision=entry.revision,
            change=saved.change,
            sender=message.sender,
        )
        return saved

    return save


def _deleting(catalogue: Catalogue, kind: EntryKind) -> Answerer:
    async def delete(named: EntryNamed, message: Message) -> BaseModel:
        deleted = await catalogue.delete(kind, named)
        log.info("entry.deleted", kind=kind, id=deleted.id, sender=message.sender)
        return deleted

    return delete
