"""A comparison within a slice is one of jobs that had no other rows."""

from collections.abc import Mapping, Sequence
from random import Random
from statistics import fmean

import pytest

from evalbus.errors import Conflict, Invalid
from evalbus_schemas.benchmark import Benchmark, Params, Slice
from evalbus_schemas.queries import ComparedCell, CompareResults
from tests.builders import a_benchmark, a_new_job, a_scored_chunk, samples_of
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres

SLICES = ("hard", "long", "empty")
HARD, LONG = 1, 2
MODELS = ("old", "new")
Values = Sequence[float | None]


def sliced(
    models: Sequence[str], *, slices: Sequence[str] = SLICES, params: Params | None = None
) -> Benchmark:
    return a_benchmark(models=models, slices=slices, params=params)


def with_slices(benchmark: Benchmark, *slices: Slice) -> Benchmark:
    return benchmark.model_copy(update={"slices": slices})


async def a_job(
    stores: Stores,
    name: str,
    scores: Mapping[str, Values],
    *,
    bits: Sequence[int],
    benchmark: Benchmark | None = None,
) -> None:
    """One dataset; the scores of each model and the slices, row by row."""
    new = a_new_job(name=name, benchmark=benchmark or sliced(tuple(scores)))
    await stores.a_job_read(new, rows=len(bits), in_chunks_of=len(bits), slices=bits)
    for sent in await stores.take():
        scored = a_scored_chunk(sent, scores=[scores[sent.plan.model.name]])
        await stores.scores.keep(scored, samples_of(scored))
    assert await stores.finalize() == name


async def compared(stores: Stores, *columns: str, slice: str, force: bool = False) -> ComparedCell:
    """The last column as it stands against the first."""
    query = CompareResults(columns=columns, slice=slice, force=force)
    comparison = await stores.comparisons.compare(query)
    (line,) = comparison.scores
    assert bool(comparison.differences) == force
    assert line.cells[-1] is not None
    return line.cells[-1]


def expected(before: Values, after: Values, rows: Sequence[int]) -> ComparedCell:
    values = [value for row in rows if (value := after[row]) is not None]
    pairs = [
        (old, new)
        for row in rows
        if (old := before[row]) is not None and (new := after[row]) is not None
    ]
    return ComparedCell(
        mean=fmean(values) if values else None,
        count=len(values),
        nan_count=len(rows) - len(values),
        n_failed=0,
        delta=fmean(new - old for old, new in pairs) if pairs else None,
        n_paired=len(pairs),
        only_in_baseline=0,
        only_in_this=0,
        better=sum(new > old for old, new in pairs),
        worse=sum(new < old for old, new in pairs),
        equal=sum(new == old for old, new in pairs),
    )


def members(bits: Sequence[int], slice: str) -> list[int]:
    if slice == "all":
        return list(range(len(bits)))
    if slice == "no-slice":
        return [row for row, each in enumerate(bits) if not each]
    return [row for row, each in enumerate(bits) if each >> SLICES.index(slice) & 1]


async def test_the_models_of_a_job_are_compared_over_the_rows_of_each_slice(
    stores: Stores,
) -> None:
    draw = Random(1)
    bits = [draw.randrange(4) for _ in range(40)]
    scores = {model: [draw.choice([0.0, 0.25, 1.0, None]) for _ in bits] for model in MODELS}
    await a_job(stores, "job", scores, bits=bits)

    for name in ("all", *SLICES, "no-slice"):
        found = await compared(stores, "job", slice=name)

        wanted = expected(scores["old"], scores["new"], members(bits, name))
        assert found.model_dump() == pytest.approx(wanted.model_dump())


async def test_a_slice_is_found_in_each_result_wherever_it_is_declared(stores: Stores) -> None:
    await a_job(stores, "one", {"m": [0.0, 1.0, 0.0]}, bits=[HARD, LONG, HARD | LONG])
    turned = sliced(("m",), slices=("long", "hard"))
    await a_job(stores, "two", {"m": [1.0, 1.0, 0.0]}, bits=[2, 1, 3], benchmark=turned)

    hard = await compared(stores, "one", "two", slice="hard")
    long = await compared(stores, "one", "two", slice="long")

    assert (hard.mean, hard.delta, hard.n_paired, hard.better) == (0.5, 0.5, 2, 1)
    assert (long.mean, long.delta, long.n_paired, long.equal) == (0.5, 0.0, 2, 2)


async def test_repeats_of_a_row_of_the_slice_count_by_their_mean(stores: Stores) -> None:
    benchmark = sliced(MODELS, params=Params(repeats=2, parallelism=64))
    new = a_new_job(name="job", benchmark=benchmark, live=("new",))
    await stores.a_job_read(new, rows=3, in_chunks_of=3, slices=[HARD, 0, HARD])
    live: dict[int, list[float | None]] = {0: [1.0, 0.0, None], 1: [0.0, 0.0, 1.0]}
    for sent in await stores.take():
        scores = live[sent.repeat] if sent.is_live else [0.0, 1.0, 1.0]
        scored = a_scored_chunk(sent, scores=[scores])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    found = await compared(stores, "job", slice="hard")

    assert (found.mean, found.delta, found.n_paired, found.better, found.equal) == (
        *(0.75, 0.25, 2, 1, 1),
    )


async def test_without_declared_slices_every_row_is_in_none(stores: Stores) -> None:
    plain = a_benchmark(models=MODELS)
    scores = {"old": [0.0, 1.0], "new": [1.0, 1.0]}
    await a_job(stores, "job", scores, bits=[0, 0], benchmark=plain)

    found = await compared(stores, "job", slice="no-slice")

    assert found == await compared(stores, "job", slice="all")
    assert (found.mean, found.n_paired) == (1.0, 2)


async def test_an_unknown_slice_is_refused_with_those_of_the_result(stores: Stores) -> None:
    await a_job(stores, "one", {"m": [1.0]}, bits=[HARD])
    await a_job(stores, "two", {"m": [1.0]}, bits=[0], benchmark=sliced(("m",), slices=("long",)))

    with pytest.raises(Invalid, match=r"two: unknown slice 'hard' \(known: all, long, no-slice\)"):
        await compared(stores, "one", "two", slice="hard")


async def test_slices_that_mean_something_else_are_not_compared_unless_it_is_forced(
    stores: Stores,
) -> None:
    plain = a_benchmark(models=("m",))
    wheres: dict[str, dict[str, str] | str] = {
        "one": {"level": "hard"},
        "alike": 'level:"hard"',
        "two": {"level": "easy"},
    }
    for name, where in wheres.items():
        benchmark = with_slices(plain, Slice(name="hard", where=where))
        await a_job(stores, name, {"m": [1.0, 0.0]}, bits=[HARD, 0], benchmark=benchmark)

    assert (await compared(stores, "one", "alike", slice="hard")).n_paired == 1
    assert (await compared(stores, "one", "two", slice="all")).n_paired == 2
    for name in ("hard", "no-slice"):
        with pytest.raises(Conflict, match=f"slice {name} are chosen differently in one and two"):
            await compared(stores, "one", "two", slice=name)
        assert (await compared(stores, "one", "two", slice=name, force=True)).n_paired == 1


async def test_a_large_slice_does_not_depend_on_what_the_planner_believes(stores: Stores) -> None:
    n_rows = 5000
    bits = [HARD if row % 5 else 0 for row in range(n_rows)]
    halves = [float(row % 2) for row in range(n_rows)]
    scores = {"old": halves, "new": [1.0] * n_rows}
    await a_job(stores, "large", scores, bits=bits)

    found = await compared(stores, "large", slice="hard")

    assert (found.n_paired, found.better, found.equal) == (4000, 2000, 2000)
