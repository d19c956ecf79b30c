"""Answers of whoever is asked, kept so that nobody pays for one twice."""

from collections.abc import Sequence
from typing import Protocol

from evalbus_schemas.chunks import Answer


class AnswerStore(Protocol):
    async def keep(self, answers: Sequence[Answer]) -> None:
        """Each once; the first to come stays."""
        ...

    async def find(self, keys: Sequence[str]) -> Sequence[Answer]:
        """Those that are there, in any order."""
        ...
