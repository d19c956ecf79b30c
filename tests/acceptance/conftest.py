"""The services as real processes, for whoever comes from outside."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import IMPATIENT, System


@pytest.fixture
def empty_system(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[System]:
    """A migrated database and a broker, and nobody serving yet."""
    system = System(amqp_url, database_url, tmp_path, settings=IMPATIENT)
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def services(empty_system: System) -> System:
    """Producer, evaluator and results, each a process."""
    empty_system.start("producer", "evaluator", "results")
    return empty_system


@pytest.fixture
def real_data() -> Path:
    """Data that the project does not carry; EVALBUS_TEST_DATA, or the folder `shared/data` beside the checkout."""
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("EVALBUS_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}: set EVALBUS_TEST_DATA")
    return folder
