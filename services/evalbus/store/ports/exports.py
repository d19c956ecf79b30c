"""Reading a whole job out, and the files that are to be written of it."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from evalbus_schemas.exports import DatapointPage, Exporting, ExportJob, ExportNamed, ListDatapoints


class DatapointStore(Protocol):
    async def page(self, query: ListDatapoints) -> DatapointPage:
        """Raises NotFound, Invalid for a cursor that is none, or Conflict if a datapoint that is larger than a page has
        changed since its first part was read."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExportLease:
    """The right to write one export, until another takes it over."""

    export_no: int
    export_id: UUID
    token: UUID
    attempts: int
    """Who took it up so far, this one included; not those who gave it back."""
    command: ExportJob
    """With the id of its job, whose name may be another's by now."""
    upload: str | None
    """What the bucket calls the parts that an earlier holder left there."""


class ExportStore(Protocol):
    async def create(self, command: ExportJob) -> Exporting:
        """The one that is under way, if the same command was given before. Raises NotFound."""
        ...

    async def exporting(self, named: ExportNamed) -> Exporting:
        """Raises NotFound."""
        ...

    async def claim(self, *, lease_seconds: float) -> ExportLease | None:
        """The oldest one that nobody writes; it is running then, and none of it is written."""
        ...

    async def renew(
        self,
        lease: ExportLease,
        *,
        datapoints: int,
        lease_seconds: float,
        upload: str | None = None,
    ) -> None:
        """With how many are written, and what the bucket calls the parts that it has. Raises LeaseLost."""
        ...

    async def release(self, lease: ExportLease) -> None:
        """Let another begin at once; nothing if the lease is lost."""
        ...

    async def complete(self, lease: ExportLease, *, datapoints: int) -> None:
        """Raises LeaseLost."""
        ...

    async def fail(self, lease: ExportLease, *, code: str, message: str) -> None:
        """Raises LeaseLost."""
        ...
