"""Files that arrive in pages: kept by the digest of their content, and whole only if that digest is right."""

import base64
import binascii
import hashlib
from collections.abc import AsyncGenerator

from evalbus.errors import Conflict, Invalid, NotFound
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.sql import load
from evalbus_schemas.catalogue import UPLOAD_PAGE_BYTES, Upload, Uploaded

SQL = load("uploads.sql")

PAGES_AT_ONCE = 16
ABANDONED_DAYS = 7
"""A file that was begun and never completed is forgotten after so long, when the next one is begun."""
WRONG_SIZE_HOURS = 1
"""So long a file that was begun with one size keeps others from sending it with another."""


class PostgresUploads:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, page: Upload) -> Uploaded:
        data = _data(page)
        async with self._database.transaction() as connection:
            added = await _add(connection, page, data)
        if added is None:
            raise Invalid(
                f"the content of {page.size} bytes has not the hash {page.sha256}: nothing of it is kept",
                {"wanted": page.sha256},
            )
        return added

    async def uploaded(self, sha256: str) -> Uploaded:
        async with self._database.connection() as connection:
            record = await connection.fetchrow(SQL.find_upload, bytes.fromhex(sha256))
        if record is None:
            return Uploaded(sha256=sha256, received=0, is_complete=False)
        return Uploaded(
            sha256=sha256, received=record["received"], is_complete=record["is_complete"]
        )

    async def pages(self, sha256: str) -> AsyncGenerator[bytes]:
        """No connection is held while the caller writes what it got."""
        if not (await self.uploaded(sha256)).is_complete:
            raise NotFound(
                f"no file with the hash {sha256} is uploaded", {"wanted": "a file", "found": sha256}
            )
        offset = 0
        while True:
            async with self._database.connection() as connection:
                records = await connection.fetch(
                    SQL.next_pages, bytes.fromhex(sha256), offset, PAGES_AT_ONCE
                )
            if not records:
                return
            for record in records:
                yield record["data"]
            offset = records[-1]["page_offset"] + 1


def _data(page: Upload) -> bytes:
    try:
        data = base64.b64decode(page.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"data: not base64: {error}") from None
    if len(data) > UPLOAD_PAGE_BYTES:
        raise Invalid(f"data: {len(data)} bytes are more than the {UPLOAD_PAGE_BYTES} of a page")
    if page.offset + len(data) > page.size:
        raise Invalid(f"the page ends behind the {page.size} bytes of the file")
    if not data and page.size:
        raise Invalid("data: a page without bytes")
    return data


async def _add(connection: Connection, page: Upload, data: bytes) -> Uploaded | None:
    """Where the file goes on; None if it is all there and has another hash, with which it is gone."""
    key = bytes.fromhex(page.sha256)
    await connection.execute(SQL.forget_abandoned, key, page.size, ABANDONED_DAYS, WRONG_SIZE_HOURS)
    record = await connection.fetchrow(SQL.lock_upload, key, page.size)
    assert record is not None, "it is made or found"
    received, end = record["received"], page.offset + len(data)
    if record["size"] != page.size:
        raise Conflict(
            f"a file with this hash has {record['size']} bytes by what was sent before, not {page.size}",
            {"wanted": record["size"], "found": page.size},
        )
    if page.offset > received:
        raise Conflict(
            f"the page begins at {page.offset}, and only {received} bytes are there: go on from there",
            {"wanted": received, "found": page.offset},
        )
    is_complete = bool(record["is_complete"])
    if not is_complete and (end > received or not page.size):
        # Somebody else may have sent the beginning of it in pages of another size.
        await connection.execute(SQL.add_page, key, received, data[received - page.offset :])
        received, is_complete = end, end == page.size
        if is_complete and await _hash(connection, key) != key:
            await connection.execute(SQL.delete_upload, key)
            return None
        await connection.execute(SQL.note_received, key, received, is_complete)
    return Uploaded(sha256=page.sha256, received=received, is_complete=is_complete)


async def _hash(connection: Connection, key: bytes) -> bytes:
    digest, offset = hashlib.sha256(), 0
    while records := await connection.fetch(SQL.next_pages, key, offset, PAGES_AT_ONCE):
        for record in records:
            digest.update(record["data"])
        offset = records[-1]["page_offset"] + 1
    return digest.digest()
