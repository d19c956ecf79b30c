"""Things that are saved under a name, and their revisions."""

from dataclasses import dataclass
from typing import Protocol

from evalbus_schemas.base import JsonObject, Labels
from evalbus_schemas.catalogue import (
    Entry,
    EntryKind,
    EntryNamed,
    EntryPage,
    EntrySaved,
    GetEntry,
    ListEntries,
)
from evalbus_schemas.queries import Deleted


@dataclass(frozen=True, kw_only=True)
class NewRevision:
    """A validated thing to save; its definition has everything written out."""

    kind: EntryKind
    workspace: str
    name: str
    version: str
    description: str
    supplier: str
    labels: Labels
    additional_info: JsonObject
    definition: JsonObject
    created_by: str | None


class CatalogueStore(Protocol):
    async def create(self, new: NewRevision) -> EntrySaved:
        """Its first revision; the same content again changes nothing. Raises Conflict if the name has another."""
        ...

    async def update(self, new: NewRevision) -> EntrySaved:
        """Its next revision, unless nothing differs. Raises NotFound."""
        ...

    async def get(self, kind: EntryKind, query: GetEntry) -> Entry:
        """Raises NotFound."""
        ...

    async def list(self, kind: EntryKind, query: ListEntries) -> EntryPage:
        """Raises Invalid for a cursor that is none."""
        ...

    async def delete(self, kind: EntryKind, named: EntryNamed) -> Deleted:
        """All its revisions; raises NotFound, also the second time."""
        ...
