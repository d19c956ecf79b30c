"""Pages that are asked for on a guess are the same pages, and whoever guessed wrong asks again."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from evalbus.errors import Invalid, NotFound
from evalbus.exporting.ahead import asked_ahead
from evalbus.exporting.pages import datapoint_pages
from evalbus_schemas.exports import DatapointPage

PAGE_CHARACTERS = 1000


class Store:
    """Datasets of lines, in pages as large as PAGE_CHARACTERS; a larger line comes in pieces."""

    def __init__(self, *datasets: Sequence[str], refuses_beyond: int | None = None) -> None:
        self.datasets = datasets
        self.refuses_beyond = refuses_beyond
        self.asked: list[str | None] = []
        self.at_once = self.most_at_once = 0

    @property
    def text(self) -> str:
        return "".join(line for dataset in self.datasets for line in dataset)

    async def page(self, after: str | None, limit: int) -> DatapointPage:
        self.asked.append(after)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            return self._page(after or "0.0", limit)
        finally:
            self.at_once -= 1

    def _page(self, after: str, limit: int) -> DatapointPage:
        dataset, row, *within = map(int, after.split("."))
        while dataset < len(self.datasets) and row >= len(self.datasets[dataset]):
            dataset, row = dataset + 1, 0
        if dataset == len(self.datasets):
            if self.refuses_beyond is not None:
                raise Invalid("nothing is there")
            return DatapointPage(lines="", count=0, next=None)
        lines = self.datasets[dataset]
        begun = within[0] if within else 0
        if len(lines[row]) - begun > PAGE_CHARACTERS:
            end = begun + PAGE_CHARACTERS
            return DatapointPage(
                lines=lines[row][begun:end], count=0, next=f"{dataset}.{row}.{end}.0"
            )
        if begun:
            return DatapointPage(lines=lines[row][begun:], count=1, next=f"{dataset}.{row + 1}")
        kept: list[str] = []
        for line in lines[row : row + limit]:
            if kept and sum(map(len, kept)) + len(line) > PAGE_CHARACTERS:
                break
            kept.append(line)
        behind = row + len(kept)
        is_last = dataset == len(self.datasets) - 1 and behind == len(lines)
        following = None if is_last else f"{dataset}.{behind}"
        return DatapointPage(lines="".join(kept), count=len(kept), next=following)


def lines(count: int, *, size: int = 20) -> list[str]:
    return [f"{row:0{size}}\n" for row in range(count)]


async def text_of(store: Store) -> str:
    return "".join([page.lines async for page in datapoint_pages(store.page)])


async def test_rows_of_one_size_are_read_two_pages_at_a_time_and_none_twice() -> None:
    store = Store(lines(1000))

    assert await text_of(store) == store.text

    assert store.most_at_once == 2
    # The guess behind the last page is the only one that nobody wanted.
    assert len(store.asked) == len(set(store.asked)) <= 30


@pytest.mark.parametrize("seed", range(20))
async def test_rows_of_any_sizes_and_datasets_are_told_once_in_order(seed: int) -> None:
    draw = Random(seed)
    sizes = [3, 20, 200, 900, 1100, 5000]
    store = Store(
        *(
            [
                f"{draw.random()}:{'x' * draw.choice(sizes)}\n"
                for _ in range(draw.choice([0, 1, 70]))
            ]
            for _ in range(4)
        )
    )

    assert await text_of(store) == store.text


async def test_a_guess_that_is_refused_says_nothing() -> None:
    store = Store(lines(100), refuses_beyond=100)

    assert await text_of(store) == store.text


async def test_a_page_that_is_refused_ends_it_with_the_reason() -> None:
    store = Store(lines(1000))

    async def until_deleted(after: str | None, limit: int) -> DatapointPage:
        if len(store.asked) > 5:
            raise NotFound("the job was deleted")
        return await store.page(after, limit)

    with pytest.raises(NotFound, match="deleted"):
        _ = [page async for page in asked_ahead(until_deleted)]

    assert store.at_once == 0


async def test_whoever_leaves_early_leaves_nothing_under_way() -> None:
    store = Store(lines(1000))

    pages = asked_ahead(store.page)
    await anext(pages)
    await anext(pages)
    await pages.aclose()

    assert store.at_once == 0
