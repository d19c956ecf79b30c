"""Models and results side by side, their rows paired by id."""

from collections.abc import Mapping, Sequence

import pytest

from evalbus.errors import Conflict, Invalid, NotFound
from evalbus_schemas.benchmark import Benchmark, MetricPlugin, Params
from evalbus_schemas.jobs import Job
from evalbus_schemas.queries import ComparedCell, CompareResults
from tests.builders import a_benchmark, a_new_job, a_scored_chunk, a_stretch, samples_of
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def a_job_with(
    stores: Stores,
    name: str,
    scores: Mapping[str, Sequence[float | None]],
    *,
    row_ids: Sequence[str] | None = None,
    items: Sequence[bytes] | None = None,
    benchmark: Benchmark | None = None,
) -> Job:
    """One dataset; the scores of each model, row by row."""
    n_rows = len(next(iter(scores.values())))
    ids = row_ids or [f"row-{i}" for i in range(n_rows)]
    lines = items or [b'{"n":%d}' % i for i in range(n_rows)]
    new = a_new_job(name=name, benchmark=benchmark or a_benchmark(models=tuple(scores)))
    await stores.jobs.create(new)
    lease = await stores.claim()
    rows = list(zip(ids, lines, strict=True))
    lease = await stores.add(lease, a_stretch(rows=rows))
    await stores.dispatch.finish_dataset(lease, 0)
    await stores.dispatch.finish(lease)
    for sent in await stores.take():
        scored = a_scored_chunk(sent, scores=[scores[sent.plan.model.name]])
        await stores.scores.keep(scored, samples_of(scored))
    assert await stores.finalize() == name
    return await stores.jobs.job("default", name)


def cell(found: ComparedCell | None) -> dict[str, object]:
    assert found is not None
    return {name: value for name, value in found if value is not None}


async def test_the_models_of_one_job_are_compared_row_by_row(stores: Stores) -> None:
    await a_job_with(
        stores, "job", {"old": [0.0, 0.0, 1.0, 1.0, None], "new": [1.0, 1.0, 1.0, 0.0, 1.0]}
    )

    comparison = await stores.comparisons.compare(CompareResults(columns=("job",)))

    assert [(c.result, c.model) for c in comparison.columns] == [
        ("job", "default/old"),
        ("job", "default/new"),
    ]
    (line,) = comparison.scores
    assert (line.dataset, line.metric, line.score, line.direction) == (
        "default/capitals",
        "default/exact-match",
        "exact-match",
        "higher",
    )
    old, new = map(cell, line.cells)
    assert old == {"mean": 0.5, "count": 4, "nan_count": 1, "n_failed": 0}
    assert new == {
        "mean": 0.8,
        "count": 5,
        "nan_count": 0,
        "n_failed": 0,
        "delta": 0.25,
        "n_paired": 4,
        "only_in_baseline": 0,
        "only_in_this": 0,
        "better": 2,
        "worse": 1,
        "equal": 1,
    }
    assert (comparison.baseline, comparison.differences) == (0, ())


async def test_rows_are_paired_by_id_and_never_by_place(stores: Stores) -> None:
    ids = ["a", "b", "c", "d"]
    items = [b'{"id":"%s"}' % name.encode() for name in ids]
    await a_job_with(stores, "one", {"m": [1.0, 0.0, 0.5, 0.2]}, row_ids=ids, items=items)
    await a_job_with(
        stores, "two", {"m": [0.2, 0.5, 0.0, 1.0]}, row_ids=ids[::-1], items=items[::-1]
    )

    comparison = await stores.comparisons.compare(CompareResults(columns=("one", "two")))

    other = comparison.scores[0].cells[1]
    assert other is not None
    assert (other.equal, other.better, other.worse, other.delta) == (4, 0, 0, 0.0)


async def test_the_baseline_is_the_one_that_was_named(stores: Stores) -> None:
    await a_job_with(stores, "one", {"small": [0.0, 0.0], "large": [1.0, 0.0]})
    await a_job_with(stores, "two", {"small": [1.0, 1.0]})

    comparison = await stores.comparisons.compare(
        CompareResults(columns=("two",), baseline="one:large")
    )

    assert [(c.result, c.model) for c in comparison.columns] == [
        ("one", "default/large"),
        ("two", "default/small"),
    ]
    assert comparison.baseline == 0
    other = comparison.scores[0].cells[1]
    assert other is not None
    assert (other.delta, other.better, other.equal) == (0.5, 1, 1)


async def test_other_data_is_not_compared_unless_it_is_forced(stores: Stores) -> None:
    await a_job_with(stores, "one", {"m": [1.0, 0.0, 1.0]})
    await a_job_with(stores, "two", {"m": [1.0, 1.0]})

    with pytest.raises(Conflict, match="rows of default/capitals differ"):
        await stores.comparisons.compare(CompareResults(columns=("one", "two")))

    forced = await stores.comparisons.compare(CompareResults(columns=("one", "two"), force=True))
    other = forced.scores[0].cells[1]
    assert other is not None
    assert (other.n_paired, other.only_in_baseline, other.only_in_this) == (2, 1, 0)
    assert len(forced.differences) == 1


async def test_other_parameters_of_a_metric_are_not_compared_unless_it_is_forced(
    stores: Stores,
) -> None:
    strict = a_benchmark(models=("m",)).model_copy(
        update={
            "metrics": (
                MetricPlugin.model_validate(
                    {
                        "name": "exact-match",
                        "type": "exact-match",
                        "reference": "Paris",
                        "normalize": "none",
                    }
                ),
            )
        }
    )
    await a_job_with(stores, "one", {"m": [1.0]})
    await a_job_with(stores, "two", {"m": [0.0]}, benchmark=strict)

    with pytest.raises(Conflict, match=r"parameters \(normalize\) of default/exact-match differ"):
        await stores.comparisons.compare(CompareResults(columns=("one", "two")))

    forced = await stores.comparisons.compare(CompareResults(columns=("one", "two"), force=True))
    assert forced.differences


async def test_what_people_said_keeps_no_results_apart(stores: Stores) -> None:
    plain = a_benchmark(models=("m",))
    (metric,) = plain.metrics
    told = metric.model_copy(update={"ground_truth": "{{ item.label }}"})
    benchmark = plain.model_copy(update={"metrics": (told,)})
    await a_job_with(stores, "one", {"m": [1.0]}, benchmark=plain)
    await a_job_with(stores, "two", {"m": [0.0]}, benchmark=benchmark)

    comparison = await stores.comparisons.compare(CompareResults(columns=("one", "two")))

    assert comparison.differences == ()


async def test_a_score_that_only_one_has_stands_alone(stores: Stores) -> None:
    await a_job_with(stores, "one", {"m": [1.0]})
    other = a_benchmark(models=("m",), metrics=("another",))
    await a_job_with(stores, "two", {"m": [0.0]}, benchmark=other)

    comparison = await stores.comparisons.compare(CompareResults(columns=("one", "two")))

    assert [(line.metric, [c is not None for c in line.cells]) for line in comparison.scores] == [
        ("default/exact-match", [True, False]),
        ("default/another", [False, True]),
    ]


async def test_what_is_not_there_is_named(stores: Stores) -> None:
    await a_job_with(stores, "one", {"m": [1.0]})

    with pytest.raises(NotFound, match="nobody"):
        await stores.comparisons.compare(CompareResults(columns=("one", "nobody")))
    with pytest.raises(Invalid, match=r"'mm'.*did you mean 'm'"):
        await stores.comparisons.compare(CompareResults(columns=("one:mm",)))


async def test_rows_that_were_deleted_cannot_be_compared(stores: Stores) -> None:
    await a_job_with(stores, "one", {"m": [1.0]})
    await stores.jobs.delete("default", "one")

    with pytest.raises(Conflict, match="deleted with its job"):
        await stores.comparisons.compare(CompareResults(columns=("one",)))


async def test_a_large_comparison_does_not_depend_on_what_the_planner_believes(
    stores: Stores,
) -> None:
    n_rows = 5000
    await a_job_with(
        stores,
        "large",
        {"a": [i % 2 for i in range(n_rows)], "b": [1.0] * n_rows},
    )

    comparison = await stores.comparisons.compare(CompareResults(columns=("large",)))

    other = comparison.scores[0].cells[1]
    assert other is not None
    assert (other.n_paired, other.better, other.equal) == (n_rows, n_rows // 2, n_rows // 2)


async def test_a_model_that_was_asked_repeatedly_is_compared_by_the_mean_of_each_row(
    stores: Stores,
) -> None:
    benchmark = a_benchmark(models=("old", "live"), params=Params(repeats=2, parallelism=64))
    new = a_new_job(name="job", benchmark=benchmark, live=("live",))
    await stores.a_job_read(new, rows=3, in_chunks_of=3)
    live: dict[int, list[float | None]] = {0: [1.0, 0.0, None], 1: [0.0, 0.0, 1.0]}
    for sent in await stores.take():
        scores: list[float | None] = live[sent.repeat] if sent.is_live else [0.0, 1.0, 1.0]
        scored = a_scored_chunk(sent, scores=[scores])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    comparison = await stores.comparisons.compare(CompareResults(columns=("job",)))

    compared = cell(comparison.scores[0].cells[1])
    assert compared["mean"] == 0.5
    assert compared["delta"] == pytest.approx(-1 / 6)
    assert (compared["n_paired"], compared["better"], compared["worse"], compared["equal"]) == (
        3, 1, 1, 1,
    )  # fmt: skip
