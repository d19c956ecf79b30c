"""What is said of a slice is what would be said of its rows if there were no others."""

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from evalbus.errors import Invalid, NotFound
from evalbus.store.ports import ChunkToSend, Derived
from evalbus_schemas.benchmark import Benchmark, MetricPlugin, Params
from evalbus_schemas.jobs import Job
from evalbus_schemas.queries import GetResult, ListRows, ListSlices, SliceScores
from tests.builders import a_benchmark, a_failed_row, a_new_job, a_scored_chunk, samples_of
from tests.servers.versions import on_each_postgres
from tests.stores import Stores
from tests.tally import a_tally, install_tally

pytestmark = on_each_postgres

ROWS = 60
SLICES = ("hard", "long", "empty")


@pytest.fixture(autouse=True)
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_tally(tmp_path, monkeypatch)


def judged() -> MetricPlugin:
    return MetricPlugin.model_validate(
        {
            "name": "exact-match",
            "type": "exact-match",
            "reference": "Paris",
            "ground_truth": "{{ item.label }}",
        }
    )


class Drawn:
    """Rows with values, truths, counts and memberships; nobody is in the third slice."""

    def __init__(self, seed: int) -> None:
        draw = Random(seed)
        self.bits = [draw.randrange(4) for _ in range(ROWS)]
        self.failed = {row for row in range(ROWS) if draw.random() < 0.1}
        self.values = [draw.choice([0.0, 0.25, 1.0, None]) for _ in range(ROWS)]
        self.truths = [draw.choice([0.0, 1.0, None]) for _ in range(ROWS)]
        self.counts = [(draw.randrange(5), 5) for _ in range(ROWS)]

    def rows_of(self, name: str) -> list[int]:
        if name == "all":
            return list(range(ROWS))
        if name == "no-slice":
            return [row for row in range(ROWS) if not self.bits[row]]
        bit = 1 << SLICES.index(name)
        return [row for row in range(ROWS) if self.bits[row] & bit]

    def values_of(self, name: str) -> list[float]:
        found = [self.values[row] for row in self.rows_of(name) if row not in self.failed]
        return [value for value in found if value is not None]


def sliced(*, models: Sequence[str] = ("small",)) -> Benchmark:
    return a_benchmark(models=models, metrics=(judged(), a_tally()), slices=SLICES)


async def keep(stores: Stores, sent: ChunkToSend, drawn: Drawn) -> None:
    rows = list(sent.rows or range(sent.first_row, sent.first_row + sent.n_rows))
    failed = [offset for offset, row in enumerate(rows) if row in drawn.failed]
    scored = a_scored_chunk(
        sent,
        scores=[
            [None if row in drawn.failed else drawn.values[row] for row in rows],
            [None if row in drawn.failed else 1.0 for row in rows],
        ],
        counts=[[None if row in drawn.failed else drawn.counts[row] for row in rows]],
        truths=[[drawn.truths[row] for row in rows]],
        errors=[a_failed_row(offset) for offset in failed],
    )
    await stores.scores.keep(scored, samples_of(scored))


async def a_completed(
    stores: Stores, drawn: Drawn, *, chunk_rows: int = 7, models: Sequence[str] = ("small",)
) -> Job:
    new = a_new_job(name=f"job-{chunk_rows}", benchmark=sliced(models=models))
    job, _ = await stores.a_job_read(new, rows=ROWS, in_chunks_of=chunk_rows, slices=drawn.bits)
    while taken := await stores.take():
        for sent in taken:
            await keep(stores, sent, drawn)
    assert await stores.finalize() == job.name
    return job


async def slices_of(stores: Stores, job: Job, *, limit: int = 100) -> list[SliceScores]:
    found: list[SliceScores] = []
    after = None
    while True:
        page = await stores.results.slices(ListSlices(result=job.name, limit=limit, after=after))
        found += page.slices
        after = page.next
        if after is None:
            return found


async def test_each_slice_has_the_statistics_of_its_own_rows(stores: Stores) -> None:
    drawn = Drawn(1)
    job = await a_completed(stores, drawn)

    found = await slices_of(stores, job)

    assert [one.slice for one in found] == ["all", *SLICES, "no-slice"]
    for one in found:
        rows, values = drawn.rows_of(one.slice), drawn.values_of(one.slice)
        failed = [row for row in rows if row in drawn.failed]
        counted = [drawn.counts[row] for row in rows if row not in drawn.failed]
        share, of_all = one.results[1].scores
        (score,) = one.results[0].scores
        assert (one.rows, one.failed_rows) == (len(rows), len(failed))
        assert (score.count, score.n_rows, score.n_failed) == (
            len(values),
            len(rows),
            len(failed),
        )
        assert score.mean == (math.fsum(values) / len(values) if values else None)
        assert share.count == of_all.count == len(counted)
        right, total = (sum(counts[place] for counts in counted) for place in (0, 1))
        assert of_all.value == (right / total if total else None)


async def test_agreement_is_that_of_the_rows_of_the_slice(stores: Stores) -> None:
    drawn = Drawn(2)
    job = await a_completed(stores, drawn)

    for one in await slices_of(stores, job):
        pairs = [
            (drawn.values[row], drawn.truths[row])
            for row in drawn.rows_of(one.slice)
            if row not in drawn.failed and None not in (drawn.values[row], drawn.truths[row])
        ]
        agreement = one.results[0].scores[0].agreement
        assert agreement is not None
        assert agreement.count == len(pairs)
        same = sum(value == truth for value, truth in pairs)
        assert agreement.raw == (same / len(pairs) if pairs else None)
        assert one.results[1].scores[0].agreement is None


async def test_chunking_cannot_be_seen_in_slices(stores: Stores) -> None:
    drawn = Drawn(3)
    jobs = [await a_completed(stores, drawn, chunk_rows=size) for size in (1, 7, ROWS)]

    first, *others = [await slices_of(stores, job) for job in jobs]

    assert others == [first] * len(others)


async def test_slices_come_page_by_page(stores: Stores) -> None:
    job = await a_completed(stores, Drawn(4))

    assert await slices_of(stores, job, limit=2) == await slices_of(stores, job)
    assert await slices_of(stores, job, limit=1) == await slices_of(stores, job)


async def test_a_page_of_slices_ends_where_an_answer_would_be_too_large(stores: Stores) -> None:
    job = await a_completed(stores, Drawn(4))
    wanted = await slices_of(stores, job)
    # Blanks say nothing in JSON.
    await stores.value("UPDATE result_slice SET results = rpad(results, 600 * 1024)")

    page = await stores.results.slices(ListSlices(result=job.name))

    assert 1 < len(page.slices) < len(wanted)
    assert page.next is not None
    assert await slices_of(stores, job) == wanted


async def test_rows_of_several_models_are_counted_for_each(stores: Stores) -> None:
    drawn = Drawn(5)
    job = await a_completed(stores, drawn, models=("small", "large"))

    for one in await slices_of(stores, job):
        assert one.rows == 2 * len(drawn.rows_of(one.slice))
        assert [(entry.model, entry.metric) for entry in one.results] == [
            (f"default/{model}", f"default/{metric}")
            for model in ("small", "large")
            for metric in ("exact-match", "tally")
        ]


async def test_without_slices_there_are_all_rows(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(name="plain"))
    await stores.score_all()
    await stores.finalize()

    (whole,) = await slices_of(stores, job)

    result = await stores.results.result(GetResult(result="plain"))
    assert (whole.slice, whole.rows, whole.results) == ("all", 6, result.results)


async def test_rows_are_listed_by_slice(stores: Stores) -> None:
    drawn = Drawn(6)
    job = await a_completed(stores, drawn)

    async def rows_of(name: str) -> list[int]:
        page = await stores.rows.list(ListRows(job=job.name, slice=name))
        return [row.row_index for row in page.rows]

    for name in ("all", *SLICES, "no-slice"):
        assert await rows_of(name) == drawn.rows_of(name)


async def test_a_row_says_its_slices_and_what_people_said(stores: Stores) -> None:
    drawn = Drawn(7)
    job = await a_completed(stores, drawn)

    page = await stores.rows.list(ListRows(job=job.name))

    for row in page.rows:
        bits = drawn.bits[row.row_index]
        value = None if row.failed else drawn.values[row.row_index]
        truth = drawn.truths[row.row_index]
        (score,) = row.metrics["default/exact-match"]
        assert row.slices == tuple(name for place, name in enumerate(SLICES) if bits & (1 << place))
        assert (score.value, score.truth) == (value, truth)
        has_both = value is not None and truth is not None
        assert score.agreement == (float(value == truth) if has_both else None)
        assert row.metrics["default/tally"][0].truth is None


async def test_evaluators_that_do_not_hear_people_yet_leave_rows_without_their_word(
    stores: Stores,
) -> None:
    new = a_new_job(name="mixed", benchmark=a_benchmark(metrics=(judged(),), slices=SLICES))
    await stores.a_job_read(new, rows=6, in_chunks_of=3, slices=[1] * 6)
    older, newer = await stores.take()
    for sent, truths in ((older, []), (newer, [[1.0] * 3])):
        scored = a_scored_chunk(sent, scores=[[1.0] * 3], truths=truths)
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    page = await stores.results.slices(ListSlices(result="mixed"))
    rows = await stores.rows.list(ListRows(job="mixed"))

    for one in page.slices[:2]:
        (score,) = one.results[0].scores
        assert score.agreement is not None
        assert (score.agreement.count, score.agreement.without_truth) == (3, 3)
        assert score.agreement.raw == 1.0
    assert [row.metrics["default/exact-match"][0].truth for row in rows.rows] == [
        *[None] * 3,
        *[1.0] * 3,
    ]


async def test_a_retry_keeps_slices_and_truths(stores: Stores) -> None:
    drawn = Drawn(8)
    source = await a_completed(stores, drawn)
    how = Derived(source=source.job_id, how="retry")
    retried, _ = await stores.jobs.create(
        a_new_job(name="again", benchmark=sliced(), derivation=how)
    )
    await stores.take_over()
    drawn.failed = set()
    for sent in await stores.take():
        await keep(stores, sent, drawn)
    await stores.finalize()

    whole, hard, *_ = await slices_of(stores, retried)

    assert (whole.failed_rows, hard.rows) == (0, len(drawn.rows_of("hard")))
    assert hard.results[0].scores[0].count == len(drawn.values_of("hard"))
    agreement = whole.results[0].scores[0].agreement
    assert agreement is not None
    assert agreement.count == sum(
        value is not None and truth is not None
        for value, truth in zip(drawn.values, drawn.truths, strict=True)
    )


@pytest.mark.parametrize("name", ["harder", "HARD", "no slice", "none"])
async def test_an_unknown_slice_is_refused_with_those_that_there_are(
    stores: Stores, name: str
) -> None:
    job = await a_completed(stores, Drawn(9))

    with pytest.raises(Invalid, match=r"unknown slice .*known: all, empty, hard, long, no-slice"):
        await stores.rows.list(ListRows.model_construct(job=job.name, slice=name))


async def test_there_are_no_slices_without_a_result(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="running", benchmark=sliced()))

    with pytest.raises(NotFound):
        await stores.results.slices(ListSlices(result="running"))


@pytest.mark.parametrize("cursor", ["-1", "65", "x", "1.5", "٣"])
async def test_a_cursor_that_is_none_is_refused(stores: Stores, cursor: str) -> None:
    job = await a_completed(stores, Drawn(10))

    with pytest.raises(Invalid, match="cursor"):
        await stores.results.slices(ListSlices(result=job.name, after=cursor))


async def test_repeats_are_counted_as_those_of_a_job_are(stores: Stores) -> None:
    params = Params(parallelism=64, repeats=3, ignore_request_failure=True)
    benchmark = a_benchmark(models=("live",), metrics=(judged(),), slices=SLICES, params=params)
    new = a_new_job(name="thrice", benchmark=benchmark, live=("live",))
    job, _ = await stores.a_job_read(new, rows=4, in_chunks_of=4, slices=[1, 1, 2, 0])
    while taken := await stores.take():
        for sent in taken:
            # Of the first row one answer is missing, of the second all of them.
            rows = sent.rows or range(sent.first_row, sent.first_row + sent.n_rows)
            lost = {0: sent.repeat == 1, 1: True}
            failed = [offset for offset, row in enumerate(rows) if lost.get(row, False)]
            scored = a_scored_chunk(
                sent,
                scores=[[None if offset in failed else 1.0 for offset in range(sent.n_rows)]],
                truths=[[1.0] * sent.n_rows],
                errors=[a_failed_row(offset) for offset in failed],
            )
            await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    found = {one.slice: one for one in await slices_of(stores, job)}

    assert {name: (one.rows, one.failed_rows) for name, one in found.items()} == {
        "all": (12, 4),
        "hard": (6, 4),
        "long": (3, 0),
        "empty": (0, 0),
        "no-slice": (3, 0),
    }
    (score,) = found["hard"].results[0].scores
    assert (score.n_rows, score.count, score.n_failed) == (2, 1, 1)
