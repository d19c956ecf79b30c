"""The store on a database of the test's own, which also sees to it that jobs change as they may."""

from collections.abc import AsyncGenerator

import pytest

from tests.stores import Stores, open_stores
from tests.transitions import refuse_unknown_changes


@pytest.fixture
async def stores(database_url: str) -> AsyncGenerator[Stores]:
    async with open_stores(database_url) as opened:
        await refuse_unknown_changes(opened.database)
        yield opened
