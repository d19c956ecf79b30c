"""A message that was set aside is kept once, whatever is in it, and can be looked at."""

import asyncio

import pytest

from evalbus.errors import Invalid, NotFound
from evalbus_schemas.queries import ListDeadLetters
from tests.builders import a_letter
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def test_a_letter_is_shown_as_it_was_kept(stores: Stores) -> None:
    await stores.dead_letters.keep(a_letter(headers={"x": "1"}, body=b'{"half'))

    (listed,) = (await stores.dead_letters.list(ListDeadLetters())).dead_letters
    shown = await stores.dead_letters.show(listed.id)

    assert shown.dead_letter == listed
    assert (listed.queue, listed.reason, listed.detail) == ("evalbus.scored", "invalid", "not JSON")
    assert (listed.message_id, listed.attempts, listed.body_bytes) == ("message-1", 1, 6)
    assert (shown.headers, shown.body) == ({"x": "1"}, '{"half')


async def test_a_letter_that_comes_twice_is_kept_once(stores: Stores) -> None:
    letter = a_letter(message_id="m" * 255, reason="r" * 3000, queue="q" * 3000)

    await asyncio.gather(*(stores.dead_letters.keep(letter) for _ in range(10)))

    assert len((await stores.dead_letters.list(ListDeadLetters())).dead_letters) == 1


async def test_another_queue_reason_id_or_body_is_another_letter(stores: Stores) -> None:
    letters = [
        a_letter(),
        a_letter(queue="other"),
        a_letter(reason="other"),
        a_letter(message_id="other"),
        a_letter(body=b"other"),
        a_letter(message_id="a", reason="bc"),
        a_letter(message_id="ab", reason="c"),
    ]

    for letter in letters:
        await stores.dead_letters.keep(letter)

    assert len((await stores.dead_letters.list(ListDeadLetters())).dead_letters) == len(letters)


@pytest.mark.parametrize("text", ["with\x00nul", "half \ud800 pair", "ä" * 10_000])
async def test_hostile_text_is_kept_as_far_as_it_can_be(stores: Stores, text: str) -> None:
    letter = a_letter(queue=text, reason=text, detail=text, message_id=text, headers={text: text})

    await stores.dead_letters.keep(letter)
    await stores.dead_letters.keep(letter)

    (listed,) = (await stores.dead_letters.list(ListDeadLetters())).dead_letters
    assert (await stores.dead_letters.show(listed.id)).body == "{"


async def test_a_binary_body_is_kept_and_shown_with_replacements(stores: Stores) -> None:
    await stores.dead_letters.keep(a_letter(body=b"\x00\xff\xfeabc"))

    (listed,) = (await stores.dead_letters.list(ListDeadLetters())).dead_letters
    shown = await stores.dead_letters.show(listed.id)

    assert shown.body == "\x00\ufffd\ufffdabc"
    assert listed.body_bytes == 6


async def test_of_a_large_body_the_beginning_is_kept_and_its_size(stores: Stores) -> None:
    await stores.dead_letters.keep(a_letter(body=b"x" * 100_000, body_bytes=9 * 1024 * 1024))

    (listed,) = (await stores.dead_letters.list(ListDeadLetters())).dead_letters

    assert len((await stores.dead_letters.show(listed.id)).body) == 64 * 1024
    assert listed.body_bytes == 9 * 1024 * 1024


async def test_letters_are_listed_newest_first_by_queue_page_after_page(stores: Stores) -> None:
    for number in range(5):
        await stores.dead_letters.keep(a_letter(queue="one", message_id=f"m{number}"))
    await stores.dead_letters.keep(a_letter(queue="other"))

    first = await stores.dead_letters.list(ListDeadLetters(queue="one", limit=3))
    second = await stores.dead_letters.list(ListDeadLetters(queue="one", limit=3, after=first.next))

    assert [letter.message_id for letter in first.dead_letters] == ["m4", "m3", "m2"]
    assert [letter.message_id for letter in second.dead_letters] == ["m1", "m0"]
    assert second.next is None
    assert (await stores.dead_letters.list(ListDeadLetters(queue="a\x00"))).dead_letters == ()


async def test_a_page_of_letters_is_at_most_a_mebibyte(stores: Stores) -> None:
    for number in range(400):
        await stores.dead_letters.keep(a_letter(detail="x" * 5000, message_id=f"m{number}"))

    first = await stores.dead_letters.list(ListDeadLetters(limit=1000))
    second = await stores.dead_letters.list(ListDeadLetters(limit=1000, after=first.next))

    assert len(first.model_dump_json()) <= 1_100_000
    assert len(first.dead_letters) + len(second.dead_letters) == 400


@pytest.mark.parametrize("number", [1, 2**63, 10**30])
async def test_a_letter_that_is_not_there_is_not_found(stores: Stores, number: int) -> None:
    with pytest.raises(NotFound):
        await stores.dead_letters.show(number)


async def test_a_cursor_that_is_none_is_invalid(stores: Stores) -> None:
    with pytest.raises(Invalid, match="no cursor"):
        await stores.dead_letters.list(ListDeadLetters(after="x"))
