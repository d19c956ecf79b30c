"""Messages that could not be handled, where they can be listed without taking them off a queue."""

import hashlib

import asyncpg
import orjson

from evalbus.errors import NotFound
from evalbus.store.ports import LetterToKeep
from evalbus.store.postgres.database import Database
from evalbus.store.postgres.records import NUMBER_MAX, number_after, page_of, storable
from evalbus.store.postgres.sql import load
from evalbus_schemas.queries import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterShown,
    ListDeadLetters,
)

SQL = load("events.sql")

BODY_BYTES_KEPT = 64 * 1024
DETAIL_CHARACTERS_MAX = 4096


class PostgresDeadLetters:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, letter: LetterToKeep) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                SQL.keep_dead_letter,
                _text(letter.queue),
                _text(letter.reason),
                _text(letter.detail),
                _text(letter.type),
                _text(letter.message_id),
                letter.attempts,
                orjson.dumps(
                    {storable(name): storable(value) for name, value in letter.headers.items()}
                ).decode(),
                letter.body[:BODY_BYTES_KEPT],
                max(letter.body_bytes, len(letter.body)),
                _identity(letter),
            )

    async def list(self, query: ListDeadLetters) -> DeadLetterPage:
        async with self._database.connection() as connection:
            records = await connection.fetch(
                SQL.list_dead_letters,
                None if query.queue is None else storable(query.queue),
                number_after(query.after),
                query.limit + 1,
            )
        kept, following = page_of(records, query.limit, "dead_letter_no", _dead_letter)
        return DeadLetterPage(dead_letters=kept, next=following)

    async def show(self, id: int) -> DeadLetterShown:
        async with self._database.connection() as connection:
            record = await connection.fetchrow(SQL.show_dead_letter, min(id, NUMBER_MAX))
        if record is None:
            raise NotFound(f"no dead letter {id}", {"wanted": "a dead letter", "found": id})
        return DeadLetterShown(
            dead_letter=_dead_letter(record),
            headers=orjson.loads(record["headers"]),
            body=record["body"].decode("utf-8", "replace"),
        )


def _identity(letter: LetterToKeep) -> bytes:
    """The same for a message that was set aside twice for the same reason."""
    parts = (letter.queue, letter.message_id, letter.reason)
    head = "\x00".join(map(storable, parts)).encode()
    return hashlib.sha256(hashlib.sha256(head).digest() + letter.body).digest()


def _text(text: str) -> str:
    return storable(text)[:DETAIL_CHARACTERS_MAX]


def _dead_letter(record: "asyncpg.Record") -> DeadLetter:
    return DeadLetter(
        id=record["dead_letter_no"],
        queue=record["queue"],
        reason=record["reason"],
        detail=record["detail"],
        type=record["type"],
        message_id=record["message_id"],
        attempts=record["attempts"],
        body_bytes=record["body_bytes"],
        first_seen_at=record["first_seen_at"],
    )
