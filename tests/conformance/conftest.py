"""The store on a database of the test's own."""

from collections.abc import AsyncGenerator

import pytest

from tests.stores import Stores, open_stores


@pytest.fixture
async def stores(database_url: str) -> AsyncGenerator[Stores]:
    async with open_stores(database_url) as opened:
        yield opened
