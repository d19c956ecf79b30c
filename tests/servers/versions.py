"""The mark for tests of SQL, which must run on every Postgres that is supported."""

import os

import pytest

from tests.servers.postgres import available_postgres


def _versions() -> tuple[str, ...]:
    if os.environ.get("EVALBUS_TEST_DATABASE_URL"):
        return ("theirs",)
    return tuple(available_postgres())


on_each_postgres = pytest.mark.parametrize("postgres_version", _versions(), indirect=True)
"""A test so marked gets its `database_url` once on each Postgres at hand."""
