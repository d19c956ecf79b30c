"""Pages of datapoints are asked for ahead, and one that is larger than a page is put together again."""

import asyncio
from collections.abc import Sequence

import pytest

from evalbus.bus.base import Message
from evalbus.client import Client
from evalbus.errors import NotFound, Unavailable
from evalbus.settings import Settings
from evalbus_schemas.exports import DatapointPage, ListDatapoints
from tests.answers import a_bus_that_answers, a_client

WHOLE = ("a\nb\n", "large\n", "d\n")
IN_PIECES = ("a\nb\n", "la", "rg", "e\n", "d\n")


class Service:
    """Answers one text after the other; what stands behind the last is refused."""

    def __init__(
        self, *texts: str, breaks_after: int | None = None, away_at: Sequence[int] = ()
    ) -> None:
        self.texts = texts
        self.breaks_after = breaks_after
        self.away_at = list(away_at)
        """Once for each time that it is not there when this page is asked for."""
        self.asked: list[str | None] = []
        self.was_asked = asyncio.Event()

    async def answer(self, wanted: ListDatapoints, _: Message) -> DatapointPage:
        self.asked.append(wanted.after)
        self.was_asked.set()
        at = int(wanted.after or 0)
        if at in self.away_at:
            self.away_at.remove(at)
            raise Unavailable("the database is away")
        if at == self.breaks_after:
            raise NotFound("the job was deleted")
        text = self.texts[at]
        following = str(at + 1) if at + 1 < len(self.texts) else None
        return DatapointPage(lines=text, count=text.count("\n"), next=following)


async def test_servers_that_are_away_for_a_moment_cost_no_page() -> None:
    service = Service(*WHOLE, away_at=(1, 2))

    async with a_client({"results.datapoints": service.answer}) as client:
        pages = [page async for page in client.results.datapoints("job")]

    assert [page.lines for page in pages] == list(WHOLE)
    assert service.away_at == []


async def test_servers_that_are_away_from_the_start_are_told_of_at_once() -> None:
    service = Service(*WHOLE, away_at=(0,))

    async with a_client({"results.datapoints": service.answer}) as client:
        with pytest.raises(Unavailable, match="the database is away"):
            await anext(client.results.datapoints("job"))

    assert service.asked == [None]


@pytest.mark.parametrize("texts", [WHOLE, IN_PIECES])
async def test_every_page_has_whole_datapoints(texts: tuple[str, ...]) -> None:
    service = Service(*texts)

    async with a_client({"results.datapoints": service.answer}) as client:
        pages = [page async for page in client.results.datapoints("job")]

    assert [page.lines for page in pages] == list(WHOLE)
    assert [page.count for page in pages] == [2, 1, 1]
    assert len(service.asked) == len(texts)


async def test_a_job_without_datapoints_is_one_empty_page() -> None:
    async with a_client({"results.datapoints": Service("").answer}) as client:
        pages = [page async for page in client.results.datapoints("job")]

    assert [page.lines for page in pages] == [""]


async def test_the_next_page_is_asked_for_while_one_is_used() -> None:
    service = Service(*WHOLE)

    async with a_client({"results.datapoints": service.answer}) as client:
        pages = client.results.datapoints("job")
        await anext(pages)
        service.was_asked.clear()
        async with asyncio.timeout(5):
            await service.was_asked.wait()

    assert service.asked == [None, "1"]


async def test_whoever_leaves_early_hears_nothing_of_the_page_that_was_not_to_be_had() -> None:
    service = Service(*WHOLE, breaks_after=1)

    async with a_client({"results.datapoints": service.answer}) as client:
        async for page in client.results.datapoints("job"):
            assert page.lines == "a\nb\n"
            break
        with pytest.raises(NotFound, match="deleted"):
            _ = [page async for page in client.results.datapoints("job")]


def test_the_synchronous_client_has_the_same_pages() -> None:
    service = Service(*IN_PIECES)

    with Client(
        opener=lambda: a_bus_that_answers({"results.datapoints": service.answer}),
        settings=Settings(),
    ) as client:
        assert "".join(page.lines for page in client.results.datapoints("job")) == "".join(WHOLE)
