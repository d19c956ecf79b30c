"""Copies of uploaded files: whole or not there, kept while they are read, and never too many."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evalbus.errors import Invalid, NotFound, Unavailable
from evalbus.producer.uploads import UploadFiles
from evalbus_schemas.benchmark import Dataset
from evalbus_schemas.catalogue import Upload, Uploaded


class Kept:
    """Whole files, two bytes a page."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = {hashlib.sha256(content).hexdigest(): content for content in contents}
        self.n_read = 0
        self.is_asked = asyncio.Event()

    async def add(self, page: Upload) -> Uploaded:
        raise NotImplementedError

    async def uploaded(self, sha256: str) -> Uploaded:
        content = self.contents.get(sha256)
        received = 0 if content is None else len(content)
        return Uploaded(sha256=sha256, received=received, is_complete=content is not None)

    async def pages(self, sha256: str) -> AsyncIterator[bytes]:
        self.n_read += 1
        self.is_asked.set()
        content = self.contents[sha256]
        for start in range(0, len(content), 2):
            await asyncio.sleep(0)
            yield content[start : start + 2]


def sizes_in(folder: Path) -> list[int]:
    return [file.stat().st_size for file in folder.iterdir()]


def source_of(content: bytes, name: str = "rows.jsonl") -> str:
    return f"upload://{hashlib.sha256(content).hexdigest()}/{name}"


def a_dataset(*sources: str) -> Dataset:
    return Dataset(name="rows", source=sources)


async def test_a_file_is_at_hand_as_long_as_it_is_asked_for(tmp_path: Path) -> None:
    files = UploadFiles(Kept(b"abcde", b"xyz"), tmp_path)
    one, other = source_of(b"abcde"), source_of(b"xyz", "other.csv")

    async with files.at_hand([a_dataset(one, "local.csv"), a_dataset(other)]) as find:
        assert find(one).read_bytes() == b"abcde"
        assert find(other).read_bytes() == b"xyz"


async def test_many_readers_share_one_copy(tmp_path: Path) -> None:
    kept = Kept(b"abcdefgh")
    files = UploadFiles(kept, tmp_path)

    async def read(name: str) -> bytes:
        source = source_of(b"abcdefgh", name)
        async with files.at_hand([a_dataset(source)]) as find:
            return find(source).read_bytes()

    contents = await asyncio.gather(*(read(f"{number % 3}.csv") for number in range(9)))

    assert set(contents) == {b"abcdefgh"}
    assert kept.n_read == 1


async def test_the_least_recently_read_makes_room_and_what_is_read_stays(tmp_path: Path) -> None:
    a, b, c = b"a" * 40, b"b" * 40, b"c" * 40
    kept = Kept(a, b, c)
    files = UploadFiles(kept, tmp_path, bytes_max=100)

    async with files.at_hand([a_dataset(source_of(a))]) as find_a:
        async with files.at_hand([a_dataset(source_of(b))]):
            with pytest.raises(Unavailable, match="80 of 100 bytes"):
                async with files.at_hand([a_dataset(source_of(c))]):
                    raise AssertionError("there is no room")
        async with files.at_hand([a_dataset(source_of(c))]) as find_c:
            assert find_a(source_of(a)).read_bytes() == a
            assert find_c(source_of(c)).read_bytes() == c
            assert sum(sizes_in(tmp_path)) == 80
    async with files.at_hand([a_dataset(source_of(a))]):
        assert kept.n_read == 3


async def test_a_copy_whose_content_is_another_is_thrown_away(tmp_path: Path) -> None:
    kept = Kept(b"right")
    (sha256,) = kept.contents
    kept.contents[sha256] = b"wrong"
    files = UploadFiles(kept, tmp_path)

    with pytest.raises(Invalid, match="another hash"):
        async with files.at_hand([a_dataset(source_of(b"right"))]):
            raise AssertionError("it is not given out")
    assert sizes_in(tmp_path) == []

    kept.contents[sha256] = b"right"
    async with files.at_hand([a_dataset(source_of(b"right"))]) as find:
        assert find(source_of(b"right")).read_bytes() == b"right"


async def test_who_gives_up_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    content = b"x" * 10_000
    kept = Kept(content)
    files = UploadFiles(kept, tmp_path)

    async def read() -> None:
        async with files.at_hand([a_dataset(source_of(content))]):
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(read())
    await kept.is_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert sizes_in(tmp_path) == []


@pytest.mark.parametrize(
    "source", ["upload://x/y", "upload://" + "0" * 64, "upload://" + "0" * 64 + "/a/b", "upload://"]
)
async def test_a_source_that_is_no_upload_is_invalid(tmp_path: Path, source: str) -> None:
    with pytest.raises(Invalid, match="dataset 'rows'"):
        async with UploadFiles(Kept(), tmp_path).at_hand([a_dataset(source)]):
            raise AssertionError("there is none")


async def test_a_file_that_nobody_sent_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is uploaded"):
        async with UploadFiles(Kept(), tmp_path).at_hand([a_dataset(source_of(b"x"))]):
            raise AssertionError("there is none")
