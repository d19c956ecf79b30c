"""Rows to explain are read evenly, a few at a time, with everything that is said of each."""

import json
from collections.abc import Sequence

import pytest

from evalbus.errors import NotFound
from evalbus.metrics import layout_of
from evalbus.store.ports import AnswerToExplain, ExplainingLimits, ExplainingStore, RowToExplain
from evalbus.store.postgres import PostgresExplaining
from evalbus_schemas.benchmark import MetricPlugin, Params
from evalbus_schemas.queries import JobNamed
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    an_asked_row,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def all_rows(store: ExplainingStore, job: str = "first") -> list[list[RowToExplain]]:
    """Of each dataset."""
    found = await store.job(JobNamed(job=job))
    return [
        [row async for rows in store.rows(found, dataset) for row in rows]
        for dataset in found.datasets
    ]


def answer(row: RowToExplain, model_no: int = 0) -> AnswerToExplain:
    given = row.answers[model_no]
    assert given is not None, f"row {row.row_index} has an answer of model {model_no}"
    return given


async def scored(stores: Stores, **changes: object) -> None:
    """Two datasets and two models, of which one answered but a part."""
    benchmark = a_benchmark(datasets=("one", "two"), models=("small", "large"), metrics=("a", "b"))
    await stores.a_job_read(a_new_job(name="first", benchmark=benchmark), rows=7)
    for sent in (await stores.take())[:-1]:
        errors = [a_failed_row(2)] if sent.n_rows == 3 else []
        scores = [
            [0.25 * (sent.first_row + row) for row in range(sent.n_rows)],
            [1.0] * sent.n_rows,
        ]
        chunk = a_scored_chunk(sent, errors=errors, scores=scores)
        await stores.scores.keep(chunk, samples_of(chunk))


async def test_every_row_comes_in_order_with_the_answers_that_there_are(stores: Stores) -> None:
    await scored(stores)

    one, two = await all_rows(stores.explaining)
    job = await stores.explaining.job(JobNamed(job="first"))

    assert [row.row_index for row in one] == [row.row_index for row in two] == list(range(7))
    assert [row.row_id for row in one][:2] == ["row-0", "row-1"]
    assert json.loads(one[3].item or "") == {"id": 3, "input": "question 3", "output": "Paris"}
    assert [answer(row).scores for row in one][:2] == [[0.0, 1.0], [0.25, 1.0]]
    assert answer(one[0]).sample == '{"output_text":"Paris"}'
    assert [answer(row).is_failed for row in one] == [False, False, True, False, False, True, False]
    (errors,) = answer(one[2]).errors
    assert json.loads(errors)[0]["code"] == "broken"
    # The last chunk was not scored: its row is there, and nobody's answer to it.
    assert two[6].answers[1] is None
    assert answer(two[6], 0).scores
    assert (job.is_complete, job.finished_at) == (False, None)


async def test_repeats_are_one_answer_by_the_rule_of_each_metric(stores: Stores) -> None:
    benchmark = a_benchmark(
        metrics=("a", MetricPlugin.model_validate({"name": "best", "type": "pass-at-k", "of": {"type": "exact-match", "reference": "x"}, "k": [1]})),
        params=Params(repeats=3),
    )  # fmt: skip
    await stores.a_job_read(
        a_new_job(name="first", benchmark=benchmark, live=("baseline",)), rows=1
    )
    while taken := await stores.take():
        for sent in taken:
            chunk = a_scored_chunk(
                sent,
                scores=[[float(sent.repeat)], [float(sent.repeat == 2)]],
                asked=[an_asked_row(seconds=0.5 + sent.repeat)],
                errors=[a_failed_row(0)] if sent.repeat == 1 else [],
            )
            await stores.scores.keep(
                chunk, samples_of(chunk, b'{"output_text":"%d"}' % sent.repeat)
            )

    ((row,),) = await all_rows(stores.explaining)
    job = await stores.explaining.job(JobNamed(job="first"))

    given = answer(row)
    assert given.scores == [1.0, pytest.approx(1 / 3)]
    assert (given.sample, given.latency, given.is_failed) == ('{"output_text":"0"}', 1.5, False)
    assert len(given.errors) == 1
    (asked,) = job.datasets[0].asked
    assert asked is not None
    assert (asked.calls, asked.input_tokens, asked.output_tokens) == (3, 30, 15)
    assert asked.cost == pytest.approx(0.03)


async def test_people_s_word_and_slices_come_with_the_rows(stores: Stores) -> None:
    judged = MetricPlugin.model_validate(
        {"name": "a", "type": "exact-match", "reference": "x", "ground_truth": "{{ item.label }}"}
    )
    benchmark = a_benchmark(metrics=(judged, "b"))
    new = a_new_job(name="first", benchmark=benchmark)
    await stores.a_job_read(new, rows=3, slices=(1, 0, 3))
    for sent in await stores.take():
        chunk = a_scored_chunk(sent).model_copy(update={"truths": ((1.0, None, 0.0),)})
        await stores.scores.keep(chunk, samples_of(chunk))

    (rows,) = await all_rows(stores.explaining)

    assert [row.slices for row in rows] == [1, 0, 3]
    truths: list[Sequence[float]] = [answer(row).truths for row in rows]
    assert [len(each) for each in truths] == [1, 1, 1]
    assert (truths[0][0], truths[2][0]) == (1.0, 0.0)
    assert truths[1][0] != truths[1][0]


async def test_of_many_rows_every_second_or_third_is_read(stores: Stores) -> None:
    await scored(stores)

    few = PostgresExplaining(stores.database, layout_of, ExplainingLimits(rows_max=3))
    fewer = PostgresExplaining(stores.database, layout_of, ExplainingLimits(answers_max=9))

    for store, places in ((few, [0, 3, 6]), (fewer, [0, 4])):
        one, two = await all_rows(store)
        assert [row.row_index for row in one] == [row.row_index for row in two] == places


async def test_texts_that_are_long_together_are_read_more_thinly_and_longer_ones_not_at_all(
    stores: Stores,
) -> None:
    items = [json.dumps({"text": "x" * (100 if number else 3000)}).encode() for number in range(8)]
    await stores.a_job_read(a_new_job(name="first"), items=items)
    await stores.score_all()

    short = ExplainingLimits(text_bytes_max=2000)
    thin = ExplainingLimits(text_bytes_max=2000, bytes_max=600)

    (rows,) = await all_rows(PostgresExplaining(stores.database, layout_of, short))
    (thinned,) = await all_rows(PostgresExplaining(stores.database, layout_of, thin))
    assert [row.item is None for row in rows] == [True, *[False] * 7]
    assert [row.row_index for row in thinned] == [0, 2, 4, 6]


async def test_a_job_that_nobody_knows_is_not_found(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await stores.explaining.job(JobNamed(job="first"))
