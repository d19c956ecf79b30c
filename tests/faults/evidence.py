"""What is left of a job, in a form that two jobs can be compared by."""

import asyncio
from dataclasses import dataclass

import asyncpg

from evalbus.client import Client

# The rows as one number: any lost, doubled or different one changes it.
ROWS = """
SELECT
    count(*) AS rows,
    count(DISTINCT (dataset_no, model_no, row_index, repeat)) AS different_rows,
    md5(string_agg(
        concat_ws('|', dataset_no, model_no, row_index, repeat, is_failed, scores, sample, errors),
        E'\\n' ORDER BY dataset_no, model_no, row_index, repeat
    )) AS digest
FROM score
WHERE job_no = (SELECT job_no FROM job WHERE name = $1)
"""

COUNTERS = """
SELECT
    j.rows_done, j.rows_failed, j.chunks_done, j.n_chunks,
    (SELECT count(*) FROM result AS r WHERE r.job_id = j.job_id) AS results,
    (SELECT count(*) FROM event AS e WHERE e.body::jsonb ->> 'job' = j.name AND e.type LIKE '%completed%') AS completions
FROM job AS j
WHERE j.name = $1
"""


@dataclass(frozen=True)
class Evidence:
    status: str
    rows: int
    different_rows: int
    digest: str
    counters: tuple[int, ...]
    scores: str
    """The result's statistics, to the last bit."""


def evidence_of(client: Client, database_url: str, job: str) -> Evidence:
    found = client.jobs.get(job)
    rows, counters = asyncio.run(_looked_up(database_url, job))
    scores = client.results.get(job).results if found.status == "completed" else ()
    return Evidence(
        status=found.status,
        rows=rows["rows"],
        different_rows=rows["different_rows"],
        digest=rows["digest"],
        counters=tuple(counters),
        scores=repr(scores),
    )


async def _looked_up(database_url: str, job: str) -> tuple[asyncpg.Record, asyncpg.Record]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetchrow(ROWS, job)
        counters = await connection.fetchrow(COUNTERS, job)
    finally:
        await connection.close()
    assert rows
    assert counters
    return rows, counters
