"""Side by side, where there are no rows to be paired: scores of the whole, and rows that were answered repeatedly."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pytest

from evalbus_schemas.benchmark import Params
from evalbus_schemas.queries import ComparedCell, ComparedScore, CompareResults, Comparison
from evalbus_schemas.scores import Counts
from tests.builders import a_benchmark, a_new_job, a_scored_chunk, samples_of
from tests.scoring import a_plugin
from tests.servers.versions import on_each_postgres
from tests.stores import Stores
from tests.tally import a_tally, install_tally

pytestmark = on_each_postgres

PAIRED = {"n_paired", "only_in_baseline", "only_in_this", "better", "worse", "equal"}


@pytest.fixture(autouse=True)
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_tally(tmp_path, monkeypatch)


async def tallied(
    stores: Stores,
    counts: Mapping[str, Sequence[Counts | None]],
    *,
    direction: Literal["higher", "lower"] = "higher",
) -> ComparedScore:
    """The line of the score of the whole of a job whose models' rows count so; a row's value is its share."""
    benchmark = a_benchmark(models=tuple(counts), metrics=(a_tally(direction=direction),))
    n_rows = len(next(iter(counts.values())))
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=n_rows)
    for sent in await stores.take():
        rows = slice(sent.first_row, sent.first_row + sent.n_rows)
        column = counts[sent.plan.model.name][rows]
        shares = [of_row[0] / of_row[1] if isinstance(of_row, tuple) else None for of_row in column]
        scored = a_scored_chunk(sent, scores=[shares], counts=[column])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()
    comparison = await compare(stores)
    assert [line.score for line in comparison.scores] == ["share", "of_all"]
    return comparison.scores[1]


async def compare(stores: Stores) -> Comparison:
    return await stores.comparisons.compare(CompareResults(columns=("job",)))


def told(cell: ComparedCell | None) -> dict[str, object]:
    assert cell is not None
    return {name: value for name, value in cell if value is not None}


async def test_scores_of_the_whole_differ_by_their_values_and_pair_nothing(stores: Stores) -> None:
    # given rows whose shares would have another mean
    line = await tallied(stores, {"old": [(1, 1), (0, 3)], "new": [(1, 1), (2, 3)]})

    old, new = map(told, line.cells)

    assert old == {"mean": 0.25, "count": 2, "nan_count": 0, "n_failed": 0}
    assert new == {"mean": 0.75, "count": 2, "nan_count": 0, "n_failed": 0, "delta": 0.5}


@pytest.mark.parametrize("direction", ["higher", "lower"])
async def test_a_line_says_which_way_is_better_and_deltas_keep_their_sign(
    stores: Stores, direction: Literal["higher", "lower"]
) -> None:
    line = await tallied(
        stores, {"old": [(1, 2), (1, 2)], "new": [(1, 4), (2, 4)]}, direction=direction
    )

    of_rows = (await compare(stores)).scores[0]
    cell = told(of_rows.cells[1])

    assert (line.direction, told(line.cells[1])["delta"]) == (direction, -0.125)
    assert (of_rows.direction, cell["delta"], cell["equal"]) == (direction, -0.125, 1)
    assert (cell["better"], cell["worse"]) == ((0, 1) if direction == "higher" else (1, 0))


async def test_without_a_value_of_the_whole_there_is_no_difference(stores: Stores) -> None:
    line = await tallied(
        stores, {"old": [(1, 2), (1, 2)], "none": [None, None], "new": [(1, 1), (1, 1)]}
    )

    assert [told(cell).get("delta") for cell in line.cells] == [None, None, 0.5]
    assert line.cells[1] is not None
    assert line.cells[1].mean is None


async def passed_at(
    stores: Stores, attempts: Mapping[str, Sequence[Sequence[float | None]]]
) -> ComparedScore:
    """The line of pass@2 for models whose rows were answered so: by row, 1 for an attempt that passes."""
    repeats = len(next(iter(attempts.values()))[0])
    pass_at_2 = a_plugin("pass-at-k", of={"type": "exact-match", "reference": "Paris"}, k=[2])
    benchmark = a_benchmark(
        models=tuple(attempts),
        metrics=(pass_at_2, "exact-match"),
        params=Params(repeats=repeats, parallelism=64),
    )
    new = a_new_job(name="job", benchmark=benchmark, live=tuple(attempts))
    await stores.a_job_read(new, rows=2)
    while taken := await stores.take():
        for sent in taken:
            rows = attempts[sent.plan.model.name][sent.first_row : sent.first_row + sent.n_rows]
            column = [of_row[sent.repeat] for of_row in rows]
            scored = a_scored_chunk(sent, scores=[column, column])
            await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()
    comparison = await compare(stores)
    assert [line.score for line in comparison.scores] == ["pass_at_2", "exact-match"]
    # What is averaged over repeats is paired all the same.
    assert told(comparison.scores[1].cells[1]).keys() > PAIRED
    return comparison.scores[0]


async def test_a_score_over_attempts_differs_by_its_means_and_pairs_nothing(stores: Stores) -> None:
    line = await passed_at(
        stores,
        {
            "old": [(1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)],
            "new": [(1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)],
        },
    )

    old, new = map(told, line.cells)

    # 1 - C(3,2)/C(4,2) and 1 - C(2,2)/C(4,2), each with a row of nothing.
    assert old == {"mean": 0.25, "count": 2, "nan_count": 0, "n_failed": 0}
    assert new.keys() == old.keys() | {"delta"}
    assert new["mean"] == pytest.approx(5 / 12)
    assert new["delta"] == pytest.approx(1 / 6)


async def test_attempts_without_a_value_are_none_and_too_few_give_the_row_none(
    stores: Stores,
) -> None:
    line = await passed_at(
        stores,
        {
            "old": [(1.0, None, 0.0), (1.0, None, None)],
            "new": [(1.0, None, 0.0), (1.0, 1.0, None)],
        },
    )

    old, new = map(told, line.cells)

    assert (old["mean"], old["count"], old["nan_count"]) == (1.0, 1, 1)
    assert (new["mean"], new["count"], new["delta"]) == (1.0, 2, 0.0)


async def test_a_score_over_attempts_of_models_that_answered_once_is_paired(stores: Stores) -> None:
    pass_at_1 = a_plugin("pass-at-k", of={"type": "exact-match", "reference": "Paris"})
    benchmark = a_benchmark(models=("old", "new"), metrics=(pass_at_1,))
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=2)
    for sent in await stores.take():
        value = float(sent.plan.model.name == "new")
        scored = a_scored_chunk(sent, scores=[[value, 1.0]])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    (line,) = (await compare(stores)).scores

    cell = told(line.cells[1])
    assert (cell["n_paired"], cell["better"], cell["equal"], cell["delta"]) == (2, 1, 1, 0.5)


async def test_a_score_over_more_attempts_than_there_were_has_no_value_and_pairs_nothing(
    stores: Stores,
) -> None:
    passed = a_plugin("pass-at-k", of={"type": "exact-match", "reference": "Paris"}, k=[1, 2])
    benchmark = a_benchmark(models=("old", "new"), metrics=(passed,))
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=2)
    for sent in await stores.take():
        scored = a_scored_chunk(sent, scores=[[1.0, 0.0], [1.0, 0.0]])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    of_one, of_two = (
        [told(cell) for cell in line.cells] for line in (await compare(stores)).scores
    )

    assert [(cell.get("mean"), cell["count"]) for cell in of_one] == [(0.5, 2), (0.5, 2)]
    assert [(cell.get("mean"), cell["count"]) for cell in of_two] == [(None, 0), (None, 0)]
    assert (of_one[1]["n_paired"], "n_paired" in of_two[1]) == (2, False)
