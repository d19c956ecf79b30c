"""A file that comes in pages is whole only when its content has the hash it was announced with."""

import asyncio
import base64
import hashlib
import random
from collections.abc import Sequence

import pytest

from evalbus.errors import Conflict, Invalid, NotFound
from evalbus_schemas.catalogue import UPLOAD_PAGE_BYTES, Upload
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres

CONTENT = random.Random(4).randbytes(2 * UPLOAD_PAGE_BYTES + 1000)


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def a_page(
    content: bytes = CONTENT,
    *,
    offset: int = 0,
    length: int = UPLOAD_PAGE_BYTES,
    size: int | None = None,
    sha256: str | None = None,
    data: str | None = None,
) -> Upload:
    piece = content[offset : offset + length]
    return Upload(
        sha256=sha256 or hash_of(content),
        size=len(content) if size is None else size,
        offset=offset,
        data=base64.b64encode(piece).decode() if data is None else data,
    )


async def send(
    stores: Stores, content: bytes = CONTENT, *, length: int = UPLOAD_PAGE_BYTES
) -> None:
    """As a client does: page after page, from wherever the file goes on."""
    state = await stores.uploads.uploaded(hash_of(content))
    while not state.is_complete:
        state = await stores.uploads.add(a_page(content, offset=state.received, length=length))


async def content_of(stores: Stores, sha256: str) -> bytes:
    return b"".join([page async for page in stores.uploads.pages(sha256)])


async def test_pages_in_order_make_a_whole_file(stores: Stores) -> None:
    states = [
        await stores.uploads.add(a_page(offset=offset))
        for offset in (0, UPLOAD_PAGE_BYTES, 2 * UPLOAD_PAGE_BYTES)
    ]

    assert [state.received for state in states] == [
        UPLOAD_PAGE_BYTES,
        2 * UPLOAD_PAGE_BYTES,
        len(CONTENT),
    ]
    assert [state.is_complete for state in states] == [False, False, True]
    assert await stores.uploads.uploaded(hash_of(CONTENT)) == states[-1]
    assert await content_of(stores, hash_of(CONTENT)) == CONTENT


async def test_an_empty_file_is_whole_with_one_page(stores: Stores) -> None:
    state = await stores.uploads.add(a_page(b""))
    again = await stores.uploads.add(a_page(b""))

    assert (state.is_complete, state.received) == (True, 0)
    assert again == state
    assert await content_of(stores, hash_of(b"")) == b""


async def test_of_a_file_that_nobody_sent_nothing_is_there(stores: Stores) -> None:
    state = await stores.uploads.uploaded(hash_of(CONTENT))

    assert (state.received, state.is_complete) == (0, False)
    with pytest.raises(NotFound, match=hash_of(CONTENT)):
        await content_of(stores, hash_of(CONTENT))


async def test_a_page_that_comes_again_changes_nothing(stores: Stores) -> None:
    first = await stores.uploads.add(a_page())
    again = await stores.uploads.add(a_page())
    await send(stores)
    late = await stores.uploads.add(a_page())

    assert first == again
    assert late.is_complete
    assert await content_of(stores, hash_of(CONTENT)) == CONTENT


async def test_a_page_that_leaves_a_gap_is_a_conflict_that_says_where_to_go_on(
    stores: Stores,
) -> None:
    await stores.uploads.add(a_page(length=100))

    with pytest.raises(Conflict, match="only 100 bytes") as raised:
        await stores.uploads.add(a_page(offset=UPLOAD_PAGE_BYTES))

    assert raised.value.data["wanted"] == 100
    assert (await stores.uploads.uploaded(hash_of(CONTENT))).received == 100


async def test_an_interrupted_file_is_not_there_until_somebody_sends_the_rest(
    stores: Stores,
) -> None:
    await stores.uploads.add(a_page())

    with pytest.raises(NotFound):
        await content_of(stores, hash_of(CONTENT))
    await send(stores, length=1234)

    assert await content_of(stores, hash_of(CONTENT)) == CONTENT


async def test_another_size_is_a_conflict(stores: Stores) -> None:
    await stores.uploads.add(a_page())

    with pytest.raises(Conflict, match=f"has {len(CONTENT)} bytes"):
        await stores.uploads.add(a_page(size=len(CONTENT) + 1))


async def test_a_size_that_was_wrong_does_not_keep_the_right_one_out_for_ever(
    stores: Stores,
) -> None:
    await stores.uploads.add(a_page(size=len(CONTENT) + 1))
    await stores.value("UPDATE upload SET created_at = now() - interval '2 hours'")

    for offset in range(0, len(CONTENT), UPLOAD_PAGE_BYTES):
        await stores.uploads.add(a_page(offset=offset))

    assert await content_of(stores, hash_of(CONTENT)) == CONTENT


async def test_of_a_content_with_another_hash_nothing_is_kept(stores: Stores) -> None:
    claimed = hash_of(b"something else")
    await stores.uploads.add(a_page(sha256=claimed))
    await stores.uploads.add(a_page(sha256=claimed, offset=UPLOAD_PAGE_BYTES))

    with pytest.raises(Invalid, match="has not the hash"):
        await stores.uploads.add(a_page(sha256=claimed, offset=2 * UPLOAD_PAGE_BYTES))

    assert (await stores.uploads.uploaded(claimed)).received == 0
    assert await stores.value("SELECT count(*) FROM upload_page") == 0


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (a_page(data="not base64!"), "not base64"),
        (a_page(data="YQ"), "not base64"),
        (a_page(data="ä" * 4), "not base64"),
        (a_page(data="QUJD\n"), "not base64"),
        (a_page(data=""), "without bytes"),
        (a_page(length=UPLOAD_PAGE_BYTES + 1), "more than the"),
        (a_page(size=10), "behind the 10 bytes"),
        (a_page(b"", data="QUJD"), "behind the 0 bytes"),
        (a_page(size=10, offset=10, data="QQ=="), "behind the 10 bytes"),
    ],
)
async def test_a_page_that_is_none_is_refused_and_nothing_is_kept(
    stores: Stores, page: Upload, says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        await stores.uploads.add(page)

    assert await stores.value("SELECT count(*) FROM upload") == 0


@pytest.mark.parametrize("lengths", [(UPLOAD_PAGE_BYTES,) * 4, (1000 * 97, 256 * 1024, 70_001)])
async def test_many_may_send_the_same_file_at_once(stores: Stores, lengths: Sequence[int]) -> None:
    await asyncio.gather(*(send(stores, length=length) for length in lengths))

    assert await content_of(stores, hash_of(CONTENT)) == CONTENT


async def test_a_file_of_many_pages_is_read_in_order(stores: Stores) -> None:
    content = random.Random(5).randbytes(5000)

    await send(stores, content, length=61)

    assert await content_of(stores, hash_of(content)) == content


async def test_what_was_begun_long_ago_is_forgotten_when_another_is_begun(stores: Stores) -> None:
    await stores.uploads.add(a_page())
    await send(stores, b"whole")
    await stores.value("UPDATE upload SET created_at = now() - interval '8 days'")

    await send(stores, b"another")

    assert (await stores.uploads.uploaded(hash_of(CONTENT))).received == 0
    assert await content_of(stores, hash_of(b"whole")) == b"whole"
