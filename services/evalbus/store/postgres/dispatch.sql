-- name: claim
-- The oldest job with rows to read that nobody reads; the token fences off whoever held it before.
UPDATE job
SET lease_token = gen_random_uuid(),
    lease_until = now() + make_interval(secs => $1),
    started_at = coalesce(started_at, now()),
    status = CASE WHEN status = 'created' THEN 'pending' ELSE status END
WHERE job_no = (
    SELECT job_no
    FROM job
    WHERE status IN ('created', 'pending', 'active', 'resuming')
        AND n_chunks IS NULL
        AND deleted_at IS NULL
        AND (lease_until IS NULL OR lease_until < now())
    ORDER BY job_no
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING
    job_no, job_id, month, lease_token, next_chunk, spec, limits, derivation, started_at = now() AS is_first;

-- name: datasets
SELECT fingerprint, position, n_rows, is_read
FROM job_dataset
WHERE job_no = $1
ORDER BY dataset_no;

-- name: models
SELECT is_live, endpoint, metric_endpoints FROM job_model WHERE job_no = $1 ORDER BY model_no;

-- name: renew
UPDATE job
SET lease_until = now() + make_interval(secs => $3)
WHERE job_no = $1 AND lease_token = $2 AND status IN ('pending', 'active', 'resuming')
RETURNING job_no;

-- name: holds
SELECT job_no
FROM job
WHERE job_no = $1 AND lease_token = $2 AND status IN ('pending', 'active', 'resuming')
FOR UPDATE;

-- name: release
UPDATE job
SET lease_token = NULL, lease_until = NULL
WHERE job_no = $1 AND lease_token = $2;

-- name: fence
-- Last in its transaction, so that the job row is locked only for the moment of the commit.
UPDATE job
SET next_chunk = $4, lease_until = now() + make_interval(secs => $5)
WHERE job_no = $1 AND lease_token = $2 AND next_chunk = $3 AND status IN ('pending', 'active', 'resuming')
RETURNING job_no;

-- name: note_position
UPDATE job_dataset
SET position = $3, n_rows = $4
WHERE job_no = $1 AND dataset_no = $2;

-- name: join_by_hash
-- Of a job that was stored just now the planner knows nothing, takes its rows for one, and would loop over all pairs.
SET LOCAL enable_nestloop = off;

-- name: number_equal_rows
-- Rows with the same id: the first keeps it, the others get their ordinal.
WITH doubled AS MATERIALIZED (
    SELECT row_id
    FROM item
    WHERE job_no = $1 AND dataset_no = $2 AND month = $3
    GROUP BY row_id
    HAVING count(*) > 1
)
UPDATE item
SET row_id = item.row_id || '-' || d.ordinal
FROM (
    SELECT
        i.row_index,
        row_number() OVER (PARTITION BY i.row_id ORDER BY i.row_index) AS ordinal
    FROM item AS i
    JOIN doubled ON doubled.row_id = i.row_id
    WHERE i.job_no = $1 AND i.dataset_no = $2 AND i.month = $3
) AS d
WHERE d.ordinal > 1
    AND item.job_no = $1 AND item.dataset_no = $2 AND item.month = $3
    AND item.row_index = d.row_index;

-- name: dataset_is_read
-- A sum of hashes does not depend on the order of the rows.
UPDATE job_dataset
SET is_read = true,
    digest = (
        SELECT count(*) || ':' || coalesce(sum(hashtextextended(item, 0)::numeric), 0)
        FROM item
        WHERE job_no = $1 AND dataset_no = $2 AND month = $3
    )
WHERE job_no = $1 AND dataset_no = $2
RETURNING n_rows;

-- name: job_is_read
-- A job that scores another's samples has as many rows as those; any other asks each model for each row.
UPDATE job
SET n_chunks = next_chunk,
    rows_total = CASE derivation
        WHEN 'rescore' THEN (SELECT coalesce(sum(n_rows), 0) FROM chunk WHERE job_no = $1)
        ELSE (SELECT sum(repeats) FROM job_model WHERE job_no = $1)
            * (SELECT coalesce(sum(n_rows), 0) FROM job_dataset WHERE job_no = $1)
    END,
    lease_token = NULL,
    lease_until = NULL
WHERE job_no = $1 AND lease_token = $2 AND status IN ('pending', 'active', 'resuming')
RETURNING chunks_done = n_chunks AS is_whole;

-- name: count_waiting
SELECT count(*) FROM chunk WHERE status = 'pending' AND job_no = $1 AND is_live = $2;

-- name: lock_window
-- One process at a time fills the window; others wait for milliseconds.
SELECT pg_advisory_xact_lock(7301245002);

-- name: demand
SELECT
    j.job_no,
    j.workspace,
    j.status,
    (
        SELECT count(*)
        FROM chunk AS c
        WHERE c.status = 'sent' AND c.job_no = j.job_no AND NOT c.is_live
    ) AS in_flight,
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM chunk AS c
            WHERE c.status = 'pending' AND c.job_no = j.job_no AND NOT c.is_live
            LIMIT $1
        ) AS w
    ) AS waiting
FROM job AS j
WHERE j.status IN ('pending', 'active', 'resuming') AND j.deleted_at IS NULL;

-- name: live_demand
-- Also of jobs that are sent no more: what they have in flight takes places at its endpoint.
SELECT
    j.job_no,
    m.model_no,
    j.workspace,
    CASE
        WHEN m.is_live AND j.derivation IS DISTINCT FROM 'rescore' THEN m.endpoint || m.metric_endpoints
        ELSE m.metric_endpoints
    END AS endpoints,
    m.parallelism,
    (j.limits::json ->> 'endpoint_parallelism')::integer AS endpoint_parallelism,
    (j.limits::json ->> 'live_chunk_rows')::integer AS chunk_rows,
    (
        SELECT coalesce(sum(c.concurrency), 0)
        FROM chunk AS c
        WHERE c.status = 'sent' AND c.job_no = j.job_no AND c.is_live AND c.model_no = m.model_no
    ) AS in_use,
    (
        SELECT count(c.concurrency)
        FROM chunk AS c
        WHERE c.status = 'sent' AND c.job_no = j.job_no AND c.is_live AND c.model_no = m.model_no
    ) AS chunks_in_flight,
    CASE
        WHEN j.status IN ('pending', 'active', 'resuming')
            THEN (
                SELECT count(*)
                FROM (
                    SELECT 1
                    FROM chunk AS c
                    WHERE c.status = 'pending' AND c.job_no = j.job_no
                        AND c.is_live AND c.model_no = m.model_no
                    LIMIT $1
                ) AS w
            )
        ELSE 0
    END AS waiting
FROM (
    SELECT job_no
    FROM job
    WHERE status IN ('pending', 'active', 'resuming', 'pausing', 'cancelling') AND deleted_at IS NULL
    UNION ALL
    SELECT job_no
    FROM job
    WHERE status IN ('cancelled', 'error') AND finished_at > now() - interval '30 minutes'
) AS asking
JOIN job AS j ON j.job_no = asking.job_no
JOIN job_model AS m ON m.job_no = j.job_no AND (m.is_live OR m.metric_endpoints <> '{}')
WHERE j.derivation IS DISTINCT FROM 'rescore' OR m.metric_endpoints <> '{}';

-- name: take
UPDATE chunk
SET status = 'sent',
    sends = chunk.sends + 1,
    sent_at = now(),
    is_confirmed = false,
    heartbeat_at = NULL
FROM (
    SELECT job_no, chunk_no
    FROM chunk
    WHERE status = 'pending' AND job_no = $1 AND NOT is_live
    ORDER BY chunk_no
    LIMIT $2
    FOR UPDATE SKIP LOCKED
) AS taken
WHERE chunk.job_no = taken.job_no AND chunk.chunk_no = taken.chunk_no
RETURNING
    chunk.chunk_no, chunk.dataset_no, chunk.model_no, chunk.first_row, chunk.n_rows,
    chunk.rows, chunk.repeat, chunk.is_live, chunk.is_given, chunk.concurrency;

-- name: take_live
UPDATE chunk
SET status = 'sent',
    sends = chunk.sends + 1,
    sent_at = now(),
    is_confirmed = false,
    heartbeat_at = NULL,
    waits_for = NULL,
    concurrency = least($3, chunk.n_rows)
FROM (
    SELECT job_no, chunk_no
    FROM chunk
    WHERE status = 'pending' AND job_no = $1 AND is_live AND model_no = $2
    ORDER BY chunk_no
    LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS taken
WHERE chunk.job_no = taken.job_no AND chunk.chunk_no = taken.chunk_no
RETURNING
    chunk.chunk_no, chunk.dataset_no, chunk.model_no, chunk.first_row, chunk.n_rows,
    chunk.rows, chunk.repeat, chunk.is_live, chunk.is_given, chunk.concurrency;

-- name: become_active
-- The first chunk is about to be sent, for the first time or again after a pause.
UPDATE job
SET status = 'active', active_since = now(), rows_at_active = rows_done
WHERE job_no = ANY($1::bigint []) AND status IN ('pending', 'resuming')
RETURNING job_no;

-- name: job_to_send
SELECT
    j.job_id, j.name, j.workspace, j.month, j.spec, j.limits,
    s.job_no AS source_no, s.month AS source_month, s.job_id AS source_job_id
FROM job AS j
LEFT JOIN job AS s ON s.job_no = j.derived_from
WHERE j.job_no = $1;

-- name: lines
SELECT convert_to(string_agg(item, E'\n' ORDER BY row_index), 'UTF8')
FROM item
WHERE job_no = $1 AND dataset_no = $2 AND month = $3
    AND row_index >= $4 AND row_index < $4 + $5;

-- name: scattered_lines
SELECT convert_to(string_agg(item, E'\n' ORDER BY row_index), 'UTF8')
FROM item
WHERE job_no = $1 AND dataset_no = $2 AND month = $3 AND row_index = ANY($4::bigint []);

-- name: answered_lines
-- Item, sample and, where there is none, why: see SAMPLE_SEPARATOR of the contract. Row by row, whatever the planner
-- believes of rows that were stored just now.
SELECT convert_to(
    string_agg(
        i.item || chr(30) || s.sample
        || CASE
            WHEN s.is_failed AND s.errors::json -> 0 ->> 'stage' = 'sample'
                THEN
                    chr(30) || '[' || (s.errors::json -> 0 -> 'code')::text
                    || ',' || (s.errors::json -> 0 -> 'message')::text || ']'
            ELSE ''
        END,
        E'\n'
        ORDER BY i.row_index
    ),
    'UTF8'
)
FROM unnest($4::bigint []) AS wanted (row_index)
CROSS JOIN LATERAL (
    SELECT row_index, item
    FROM item
    WHERE job_no = $1 AND dataset_no = $2 AND month = $3 AND row_index = wanted.row_index
    LIMIT 1
) AS i
CROSS JOIN LATERAL (
    SELECT sample, is_failed, errors
    FROM score
    WHERE job_no = $5 AND month = $6 AND dataset_no = $2 AND model_no = $7 AND repeat = $8
        AND row_index = wanted.row_index
    LIMIT 1
) AS s;

-- name: confirm
-- Who holds one now is keeping it, and then nobody asks any more whether it was sent.
UPDATE chunk
SET is_confirmed = true
FROM (
    SELECT job_no, chunk_no
    FROM chunk
    WHERE job_no = $1 AND chunk_no = ANY($2::integer []) AND status = 'sent'
    ORDER BY chunk_no
    FOR UPDATE SKIP LOCKED
) AS confirmed
WHERE chunk.job_no = confirmed.job_no AND chunk.chunk_no = confirmed.chunk_no;

-- name: give_back
-- In order, as everybody locks chunks: otherwise two may wait for each other.
UPDATE chunk
SET status = 'pending', sends = greatest(chunk.sends - 1, 0), concurrency = NULL
FROM (
    SELECT job_no, chunk_no
    FROM chunk
    WHERE job_no = $1 AND chunk_no = ANY($2::integer []) AND status = 'sent'
    ORDER BY chunk_no
    FOR UPDATE
) AS unsent
WHERE chunk.job_no = unsent.job_no AND chunk.chunk_no = unsent.chunk_no;

-- name: notify_work
SELECT pg_notify('evalbus_work', '');

-- name: notify_final
SELECT pg_notify('evalbus_final', '');
