"""Answers of live models, kept by the digest of what they depend on."""

from collections.abc import Sequence

import orjson

from evalbus.store.postgres.database import Database
from evalbus.store.postgres.records import storable
from evalbus.store.postgres.sql import load
from evalbus_schemas.chunks import Answer, Asked

SQL = load("answers.sql")


class PostgresAnswers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, answers: Sequence[Answer]) -> None:
        # In the order of their keys, as everybody stores them: otherwise two may wait for each other.
        ordered = sorted(answers, key=lambda answer: answer.key)
        async with self._database.connection() as connection:
            await connection.execute(
                SQL.keep,
                [bytes.fromhex(answer.key) for answer in ordered],
                [answer.job_id for answer in ordered],
                [storable(answer.row) for answer in ordered],
                [answer.is_shared for answer in ordered],
                [orjson.dumps(answer.sample).decode() for answer in ordered],
                [storable(answer.asked.model_dump_json()) for answer in ordered],
            )

    async def find(self, keys: Sequence[str]) -> Sequence[Answer]:
        async with self._database.connection() as connection:
            records = await connection.fetch(SQL.find, [bytes.fromhex(key) for key in keys])
        return [
            Answer(
                key=record["key"].hex(),
                job_id=record["job_id"],
                row=record["row"],
                is_shared=record["is_shared"],
                sample=orjson.loads(record["sample"]),
                asked=Asked.model_validate_json(record["asked"]),
            )
            for record in records
        ]
