"""What metrics say of a row beside its values comes back with that row, and makes no page too large."""

import pytest

from evalbus.errors import Malformed
from evalbus.store.ports import Derived
from evalbus_schemas.benchmark import Params
from evalbus_schemas.chunks import ScoreRemark
from evalbus_schemas.queries import ListRows, NamedScore, Row
from tests.builders import a_benchmark, a_failed_row, a_new_job, a_scored_chunk, samples_of
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres

PAGE_BYTES_MAX = 1024 * 1024
HOSTILE = 'a NUL \0, "quotes", \\, \x1e, \u2028, עברית and 🎉'
LONG = "é🎉w" * 2730


def a_remark(
    row: int,
    *,
    metric: str = "exact-match",
    label: str | None = None,
    rationale: str | None = None,
    detail: dict[str, object] | None = None,
) -> ScoreRemark:
    return ScoreRemark.model_validate(
        {
            "row": row,
            "metric": metric,
            "score": "exact-match",
            "label": label,
            "rationale": rationale,
            "detail": detail,
        }
    )


async def a_job_with(stores: Stores, *remarks: ScoreRemark, rows: int) -> None:
    """One chunk of a job named `job`, not yet finalized."""
    benchmark = a_benchmark(metrics=("exact-match", "other"))
    await stores.a_job_read(
        a_new_job(name="job", benchmark=benchmark), rows=rows, in_chunks_of=rows
    )
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, remarks=remarks)
    await stores.scores.keep(scored, samples_of(scored))


def said(row: Row, metric: str = "exact-match") -> NamedScore:
    (score,) = row.metrics[f"default/{metric}"]
    return score


async def rows_of(stores: Stores, job: str = "job") -> list[Row]:
    return await stores.all_rows(await stores.jobs.job("default", job))


async def test_what_is_said_of_a_row_comes_back_with_it_word_for_word(stores: Stores) -> None:
    detail: dict[str, object] = {HOSTILE: [HOSTILE, None, 1e-300, 2**63, True, {"": []}]}
    await a_job_with(
        stores,
        a_remark(1, label=HOSTILE, rationale=HOSTILE, detail=detail),
        a_remark(1, metric="other", rationale="only this"),
        a_remark(2, label="good"),
        rows=3,
    )

    rows = await rows_of(stores)

    assert said(rows[1]).model_dump() == {
        "name": "exact-match",
        "value": 1.0,
        "label": HOSTILE,
        "rationale": HOSTILE,
        "detail": detail,
    }
    assert said(rows[1], "other").model_dump() == {
        "name": "exact-match",
        "value": 1.0,
        "rationale": "only this",
    }
    assert said(rows[2]).label == "good"


async def test_a_row_of_which_nothing_is_said_has_names_and_values_only(stores: Stores) -> None:
    await a_job_with(stores, a_remark(1, label="good"), rows=3)

    rows = await rows_of(stores)

    assert [said(row).model_dump().keys() for row in rows] == [
        {"name", "value"},
        {"name", "value", "label"},
        {"name", "value"},
    ]
    assert {tuple(said(row, "other").model_dump()) for row in rows} == {("name", "value")}


async def test_long_texts_come_back_whole_on_pages_below_a_mebibyte(stores: Stores) -> None:
    # given
    remarks = [
        a_remark(row, metric=metric, label=f"{row}", rationale=f"{row}{LONG}", detail={"x": LONG})
        for row in range(60)
        for metric in ("exact-match", "other")
    ]
    await a_job_with(stores, *remarks, rows=60)

    # when
    pages = [await stores.rows.list(ListRows(job="job", limit=60))]
    while pages[-1].next is not None:
        pages.append(await stores.rows.list(ListRows(job="job", limit=60, after=pages[-1].next)))

    # then
    rows = [row for page in pages for row in page.rows]
    assert len(LONG) > 8 * 1000
    assert len(pages) > 2
    assert all(len(page.model_dump_json().encode()) < PAGE_BYTES_MAX for page in pages)
    assert [(said(row).label, said(row).rationale) for row in rows] == [
        (f"{row}", f"{row}{LONG}") for row in range(60)
    ]


async def test_what_was_said_goes_with_the_rows_that_a_retry_takes_over(stores: Stores) -> None:
    # given
    params = Params(parallelism=64, ignore_request_failure=True)
    benchmark = a_benchmark(models=("live",), params=params)
    new = a_new_job(name="source", benchmark=benchmark, live=("live",))
    source, _ = await stores.a_job_read(new, rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    scored = a_scored_chunk(
        sent,
        scores=[[1.0, None]],
        errors=[a_failed_row(1)],
        remarks=[a_remark(0, label="good", rationale=HOSTILE)],
    )
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()
    how = Derived(source=source.job_id, how="retry")
    await stores.jobs.create(
        a_new_job(name="retry", benchmark=benchmark, live=("live",), derivation=how)
    )

    # when
    await stores.take_over()
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, remarks=[a_remark(0, label="bad")])
    await stores.scores.keep(scored, samples_of(scored))

    # then
    assert [(said(row).label, said(row).rationale) for row in await rows_of(stores, "retry")] == [
        ("good", HOSTILE),
        ("bad", None),
    ]


async def test_a_remark_on_a_row_that_is_not_there_is_refused(stores: Stores) -> None:
    with pytest.raises(Malformed, match="a remark names a row beyond 3"):
        await a_job_with(stores, a_remark(3, label="good"), rows=3)

    assert await rows_of(stores) == []


async def test_a_remark_that_cannot_be_written_is_refused(stores: Stores) -> None:
    with pytest.raises(Malformed, match="cannot be stored"):
        await a_job_with(stores, a_remark(0, detail={"x": 2**64}), rows=3)

    assert await rows_of(stores) == []
