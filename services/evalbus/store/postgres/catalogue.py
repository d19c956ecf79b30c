"""Saved things and their revisions: a revision never changes, a name leads to the newest one."""

import json
from dataclasses import replace
from typing import Literal

import asyncpg

from evalbus.errors import Conflict, NotFound, TransientError
from evalbus.store.ports import NewRevision
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import (
    NUMBER_MAX,
    PAGE_BYTES_MAX,
    fitting,
    not_a_cursor,
    storable,
)
from evalbus.store.postgres.sql import load
from evalbus.store.revisions import says_the_same
from evalbus_schemas.base import JsonObject
from evalbus_schemas.catalogue import (
    Entry,
    EntryKind,
    EntryNamed,
    EntryPage,
    EntrySaved,
    GetEntry,
    ListEntries,
)
from evalbus_schemas.names import reference
from evalbus_schemas.queries import Deleted

SQL = load("catalogue.sql")

REVISION_MAX = 2**31 - 1
ATTEMPTS_MAX = 5


class PostgresCatalogue:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewRevision) -> EntrySaved:
        new = _storable(new)
        for _ in range(ATTEMPTS_MAX):
            async with self._database.transaction() as connection:
                # Looked for first: an attempt to insert takes a number whether or not it succeeds.
                if await connection.fetchval(SQL.lock_entry, new.kind, new.workspace, new.name):
                    return _unchanged(await _newest(connection, new), new)
                entry_no: int | None = await connection.fetchval(
                    SQL.create_entry, new.kind, new.workspace, new.name
                )
                if entry_no is not None:
                    await _add_revision(connection, entry_no, new)
                    return await _saved(connection, new, "created")
            # Somebody else made it between the two statements, and may delete it before the next.
        raise TransientError(
            f"{reference(new.workspace, new.name)} is made and deleted all the time"
        )

    async def update(self, new: NewRevision) -> EntrySaved:
        new = _storable(new)
        async with self._database.transaction() as connection:
            entry_no: int | None = await connection.fetchval(
                SQL.lock_entry, new.kind, new.workspace, new.name
            )
            if entry_no is None:
                raise no_entry(new.kind, EntryNamed(name=new.name, workspace=new.workspace))
            before = await _newest(connection, new)
            if says_the_same(before, new):
                return EntrySaved(entry=before, change="unchanged")
            await connection.execute(SQL.next_revision, entry_no)
            await _add_revision(connection, entry_no, new)
            return await _saved(connection, new, "updated")

    async def get(self, kind: EntryKind, query: GetEntry) -> Entry:
        async with self._database.connection() as connection:
            record = await connection.fetchrow(
                SQL.find_entry,
                kind,
                query.workspace,
                query.name,
                _number(query.uid),
                None if query.revision is None else min(query.revision, REVISION_MAX),
            )
        if record is None:
            raise no_entry(kind, query)
        return _entry(record)

    async def list(self, kind: EntryKind, query: ListEntries) -> EntryPage:
        async with self._database.connection() as connection:
            records = await connection.fetch(
                SQL.list_entries,
                kind,
                query.workspace,
                None if query.search is None else storable(query.search),
                _number_before(query.after),
                query.limit + 1,
                PAGE_BYTES_MAX,
            )
        kept = fitting(map(_entry, records[: query.limit]))
        has_more = bool(records) and len(kept) < records[0]["n_wanted"]
        return EntryPage(entries=kept, next=str(kept[-1].uid) if has_more else None)

    async def delete(self, kind: EntryKind, named: EntryNamed) -> Deleted:
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(
                SQL.delete_entry, kind, named.workspace, named.name, _number(named.uid)
            )
            if record is None:
                raise no_entry(kind, named)
            await connection.execute(SQL.delete_revisions, record["entry_no"])
        return Deleted(
            id=reference(named.workspace, record["name"]), deleted_at=record["deleted_at"]
        )


def no_entry(kind: EntryKind, named: EntryNamed) -> NotFound:
    found = named.uid if named.name is None else reference(named.workspace, named.name)
    known_by = f"number {found} in workspace {named.workspace!r}" if named.name is None else found
    revision = (
        f" in revision {named.revision}" if isinstance(named, GetEntry) and named.revision else ""
    )
    return NotFound(
        f"no {kind} is saved as {known_by}{revision}", {"wanted": f"a {kind}", "found": found}
    )


def _storable(new: NewRevision) -> NewRevision:
    """With nothing in its texts that the database could not hold, so that it compares equal when it comes again."""
    return replace(
        new,
        version=storable(new.version),
        description=storable(new.description),
        supplier=storable(new.supplier),
        created_by=None if new.created_by is None else storable(new.created_by),
    )


async def _add_revision(connection: Connection, entry_no: int, new: NewRevision) -> None:
    await connection.execute(
        SQL.add_revision,
        entry_no,
        new.version,
        new.description,
        new.supplier,
        _text(dict(new.labels)),
        _text(new.additional_info),
        _text(new.definition),
        new.created_by,
    )


async def _newest(connection: Connection, new: NewRevision) -> Entry:
    record = await connection.fetchrow(
        SQL.find_entry, new.kind, new.workspace, new.name, None, None
    )
    assert record is not None, "its row is locked"
    return _entry(record)


async def _saved(
    connection: Connection, new: NewRevision, change: Literal["created", "updated"]
) -> EntrySaved:
    return EntrySaved(entry=await _newest(connection, new), change=change)


def _unchanged(there: Entry, new: NewRevision) -> EntrySaved:
    if says_the_same(there, new):
        return EntrySaved(entry=there, change="unchanged")
    raise Conflict(
        f"a {new.kind} with another content is saved as {there.id}: update it, or choose another name",
        {"found": there.id, "revision": there.revision},
    )


def _text(value: JsonObject | dict[str, str]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _number(uid: int | None) -> int | None:
    return None if uid is None else min(uid, NUMBER_MAX)


def _number_before(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= NUMBER_MAX):
        raise not_a_cursor(cursor)
    return int(cursor)


def _entry(record: "asyncpg.Record") -> Entry:
    return Entry(
        uid=record["entry_no"],
        id=reference(record["workspace"], record["name"]),
        kind=record["kind"],
        workspace=record["workspace"],
        name=record["name"],
        revision=record["revision"],
        version=record["version"],
        description=record["description"],
        supplier=record["supplier"],
        labels=json.loads(record["labels"]),
        additional_info=json.loads(record["additional_info"]),
        definition=json.loads(record["definition"]),
        created_at=record["created_at"],
        updated_at=record["updated_at"],
        created_by=record["created_by"],
    )
