"""Stored rows are read page by page, in dataset order, while the job runs and after it has ended."""

import pytest

from evalbus.errors import Invalid, NotFound
from evalbus_schemas.queries import ListRows
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    a_stretch,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres

MEBIBYTE = 1024 * 1024


async def two_by_two(stores: Stores) -> None:
    """Seven rows of two datasets for two models, the third row of each chunk failed."""
    benchmark = a_benchmark(datasets=("one", "two"), models=("small", "large"), metrics=("a", "b"))
    await stores.a_job_read(a_new_job(name="first", benchmark=benchmark), rows=7)
    for sent in await stores.take():
        errors = [a_failed_row(2)] if sent.n_rows == 3 else []
        scored = a_scored_chunk(sent, errors=errors)
        await stores.scores.keep(scored, samples_of(scored))


EVERY_ROW = [
    (f"default/{dataset}", f"default/{model}", index)
    for dataset in ("one", "two")
    for model in ("small", "large")
    for index in range(7)
]


@pytest.mark.parametrize("page_size", [1, 2, 5, 27, 28, 29, 1000])
async def test_pages_of_any_size_give_every_row_once_in_order(
    stores: Stores, page_size: int
) -> None:
    await two_by_two(stores)
    job = await stores.jobs.job("default", "first")

    rows = await stores.all_rows(job, page_size=page_size)

    assert [(row.dataset, row.model, row.row_index) for row in rows] == EVERY_ROW


async def test_a_row_carries_its_item_sample_and_named_scores(stores: Stores) -> None:
    await two_by_two(stores)

    row = (await stores.rows.list(ListRows(job="first", limit=1))).rows[0]

    assert (row.row_id, row.row_index) == ("row-0", 0)
    assert row.item == {"id": 0, "input": "question 0", "output": "Paris"}
    assert row.sample == {"output_text": "Paris"}
    assert {
        metric: [(s.name, s.value) for s in scores] for metric, scores in row.metrics.items()
    } == {
        "default/a": [("exact-match", 1.0)],
        "default/b": [("exact-match", 1.0)],
    }
    assert row.metric_errors is None
    assert not row.failed


async def test_rows_are_found_by_the_job_s_id(stores: Stores) -> None:
    await two_by_two(stores)
    job = await stores.jobs.job("default", "first")

    page = await stores.rows.list(ListRows(job=str(job.job_id), limit=1000))

    assert len(page.rows) == 28


async def test_rows_are_filtered_by_dataset_model_and_failure(stores: Stores) -> None:
    await two_by_two(stores)

    async def found(query: ListRows) -> list[tuple[str, str, int]]:
        page = await stores.rows.list(query)
        return [(row.dataset, row.model, row.row_index) for row in page.rows]

    assert await found(ListRows(job="first", dataset="two")) == EVERY_ROW[14:]
    assert await found(ListRows(job="first", model="large")) == EVERY_ROW[7:14] + EVERY_ROW[21:]
    assert await found(ListRows(job="first", dataset="one", model="large")) == EVERY_ROW[7:14]
    assert await found(ListRows(job="first", failed_only=True, dataset="one", model="small")) == [
        EVERY_ROW[2],
        EVERY_ROW[5],
    ]


async def test_filtered_rows_are_paged_as_well(stores: Stores) -> None:
    await two_by_two(stores)
    query = ListRows(job="first", failed_only=True, limit=3)

    first = await stores.rows.list(query)
    second = await stores.rows.list(query.model_copy(update={"after": first.next}))
    third = await stores.rows.list(query.model_copy(update={"after": second.next}))

    assert [len(page.rows) for page in (first, second, third)] == [3, 3, 2]
    assert third.next is None
    assert all(row.failed for page in (first, second, third) for row in page.rows)


@pytest.mark.parametrize("text", ["x" * 900, "ä" * 900, "\\u00e4" * 900, "\u2028" * 900])
async def test_a_page_is_at_most_a_mebibyte_whatever_the_rows_are_made_of(
    stores: Stores, text: str
) -> None:
    item = f'{{"text":"{text}"}}'.encode()
    await stores.jobs.create(a_new_job(name="first"))
    lease = await stores.claim()
    for first in range(0, 1500, 500):
        rows = [(f"row-{first + i}", item) for i in range(500)]
        lease = await stores.add(lease, a_stretch(first_row=first, rows=rows))
    for sent in await stores.take():
        scored = a_scored_chunk(sent)
        await stores.scores.keep(scored, samples_of(scored, b'{"output_text":"y"}'))

    sizes: list[int] = []
    after: str | None = None
    indices: list[int] = []
    while True:
        page = await stores.rows.list(ListRows(job="first", limit=1000, after=after))
        sizes.append(len(page.model_dump_json().encode()))
        indices += [row.row_index for row in page.rows]
        if (after := page.next) is None:
            break

    assert max(sizes) <= MEBIBYTE + 4096
    assert len(sizes) > 1
    assert indices == list(range(1500))


async def test_a_row_larger_than_a_page_is_a_page_of_its_own(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    items = [b'{"text":"' + b"x" * size + b'"}' for size in (10, 3 * MEBIBYTE, 2 * MEBIBYTE, 10)]
    await stores.add(
        await stores.claim(), a_stretch(rows=[(f"row-{i}", item) for i, item in enumerate(items)])
    )
    await stores.score_all()

    counts: list[int] = []
    after: str | None = None
    while True:
        page = await stores.rows.list(ListRows(job="first", after=after))
        counts.append(len(page.rows))
        if (after := page.next) is None:
            break

    assert counts == [1, 1, 1, 1]


async def test_rows_are_partial_until_the_job_has_completed(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    empty = await stores.rows.list(ListRows(job="first"))
    first, second = await stores.take()
    await stores.keep(second)
    running = await stores.rows.list(ListRows(job="first"))
    await stores.keep(first)
    await stores.finalize()
    completed = await stores.rows.list(ListRows(job="first"))

    assert [(len(page.rows), page.partial) for page in (empty, running, completed)] == [
        (0, True),
        (3, True),
        (6, False),
    ]
    assert empty.next is None


async def test_stored_rows_of_a_cancelled_job_stay_readable_and_partial(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(name="first"), rows=6)
    await stores.keep((await stores.take())[0])
    await stores.jobs.cancel("default", job.name)

    page = await stores.rows.list(ListRows(job="first"))

    assert (len(page.rows), page.partial) == (3, True)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "1", "1.2.3", "1.2.3.4.5", "0.0.-1.0", "0.0.²", "40000.0.0.0", f"0.0.{2**63}.0"],
)
async def test_a_cursor_that_is_none_is_invalid(stores: Stores, cursor: str) -> None:
    await two_by_two(stores)

    with pytest.raises(Invalid, match="no cursor"):
        await stores.rows.list(ListRows(job="first", after=cursor))


async def test_a_cursor_behind_the_last_row_gives_an_empty_last_page(stores: Stores) -> None:
    await two_by_two(stores)

    page = await stores.rows.list(ListRows(job="first", after="9.0.0.0"))

    assert (page.rows, page.next) == ((), None)


async def test_what_is_not_there_is_not_found(stores: Stores) -> None:
    await two_by_two(stores)

    for query in (
        ListRows(job="nobody"),
        ListRows(job="with\x00nul"),
        ListRows(job="first", workspace="other"),
        ListRows(job="first", dataset="three"),
        ListRows(job="first", model="medium"),
    ):
        with pytest.raises(NotFound):
            await stores.rows.list(query)


async def test_rows_are_found_by_their_scores_and_nan_is_neither_low_nor_high(
    stores: Stores,
) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=5, in_chunks_of=5)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, scores=[[0.1, 0.5, 0.9, None, 0.5]], errors=[a_failed_row(3)])
    await stores.scores.keep(scored, samples_of(scored))

    async def found(**wanted: object) -> list[int]:
        page = await stores.rows.list(ListRows.model_validate({"job": "first"} | wanted))
        return [row.row_index for row in page.rows]

    assert await found(score="exact-match", below=0.5) == [0]
    assert await found(score="exact-match.exact-match", above=0.5) == [2]
    assert await found(score="exact-match", above=0.1, below=0.9) == [1, 4]
    assert await found(failed_only=True) == [3]
    with pytest.raises(Invalid, match="exact-match"):
        await found(score="exact", below=1.0)
