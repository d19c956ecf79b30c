"""A local file is there whole or not at all, whatever goes wrong on the way."""

import asyncio
import os
import resource
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from evalbus.exporting import (
    CsvExportConfig,
    ExportConfig,
    JsonExportConfig,
    JsonlExportConfig,
    LocalFile,
    ParquetExportConfig,
    WrongExport,
    file_chunks,
    save,
)
from evalbus_schemas.exports import DatapointPage
from tests.exporting import a_datapoint, pages_of

FORMATS = [JsonExportConfig(), JsonlExportConfig(), CsvExportConfig(), ParquetExportConfig()]
SIZE_MAX = 1024 * 1024


async def saved(path: Path, config: ExportConfig, pages: AsyncGenerator[DatapointPage]) -> None:
    file = LocalFile(path)
    await save(file_chunks(pages, config, folder=file.folder), file)


def content(folder: Path) -> dict[str, str]:
    return {each.name: each.read_text("utf-8", "replace") for each in folder.iterdir()}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "run.out"
    path.write_text("of yesterday", "utf-8")
    return path


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files may not grow beyond SIZE_MAX; to whoever writes them it is as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE_MAX, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_folders_are_made_and_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "run.jsonl"

    await saved(path, JsonlExportConfig(), pages_of([a_datapoint(0)]))
    await saved(path, JsonlExportConfig(), pages_of([a_datapoint(1)]))

    (found,) = content(path.parent).items()
    assert found[0] == "run.jsonl"
    assert '"capitals::1"' in found[1]


@pytest.mark.parametrize("config", FORMATS)
async def test_until_it_is_whole_there_is_only_the_old_one(config: ExportConfig, old: Path) -> None:
    seen: list[str] = []

    async def pages() -> AsyncGenerator[DatapointPage]:
        async for page in pages_of([a_datapoint(number) for number in range(6)]):
            seen.append(content(old.parent)["run.out"])
            yield page

    await saved(old, config, pages())

    assert seen == ["of yesterday"] * 3
    (found,) = content(old.parent).items()
    assert found[0] == "run.out"
    assert "of yesterday" not in found[1]


@pytest.mark.parametrize("config", FORMATS)
async def test_a_source_that_breaks_off_leaves_what_was_there(
    config: ExportConfig, old: Path
) -> None:
    async def pages() -> AsyncGenerator[DatapointPage]:
        async for page in pages_of([a_datapoint(number) for number in range(6)]):
            yield page
            if page.head is None:
                raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        await saved(old, config, pages())

    assert content(old.parent) == {"run.out": "of yesterday"}


@pytest.mark.parametrize("config", FORMATS)
async def test_whoever_gives_up_leaves_what_was_there(config: ExportConfig, old: Path) -> None:
    waits = asyncio.Event()

    async def pages() -> AsyncGenerator[DatapointPage]:
        async for page in pages_of([a_datapoint(0)]):
            yield page
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(saved(old, config, pages()))
    async with asyncio.timeout(10):
        await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert content(old.parent) == {"run.out": "of yesterday"}


@pytest.mark.parametrize("config", FORMATS)
async def test_nobody_is_gone_before_the_thread_that_writes(
    config: ExportConfig, old: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(LocalFile):
        def write(self, chunk: bytes) -> None:
            begun.set()
            assert may_go_on.wait(10)
            super().write(chunk)
            written.append(chunk)

    begun, may_go_on = threading.Event(), threading.Event()
    written: list[bytes] = []
    file = Slow(old)
    pages = pages_of([a_datapoint(0)])
    task = asyncio.create_task(save(file_chunks(pages, config, folder=file.folder), file))
    assert await asyncio.to_thread(begun.wait, 10)

    task.cancel()
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(written) == 1
    assert content(old.parent) == {"run.out": "of yesterday"}
    assert not caplog.records


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("config", FORMATS)
async def test_a_full_disk_is_told_with_the_path_and_leaves_what_was_there(
    config: ExportConfig, old: Path
) -> None:
    points = [a_datapoint(number, {"noise": os.urandom(100_000).hex()}) for number in range(20)]

    with pytest.raises(OSError, match="too large") as raised:
        await saved(old, config, pages_of(points))

    # Tables wait beside it, in a file that has no name.
    assert raised.value.filename in (str(old), str(old.parent))
    assert content(old.parent) == {"run.out": "of yesterday"}


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(WrongExport, match="not a file that could be replaced") as raised:
        LocalFile(tmp_path)

    assert str(tmp_path) in str(raised.value)
    assert isinstance(raised.value, ValueError)
    assert content(tmp_path) == {}


def test_nothing_is_written_below_a_file(old: Path) -> None:
    path = old / "run.json"

    with pytest.raises(NotADirectoryError, match=r"run\.out/run\.json"), LocalFile(path):
        pass
    below = old / "below" / "run.json"
    with pytest.raises(NotADirectoryError, match=r"run\.out/below/run\.json"), LocalFile(below):
        pass

    assert content(old.parent) == {"run.out": "of yesterday"}


def test_neither_is_a_device_replaced() -> None:
    with pytest.raises(WrongExport, match="/dev/null is not a file"):
        LocalFile(Path("/dev/null"))


def test_links_in_a_circle_are_no_place_for_a_file(tmp_path: Path) -> None:
    circle = tmp_path / "circle.json"
    circle.symlink_to(circle)

    with pytest.raises(OSError, match=r"circle\.json"):
        LocalFile(circle)

    assert circle.is_symlink()


@pytest.mark.parametrize("text", ["a\0b.json", "\ud800.json"])
def test_neither_is_what_no_file_can_be_called(text: str) -> None:
    with pytest.raises(WrongExport, match="can be no path"):
        LocalFile(Path(text))


def test_a_link_stays_one_and_leads_to_the_new_file(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "links" / "latest"
    link.parent.mkdir()
    link.symlink_to(old)

    with LocalFile(link) as file:
        file.write(b"of today")
        file.commit()

    assert link.is_symlink()
    assert old.read_text("utf-8") == "of today"


def test_a_place_without_the_right_to_write_is_named() -> None:
    # Where nobody makes files, whoever runs the tests.
    nowhere = LocalFile(Path("/sys/run.json"))
    with pytest.raises(OSError, match=r"'/sys/run\.json'"), nowhere:
        pass
