"""A database with very many results and rows, written by the database itself: for query plans and for figures."""

import asyncpg

RESULTS = """
INSERT INTO result (
    workspace, name, job_id, job_no, benchmark, datasets, models, metrics, labels, n_rows, n_failed,
    started_at, finished_at, created_at, digests, metric_specs
)
SELECT
    CASE WHEN n % 10 = 0 THEN 'other' ELSE 'default' END,
    'result-' || n,
    gen_random_uuid(),
    n,
    'default/bench-' || n % 100,
    ARRAY['default/data-' || n % 50],
    ARRAY['default/model-' || n % 20],
    ARRAY['default/exact-match', 'default/f1'],
    jsonb_build_object('team', 'team-' || n % 7),
    1000,
    n % 3,
    now(),
    now(),
    now() - make_interval(secs => n),
    ARRAY['1000:1'],
    '[{}, {}]'
FROM generate_series(1, $1) AS n
"""

SCORES = """
INSERT INTO result_score (
    result_no, position, dataset, model, metric, score, count, nan_count, n_failed,
    sum, mean, min, max, variance, std_dev, shape
)
SELECT
    r.result_no, m.position, r.datasets[1], r.models[1], m.metric, m.score, 1000, 0, 0,
    500, (r.result_no % 1000) / 1000.0, 0, 1, 0.25, 0.5,
    '{"percentiles":{"method":"hyndman-fan-6","p10":0,"p20":0,"p30":0,"p40":0,"p50":0,"p60":1,"p70":1,"p80":1,"p90":1,"p100":1}}'
FROM result AS r,
    (VALUES (0, 'default/exact-match', 'exact-match'), (1, 'default/f1', 'f1')) AS m (position, metric, score)
"""

JOB = """
INSERT INTO job (
    job_id, workspace, name, benchmark, month, spec, limits, labels, idempotency_key, content_hash,
    status, n_chunks, chunks_done, next_chunk, rows_total, rows_done, rows_failed, started_at, finished_at
)
VALUES (
    gen_random_uuid(), 'default', $1, 'bench', date_trunc('month', now())::date, $2, '{}', '{}', $1, '',
    $4::text, 1, 1, 1, $3::bigint, $3::bigint, $3::bigint / 1000, now(), CASE WHEN $4::text = 'completed' THEN now() END
)
RETURNING job_no
"""

DATASET = "INSERT INTO job_dataset VALUES ($1, 0, '{}', NULL, $2, true)"

MODEL = """
INSERT INTO job_model (job_no, model_no, is_live, parallelism, repeats) VALUES ($1, 0, false, 1, 1)
"""

ITEMS = """
INSERT INTO item (month, job_no, dataset_no, row_index, row_id, item)
SELECT
    date_trunc('month', now())::date, $1, 0, n, 'row-' || n,
    json_build_object('id', n, 'input', repeat('word ', 20), 'output', 'a', 'reference', 'b')::text
FROM generate_series(0, $2 - 1) AS n
"""

ROWS = """
INSERT INTO score (
    month, job_no, dataset_no, model_no, row_index, repeat, is_failed, scores, sample
)
SELECT
    date_trunc('month', now())::date, $1, 0, 0, n, 0, n % 1000 = 0,
    CASE
        WHEN n % 1000 = 0 THEN array_fill('NaN'::float8, ARRAY[$3::integer])
        ELSE array_fill(((n::bigint * 7919) % 1000) / 1000.0::float8, ARRAY[$3::integer])
    END,
    '{"output_text":"a"}'
FROM generate_series(0, $2 - 1) AS n
"""


async def write_results(database_url: str, count: int) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(RESULTS, count)
        await connection.execute(SCORES)
        await connection.execute("VACUUM ANALYZE result")
        await connection.execute("VACUUM ANALYZE result_score")
    finally:
        await connection.close()


async def write_job(
    database_url: str, name: str, spec: str, *, rows: int, scores: int, status: str = "completed"
) -> None:
    """A job with one dataset and one model, all of whose rows are stored."""
    connection = await asyncpg.connect(database_url)
    try:
        job_no = await connection.fetchval(JOB, name, spec, rows, status)
        await connection.execute(DATASET, job_no, rows)
        await connection.execute(MODEL, job_no)
        await connection.execute(ITEMS, job_no, rows, timeout=600)
        await connection.execute(ROWS, job_no, rows, scores, timeout=600)
        await connection.execute("VACUUM ANALYZE item")
        await connection.execute("VACUUM ANALYZE score")
    finally:
        await connection.close()
