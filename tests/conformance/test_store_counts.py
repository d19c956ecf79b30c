"""Scores of the whole come from what rows count, each once, and say nothing that only rows have."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import orjson
import pytest

from evalbus.errors import Malformed
from evalbus.evaluator.scoring import score_chunk
from evalbus.producer.dispatching import requested
from evalbus.store.ports import ChunkToSend, Derived, NewJob
from evalbus.testing import corpus_of
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.chunks import ChunkScored, ScoreError
from evalbus_schemas.jobs import Derivation, Job, JobStatus
from evalbus_schemas.queries import AggregateField, GetResult, ListResults
from evalbus_schemas.scores import Counts, MetricResult, ScoreStatistics
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    an_unscored_row,
    samples_of,
)
from tests.scoring import OUTPUT, REFERENCE, a_plugin
from tests.servers.versions import on_each_postgres
from tests.stores import Stores
from tests.tally import a_tally, install_tally

pytestmark = on_each_postgres

WITHOUT_ROWS = {
    "name", "scope", "value", "mean", "count", "nan_count", "n_rows", "n_failed", "confidence_interval",
}  # fmt: skip


@pytest.fixture(autouse=True)
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_tally(tmp_path, monkeypatch)


def a_tallied(*, models: Sequence[str] = ("m",), params: Params | None = None) -> Benchmark:
    return a_benchmark(models=models, metrics=(a_tally(),), params=params)


async def keep(
    stores: Stores,
    sent: ChunkToSend,
    counts: Sequence[Counts | None],
    *,
    failed: Sequence[int] = (),
    errors: Sequence[ScoreError] = (),
) -> None:
    """Rows that count have 1.0; the other ones have no value."""
    scored = a_scored_chunk(
        sent,
        scores=[[None if of_row is None else 1.0 for of_row in counts]],
        counts=[counts],
        errors=[*errors, *(a_failed_row(row) for row in failed)],
    )
    await stores.scores.keep(scored, samples_of(scored))


async def entry_of(
    stores: Stores, job: str, fields: tuple[AggregateField, ...] | None = None
) -> MetricResult:
    result = await stores.results.result(GetResult(result=job, aggregate_fields=fields))
    return result.results[-1]


async def whole_of(stores: Stores, job: str) -> ScoreStatistics:
    """The last score of its last metric."""
    return (await entry_of(stores, job)).scores[-1]


async def a_tallied_job(
    stores: Stores,
    name: str,
    counts: Sequence[Counts | None],
    *,
    failed: Sequence[int] = (),
    labels: dict[str, str] | None = None,
) -> Job:
    """One chunk, whose rows count so."""
    new = a_new_job(name=name, benchmark=a_tallied(), labels=labels)
    job, _ = await stores.a_job_read(new, rows=len(counts), in_chunks_of=len(counts))
    (sent,) = await stores.take()
    await keep(stores, sent, counts, failed=failed)
    assert await stores.finalize() == name
    return job


# --- the same, however it arrives ---------------------------------------------------------------

WORDS = ("rivers", "towns", "lakes", "seas", "", "Müller", "🎉")


def hostile_items(n_rows: int) -> list[bytes]:
    """Some without a reference, some with null, and others in which anything stands."""
    chance = Random(5)
    items: list[bytes] = []
    for row in range(n_rows):
        right = " ".join(chance.choices(WORDS, k=3))
        item: dict[str, object] = {"id": row, "reference": right, "output": right}
        if row % 3:
            item["output"] = " ".join(chance.choices(WORDS, k=chance.randint(1, 4)))
        if row % 20 == 7:
            item["reference"] = None
        if row % 20 == 13:
            del item["reference"]
        items.append(orjson.dumps(item))
    return items


def evaluated(sent: ChunkToSend) -> tuple[ChunkScored, list[bytes]]:
    """What an evaluator makes of it."""
    head, *samples = score_chunk(requested(sent).message.body).split(b"\n")
    return ChunkScored.model_validate_json(head), samples


async def test_values_of_the_whole_are_the_same_to_the_last_bit_for_every_chunking_and_order(
    stores: Stores,
) -> None:
    # given
    items = hostile_items(120)
    benchmark = a_benchmark(
        metrics=(
            a_plugin("classification", reference=REFERENCE),
            a_plugin("bleu", references=[REFERENCE]),
            a_plugin("wer", reference=REFERENCE),
        )
    )
    recorded = a_plugin("recorded", name="m", output=OUTPUT)
    benchmark = benchmark.model_copy(update={"models": (recorded,)})

    # when
    found: dict[str, bytes] = {}
    for size in (1, 7, 37, 500):
        for order in ("in order", "backwards", "shuffled"):
            name = f"{order.replace(' ', '-')}-{size}"
            await stores.a_job_read(
                a_new_job(name=name, benchmark=benchmark), items=items, in_chunks_of=size
            )
            chunks = [chunk for _ in range(3) for chunk in await stores.take(window=200, most=100)]
            if order == "backwards":
                chunks.reverse()
            if order == "shuffled":
                Random(size).shuffle(chunks)
            for chunk in chunks:
                await stores.scores.keep(*evaluated(chunk))
            assert await stores.finalize() == name
            result = await stores.results.result(GetResult(result=name))
            found[name] = orjson.dumps([entry.model_dump() for entry in result.results])

    # then
    assert len(found) == 12
    assert set(found.values()) == {found["in-order-500"]}
    entries = {
        entry["metric"].removeprefix("default/"): entry
        for entry in orjson.loads(found["in-order-500"])
    }
    taking_part = [row for row in map(orjson.loads, items) if row.get("reference") is not None]
    for metric in benchmark.metrics:
        expected = corpus_of(
            metric.model_dump(), rows=[(row, row["output"]) for row in taking_part]
        )
        whole = {
            score["name"]: score
            for score in entries[metric.name]["scores"]
            if score["scope"] == "corpus"
        }
        assert {name: score["value"] for name, score in whole.items()} == expected
        assert {
            (score["count"], score["nan_count"], score["n_rows"], score["n_failed"])
            for score in whole.values()
        } == {(108, 12, 120, 6)}


async def test_a_chunk_that_comes_twice_counts_once(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="job", benchmark=a_tallied()), rows=2, in_chunks_of=2)
    (sent,) = await stores.take()

    await keep(stores, sent, [(1, 1), (0, 1)])
    await keep(stores, sent, [(1, 1), (1, 1)])
    await stores.finalize()

    assert (await whole_of(stores, "job")).value == 0.5


# --- who takes part -----------------------------------------------------------------------------


async def test_rows_that_failed_or_have_no_value_do_not_take_part(stores: Stores) -> None:
    await a_tallied_job(stores, "job", [(1, 2), None, (2, 2), None], failed=[1])

    score = await whole_of(stores, "job")

    assert (score.value, score.count, score.nan_count, score.n_rows, score.n_failed) == (
        0.75, 2, 2, 4, 1,
    )  # fmt: skip


async def test_a_row_that_counts_though_it_has_no_value_takes_part(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="job", benchmark=a_tallied()), rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    scored = a_scored_chunk(
        sent,
        scores=[[1.0, None]],
        counts=[[(1, 1), (0, 3)]],
        errors=[an_unscored_row(1, metric="tally")],
    )
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    row_score, score = (await entry_of(stores, "job")).scores

    assert (score.value, score.count) == (0.25, 2)
    assert (row_score.mean, row_score.count) == (1.0, 1)


async def test_without_a_row_that_takes_part_there_is_no_value(stores: Stores) -> None:
    await a_tallied_job(stores, "job", [None, None], failed=[0])

    entry = await entry_of(stores, "job")
    score = entry.scores[-1]

    assert (score.value, score.mean, score.count, score.nan_count) == (None, None, 0, 2)
    assert entry.detail is None


async def test_what_a_metric_makes_of_its_counts_may_be_no_number(stores: Stores) -> None:
    await a_tallied_job(stores, "job", [(0, 0), (0, 0)])

    score = await whole_of(stores, "job")

    assert (score.value, score.count) == (None, 2)


async def test_each_model_and_dataset_has_a_whole_of_its_own(stores: Stores) -> None:
    benchmark = a_benchmark(datasets=("one", "two"), models=("old", "new"), metrics=(a_tally(),))
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=2, in_chunks_of=1)
    right = {("one", "old"): 0, ("one", "new"): 1, ("two", "old"): 2, ("two", "new"): 3}
    for sent in reversed(await stores.take()):
        await keep(stores, sent, [(right[sent.dataset, sent.plan.model.name], 3)])
    await stores.finalize()

    result = await stores.results.result(GetResult(result="job"))

    assert {
        (entry.dataset.partition("/")[2], entry.model.partition("/")[2]): entry.scores[-1].value
        for entry in result.results
    } == {key: count / 3 for key, count in right.items()}


async def test_metrics_that_do_not_count_may_stand_between_those_that_do(stores: Stores) -> None:
    benchmark = a_benchmark(
        models=("m",), metrics=(a_tally(name="first"), "plain", a_tally(name="last"))
    )
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    counts: list[list[Counts | None]] = [
        [(1, 1), None],
        [{"right": 1, "all": 4}, {"right": 1, "all": 4}],
    ]
    scored = a_scored_chunk(sent, counts=counts)
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    result = await stores.results.result(GetResult(result="job"))

    assert [
        (entry.metric, [(score.name, score.scope, score.mean) for score in entry.scores])
        for entry in result.results
    ] == [
        ("default/first", [("share", "row", 1.0), ("of_all", "corpus", 1.0)]),
        ("default/plain", [("exact-match", "row", 1.0)]),
        ("default/last", [("share", "row", 1.0), ("of_all", "corpus", 0.25)]),
    ]
    assert [entry.scores[-1].count for entry in result.results] == [1, 2, 2]


async def test_every_repeat_counts_and_its_row_takes_part_once(stores: Stores) -> None:
    params = Params(repeats=3, parallelism=64)
    new = a_new_job(
        name="job", benchmark=a_tallied(models=("live",), params=params), live=("live",)
    )
    await stores.a_job_read(new, rows=2, in_chunks_of=2)
    of_repeats: list[list[Counts | None]] = [[(1, 1), None], [(0, 1), None], [None, None]]
    for sent in await stores.take():
        await keep(stores, sent, of_repeats[sent.repeat])
    await stores.finalize()

    score = await whole_of(stores, "job")

    assert (score.value, score.count, score.nan_count, score.n_rows) == (0.5, 1, 1, 2)


# --- derived jobs -------------------------------------------------------------------------------


def derived(source: Job, how: Derivation, benchmark: Benchmark) -> NewJob:
    return a_new_job(
        name=how,
        benchmark=benchmark,
        live=("live",),
        derivation=Derived(source=source.job_id, how=how),
    )


async def with_a_failure(stores: Stores) -> tuple[Job, Benchmark]:
    """Of four rows of a live model, the second got no answer."""
    params = Params(parallelism=64, ignore_request_failure=True)
    benchmark = a_tallied(models=("live",), params=params)
    new = a_new_job(name="source", benchmark=benchmark, live=("live",))
    job, _ = await stores.a_job_read(new, rows=4, in_chunks_of=4)
    for sent in await stores.take():
        await keep(stores, sent, [(1, 1), None, (1, 1), (0, 1)], failed=[1])
    await stores.finalize()
    return job, benchmark


async def test_rows_that_a_retry_takes_over_take_part(stores: Stores) -> None:
    source, benchmark = await with_a_failure(stores)
    await stores.jobs.create(derived(source, "retry", benchmark))
    await stores.take_over()
    (sent,) = await stores.take()

    await keep(stores, sent, [(0, 1)])
    await stores.finalize()

    before, after = await whole_of(stores, "source"), await whole_of(stores, "retry")
    assert (before.value, before.count, before.n_failed) == (2 / 3, 3, 1)
    assert (after.value, after.count, after.n_failed) == (0.5, 4, 0)


async def test_a_rescore_counts_anew(stores: Stores) -> None:
    source, benchmark = await with_a_failure(stores)
    await stores.jobs.create(derived(source, "rescore", benchmark))
    await stores.take_over()
    (sent,) = await stores.take()

    await keep(stores, sent, [(0, 5), None, (0, 5), (1, 5)], failed=[1])
    await stores.finalize()

    score = await whole_of(stores, "rescore")
    assert (score.value, score.count, score.n_failed) == (1 / 15, 3, 1)


async def test_a_rescore_of_a_part_has_as_many_rows_in_every_score(stores: Stores) -> None:
    benchmark = a_tallied()
    source, _ = await stores.a_job_read(
        a_new_job(name="source", benchmark=benchmark), rows=6, in_chunks_of=3
    )
    first, _ = await stores.take()
    await keep(stores, first, [(1, 1)] * 3)
    await stores.jobs.cancel("default", "source")
    await stores.jobs.create(derived(source, "rescore", benchmark))
    await stores.take_over()
    (sent,) = await stores.take()

    await keep(stores, sent, [(1, 1), (0, 1), None])
    await stores.finalize()

    scores = (await entry_of(stores, "rescore")).scores
    assert [(score.scope, score.count, score.nan_count, score.n_rows) for score in scores] == [
        ("row", 2, 1, 3),
        ("corpus", 2, 1, 3),
    ]


# --- what does not fit --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts",
    [
        [],
        [[(1, 1)] * 2, [(1, 1)] * 2],
        [[(1, 1)]],
        [[(1, 1)] * 3],
        [[(2**64, 1), (1, 1)]],
        [[{"right": -(2**63) - 1, "all": 1}, None]],
    ],
    ids=["none", "too many columns", "too short", "too long", "too large", "too small"],
)
async def test_counts_that_do_not_fit_are_refused_and_nothing_is_kept(
    stores: Stores, counts: list[list[Counts | None]]
) -> None:
    new = a_new_job(name="job", benchmark=a_tallied())
    await stores.a_job_read(new, rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, counts=counts)

    with pytest.raises(Malformed):
        await stores.scores.keep(scored, samples_of(scored))

    assert (await stores.jobs.job("default", "job")).rows == 0
    assert await stores.value("SELECT count(*) FROM score") == 0


@pytest.mark.parametrize(
    "counts",
    [
        [(1, 1), {"right": 1, "all": 1}],
        [{"right": 1, "all": 1}, (1, 1)],
        [(1, 1), (1, 1, 1)],
        [{"something": 1}, {"else": 1}],
        [(1,), (1,)],
    ],
    ids=["then by name", "then by place", "of other lengths", "of other names", "too few places"],
)
async def test_rows_that_count_different_things_end_their_job_and_hold_up_no_other(
    stores: Stores, counts: list[Counts | None]
) -> None:
    await stores.a_job_read(a_new_job(name="odd", benchmark=a_tallied()), rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    await keep(stores, sent, counts)
    await stores.a_job_read(a_new_job(name="good", benchmark=a_tallied()), rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    await keep(stores, sent, [(1, 2), (1, 2)])

    ended = [await stores.finalize(), await stores.finalize(), await stores.finalize()]

    odd = await stores.jobs.job("default", "odd")
    assert ended == ["odd", "good", None]
    assert odd.status is JobStatus.ERROR
    assert odd.error is not None
    assert odd.error.code == "internal"
    assert "result could not be made" in odd.error.message
    assert (await whole_of(stores, "good")).value == 0.5


async def test_large_counts_add_up_exactly(stores: Stores) -> None:
    # As floats the first two would be nothing.
    await a_tallied_job(stores, "job", [(2**62 + 1, 1), (-(2**62), 1), (2, 2)])

    assert (await whole_of(stores, "job")).value == 0.75


# --- what a result says of them -----------------------------------------------------------------


async def test_a_score_of_the_whole_says_only_what_all_rows_have_together(stores: Stores) -> None:
    await a_tallied_job(stores, "job", [(1, 1), (0, 1)])

    row_score, score = (await entry_of(stores, "job")).scores

    assert score.model_dump().keys() == WITHOUT_ROWS
    assert score.model_dump() == {
        "name": "of_all",
        "scope": "corpus",
        "value": 0.5,
        "mean": 0.5,
        "count": 2,
        "nan_count": 0,
        "n_rows": 2,
        "n_failed": 0,
        "confidence_interval": None,
    }
    assert row_score.scope == "row"
    assert {"percentiles", "histogram", "min", "max", "sum"} <= row_score.model_dump().keys()
    assert not {"value", "confidence_interval"} & row_score.model_dump().keys()


@pytest.mark.parametrize(
    ("fields", "of_row", "of_whole"),
    [
        ((), set(), set()),
        (("mean",), {"mean"}, {"mean"}),
        (("value", "confidence_interval"), set(), {"value", "confidence_interval"}),
        (("percentiles", "min", "n_rows"), {"percentiles", "min", "n_rows"}, {"n_rows"}),
        (("score_type", "variance", "sum"), {"score_type", "variance", "sum"}, set()),
    ],
)
async def test_of_the_fields_that_are_asked_for_each_score_has_its_own(
    stores: Stores,
    fields: tuple[AggregateField, ...],
    of_row: set[str],
    of_whole: set[str],
) -> None:
    await a_tallied_job(stores, "job", [(1, 1), (0, 1)])

    row_score, score = (await entry_of(stores, "job", fields)).scores

    assert row_score.model_dump().keys() == {"name", "count"} | of_row
    assert score.model_dump().keys() == {"name", "scope", "count"} | of_whole
    assert (row_score.scope, score.scope) == ("row", "corpus")


async def test_results_are_found_by_the_value_of_the_whole(stores: Stores) -> None:
    await a_tallied_job(stores, "low", [(1, 4), (0, 4)])
    await a_tallied_job(stores, "high", [(3, 4), (4, 4)])
    await a_tallied_job(stores, "none", [None, None])

    async def names(filter: dict[str, object]) -> list[str]:
        page = await stores.results.list(ListResults(filter=filter))
        return sorted(result.name for result in page.data)

    assert await names({"scores.tally.of_all.mean": {"$gt": 0.5}}) == ["high"]
    assert await names({"scores.tally.of_all.mean": {"$lte": 0.125}}) == ["low"]
    assert await names({"scores.tally.of_all.mean": None}) == ["none"]
    assert await names({"scores.tally.of_all.count": 2}) == ["high", "low"]


async def test_the_page_and_the_event_tell_of_the_whole_as_the_result_does(stores: Stores) -> None:
    await a_tallied_job(stores, "job", [(1, 4), (0, 4)])

    entry = await entry_of(stores, "job")
    (listed,) = (await stores.results.list(ListResults())).data
    completed = [
        event
        for event in await stores.events.next_unpublished(limit=10)
        if event.type.endswith("completed.v1")
    ]

    assert listed.results == (entry,)
    assert [(told.score, told.mean, told.count) for told in completed[0].body.results] == [
        ("share", 1.0, 2),
        ("of_all", 0.125, 2),
    ]


async def test_what_a_metric_says_of_the_whole_comes_back_as_it_was(stores: Stores) -> None:
    await a_tallied_job(stores, "job", [(1, 4), (0, 4)])

    entry = await entry_of(stores, "job")

    assert entry.detail == {"right": 1, "all": 8, "said": "a NUL \0 and 🎉"}
