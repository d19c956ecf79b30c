"""Hot queries find what they need by an index, however much else is stored and whatever the planner believes."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import cast

import asyncpg
import orjson
import pytest

from evalbus.store.postgres.sql import load
from tests.servers.versions import on_each_postgres

pytestmark = on_each_postgres

DATAPOINTS = load("datapoints.sql")
DERIVING = load("deriving.sql")
DISPATCH = load("dispatch.sql")
EXPLAINING = load("explaining.sql")
EXPORTS = load("exports.sql")
JOBS = load("jobs.sql")
JOB_LOG = load("job_log.sql")
PAUSING = load("pausing.sql")
WHY = load("why.sql")
FINALS = load("finalizing.sql")
OF_ROWS = load("rows.sql")
SCORES = load("scores.sql")
STORED_VALUES = load("stored_values.sql")
UPKEEP = load("upkeep.sql")

MONTH = datetime.now(UTC).date().replace(day=1)
NOBODY = "00000000-0000-0000-0000-000000000000"
ROWS = 20_000
PAGE = 101
PAGE_BYTES = 1024 * 1024

# What one index lookup, or a batch of them, may read; the tables have thousands of blocks.
FEW = 30
SOME = 250
A_PAGE = 8 * PAGE
SLAB = 5000
A_SLAB_OF_BOTH_MODELS = 8 * 2 * SLAB
A_SLAB_WITH_ITEMS = 8 * SLAB
A_CHUNK = 500
EXPLAINED = 100
A_LOOK_UP = 6
TEXT_BYTES = 64 * 1024
DATAPOINTS_OF_A_PAGE = 1500

TINY = frozenset({"broker_away"})
"""Has a row for each service at most."""

Argument = str | int | float | bool | date | None


@dataclass(frozen=True, kw_only=True)
class Hot:
    """A query, its arguments for the large job, and how many blocks it may read or change."""

    name: str
    sql: str
    arguments: Sequence[Argument]
    blocks_max: int


def hot_queries(job_no: int, job_id: str) -> Iterator[Hot]:
    rows = OF_ROWS.rows.format(condition="true")
    rows_of_no_slice = OF_ROWS.rows.format(condition=f"{OF_ROWS.slices_of_row} = 0")
    rows_of_a_model = OF_ROWS.rows.format(condition="true AND model_no = $9::smallint")
    for name, sql, arguments, blocks_max in (
        ("gate", SCORES.gate, (job_no, 20, 0, 1.0, "e", 0, 0), FEW),
        ("has chunk", SCORES.has_chunk, (job_no, 20), FEW),
        ("facts", SCORES.facts, (job_id,), FEW),
        ("count chunk", SCORES.count_chunk, (job_no, 500, 0, 0.1), FEW),
        ("progress", SCORES.progress, (job_id, 20, None), FEW),
        ("claim", DISPATCH.claim, (30,), FEW),
        ("fence", DISPATCH.fence, (job_no, NOBODY, 0, 4, 30), FEW),
        ("waiting", DISPATCH.count_waiting, (job_no, False), FEW),
        ("demand", DISPATCH.demand, (64,), FEW),
        ("live demand", DISPATCH.live_demand, (64,), FEW),
        ("take", DISPATCH.take, (job_no, 16), SOME),
        ("take live", DISPATCH.take_live, (job_no, 1, 4), FEW),
        ("confirm", DISPATCH.confirm, (job_no, "{1,2,3,4}"), FEW),
        ("give back", DISPATCH.give_back, (job_no, "{1,2,3,4}"), FEW),
        ("lines", DISPATCH.lines, (job_no, 0, MONTH, 10_000, 500), SOME),
        ("slab", STORED_VALUES.slab, (job_no, 0, 0, MONTH, 0, SLAB), SOME),
        ("slab of repeats", STORED_VALUES.slab_of_repeats, (job_no, 0, 0, MONTH, 0, SLAB), SOME),
        ("counts", STORED_VALUES.counts, (job_no, 0, 0, MONTH, 0, SLAB), SOME),
        ("truths", STORED_VALUES.truths, (job_no, 0, 0, MONTH, 0, SLAB, 1), SOME),
        ("members", STORED_VALUES.members, (job_no, 0, 0, MONTH, 0, SLAB), A_SLAB_WITH_ITEMS),
        (
            "counts in slices",
            STORED_VALUES.counts_in_slices,
            (job_no, 0, 0, MONTH, 0, SLAB),
            A_SLAB_WITH_ITEMS,
        ),
        ("signatures", FINALS.signatures, (job_no,), FEW),
        ("sign", SCORES.add_signatures, (job_no, '{"{}"}'), FEW),
        ("asked", SCORES.note_asked, (job_no, 20, 1, 0, 0, 1, 1, 0.1), FEW),
        ("asked by metrics", SCORES.note_asked_by_metrics, (job_no, 20, 1, 0, 0, 1, 1, 0.1), FEW),
        ("samples", DERIVING.samples, (job_no, MONTH, 0, 0, SLAB), A_SLAB_OF_BOTH_MODELS),
        (
            "left to do",
            DERIVING.left_to_do,
            (job_no, MONTH, 0, 0, SLAB, job_no, MONTH),
            A_SLAB_OF_BOTH_MODELS,
        ),
        (
            "answered lines",
            DISPATCH.answered_lines,
            (job_no, 0, MONTH, f"{{{','.join(map(str, range(A_CHUNK)))}}}", job_no, MONTH, 0, 0),
            16 * A_CHUNK,
        ),
        ("first rows", rows, (job_no, MONTH, -1, -1, -1, -1, PAGE, PAGE_BYTES), A_PAGE),
        ("rows", rows, (job_no, MONTH, 0, 1, 15_000, 0, PAGE, PAGE_BYTES), A_PAGE),
        (
            "rows of no slice",
            rows_of_no_slice,
            (job_no, MONTH, 0, 1, 15_000, 0, PAGE, PAGE_BYTES),
            2 * A_PAGE,
        ),
        (
            "rows of a model",
            rows_of_a_model,
            (job_no, MONTH, 0, 1, 9, 0, PAGE, PAGE_BYTES, 1),
            A_PAGE,
        ),
        (
            "items of datapoints",
            DATAPOINTS.items,
            (job_no, MONTH, 0, 9000, DATAPOINTS_OF_A_PAGE, 120, PAGE_BYTES),
            SOME,
        ),
        (
            "answers of datapoints",
            DATAPOINTS.answers,
            (job_no, MONTH, 0, 9000, 9000 + DATAPOINTS_OF_A_PAGE, 2, 200, PAGE_BYTES),
            SOME,
        ),
        ("calls to explain", EXPLAINING.asked, (job_no,), SOME),
        (
            "texts to explain",
            EXPLAINING.weigh,
            (job_no, MONTH, 0, ROWS, ROWS // EXPLAINED, TEXT_BYTES, 2),
            A_LOOK_UP * 3 * EXPLAINED,
        ),
        (
            "items to explain",
            EXPLAINING.items,
            (job_no, MONTH, 0, 0, ROWS - 1, ROWS // EXPLAINED, TEXT_BYTES),
            A_LOOK_UP * EXPLAINED,
        ),
        (
            "answers to explain",
            EXPLAINING.answers,
            (job_no, MONTH, 0, 0, ROWS - 1, ROWS // EXPLAINED, TEXT_BYTES, 2),
            A_LOOK_UP * 2 * EXPLAINED,
        ),
        ("job by name", JOBS.find_job, ("default", "large-1", None), FEW),
        ("job by id", JOBS.find_job, ("default", "nobody", job_id), FEW),
        ("stored job", JOBS.find_stored.format(columns="*"), ("default", "large-1", None), FEW),
        ("newest jobs", JOBS.list_jobs, ("default", None, 2**62, PAGE, None, False), A_PAGE),
        ("same command", JOBS.same_command, ("default", "large-1"), FEW),
        ("why", WHY.why, (job_no, 15, 2), FEW),
        ("models that wait", WHY.models_that_wait, (job_no,), FEW),
        ("log", JOB_LOG.page, (job_no, 0, 101), FEW),
        ("line of the log", JOB_LOG.write, (job_no, "job", "warning", "a", 1000), FEW),
        ("pause", PAUSING.pause, (job_no,), FEW),
        ("stand still", SCORES.drained, (job_no,), FEW),
        ("new export", EXPORTS.create, (job_no, "a command"), FEW),
        ("export", EXPORTS.exporting, (NOBODY, "default"), FEW),
        ("export to write", EXPORTS.claim, (30,), FEW),
        ("hold an export", EXPORTS.renew, (1, NOBODY, 100, 30, None), FEW),
        ("derived", JOBS.derived_unfinished, (job_no,), FEW),
        ("whole job", FINALS.claim_whole, (), FEW),
        ("overdue", UPKEEP.overdue, (300, 30), FEW),
        ("in flight", UPKEEP.in_flight, (), FEW),
        ("beyond deadline", UPKEEP.beyond_deadline, (), FEW),
        ("standing", UPKEEP.standing, (), FEW),
    ):
        yield Hot(name=name, sql=sql, arguments=arguments, blocks_max=blocks_max)


@dataclass(frozen=True, kw_only=True)
class Cost:
    blocks: int
    scanned_through: frozenset[str]


async def cost(connection: "asyncpg.Connection[asyncpg.Record]", hot: Hot) -> Cost:
    """What carrying it out reads; it is rolled back."""
    await connection.execute(f"PREPARE hot AS {hot.sql.rstrip(';')}")
    arguments = ", ".join(map(literal, hot.arguments))
    transaction = connection.transaction()
    await transaction.start()
    try:
        plan = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE hot{f'({arguments})' * bool(arguments)}"
        )
    finally:
        await transaction.rollback()
        await connection.execute("DEALLOCATE hot")
    root = orjson.loads(plan)[0]["Plan"]
    return Cost(
        blocks=root["Shared Hit Blocks"] + root["Shared Read Blocks"],
        scanned_through=frozenset(
            str(node["Relation Name"]) for node in nodes(root) if node["Node Type"] == "Seq Scan"
        )
        - TINY,
    )


def nodes(node: dict[str, "object"]) -> Iterator[dict[str, "object"]]:
    yield node
    for child in cast("list[dict[str, object]]", node.get("Plans", [])):
        yield from nodes(child)


def literal(value: Argument) -> str:
    return "NULL" if value is None else f"'{value}'"


async def fill(
    connection: "asyncpg.Connection[asyncpg.Record]",
    *,
    name: str,
    jobs: int,
    rows: int,
    status: str,
    chunk_status: str,
) -> tuple[int, str]:
    """Jobs with two models, the second of them judged, everything stored; number and id of the last."""
    await connection.execute(
        """
        WITH made AS (
            INSERT INTO job (
                job_id, workspace, name, benchmark, month, spec, limits, labels,
                idempotency_key, content_hash, status, started_at
            )
            SELECT
                gen_random_uuid(), 'default', $1::text || '-' || i, 'b', $4, '{}', '{}', '{}',
                $1::text || '-' || i, '', $3, now()
            FROM generate_series(1, $2::int) AS i
            RETURNING job_no
        ), models AS (
            INSERT INTO job_model (job_no, model_no, is_live, parallelism, repeats, metric_endpoints)
            SELECT job_no, m, false, 1, 1, CASE m WHEN 1 THEN '{http://judge}'::text [] ELSE '{}' END
            FROM made, generate_series(0, 1) AS m
        ), lines AS (
            INSERT INTO job_log (job_no, step, level, message)
            SELECT job_no, 'job', 'info', repeat('x', 100)
            FROM made, generate_series(1, 10) AS i
        ), items AS (
            INSERT INTO item
            SELECT $4, job_no, 0, i, md5(i::text), repeat('x', 250)
            FROM made, generate_series(0, $5::bigint - 1) AS i
        ), signatures AS (
            INSERT INTO job_signature (job_no, metric_no, digest, signature)
            SELECT job_no, i, '', repeat('x', 100)
            FROM made, generate_series(0, 1) AS i
        ), exports AS (
            INSERT INTO export (job_no, command, status)
            SELECT job_no, repeat('x', 200) || i, 'completed'
            FROM made, generate_series(1, 5) AS i
        ), chunks AS (
            INSERT INTO chunk (job_no, chunk_no, dataset_no, model_no, first_row, n_rows, status, is_live)
            SELECT job_no, 2 * i + m, 0, m, i * 500, 500, $6, m = 1
            FROM made, generate_series(0, ($5::bigint - 1) / 500) AS i, generate_series(0, 1) AS m
        )
        INSERT INTO score (
            month, job_no, dataset_no, model_no, row_index, repeat, is_failed, scores, sample, counts
        )
        SELECT $4, job_no, 0, m, i, 0, false, '{1, 2}', '{"output_text":"x"}', '[[1,2]]'
        FROM made, generate_series(0, 1) AS m, generate_series(0, $5::bigint - 1) AS i
        """,
        name,
        jobs,
        status,
        MONTH,
        rows,
        chunk_status,
    )
    made = await connection.fetchrow("SELECT job_no, job_id::text FROM job ORDER BY job_no DESC")
    assert made is not None, "they were made a moment ago"
    return made["job_no"], made["job_id"]


@pytest.fixture
async def connection(
    database_url: str,
) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
async def test_hot_queries_read_few_blocks_and_scan_through_no_table(
    connection: "asyncpg.Connection[asyncpg.Record]", plan: str
) -> None:
    await fill(connection, name="done", jobs=1000, rows=20, status="completed", chunk_status="done")
    await fill(connection, name="other", jobs=1, rows=ROWS, status="completed", chunk_status="done")
    large = await fill(
        connection, name="large", jobs=1, rows=ROWS, status="active", chunk_status="pending"
    )
    await connection.execute("ANALYZE")
    await connection.execute(f"SET plan_cache_mode = {plan}")

    costs = [(hot, await cost(connection, hot)) for hot in hot_queries(*large)]

    assert [
        f"{hot.name}: {found.blocks} blocks, more than {hot.blocks_max}"
        for hot, found in costs
        if found.blocks > hot.blocks_max
    ] == []
    assert {hot.name: found.scanned_through for hot, found in costs if found.scanned_through} == {}


async def test_rows_of_a_job_that_was_stored_just_now_are_read_as_cheaply(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await fill(connection, name="tiny", jobs=1, rows=3, status="completed", chunk_status="done")
    await connection.execute("ANALYZE")
    large = await fill(
        connection, name="large", jobs=1, rows=ROWS, status="active", chunk_status="pending"
    )
    await connection.execute(OF_ROWS.plan_for_these_arguments.replace("LOCAL", ""))
    of_rows = (
        "lines",
        "slab",
        "counts",
        "samples",
        "left to do",
        "answered lines",
        "first rows",
        "rows",
        "rows of a model",
        "items of datapoints",
        "answers of datapoints",
    )

    costs = [
        (hot, await cost(connection, hot)) for hot in hot_queries(*large) if hot.name in of_rows
    ]

    assert len(costs) == len(of_rows)
    assert [
        f"{hot.name}: {found.blocks} blocks, more than {hot.blocks_max}"
        for hot, found in costs
        if found.blocks > hot.blocks_max
    ] == []
