-- name: claim
-- The oldest job with rows to read that nobody reads; the token fences off whoever held it before.
UPDATE job
SET lease_token = gen_random_uuid(),
    lease_until = now() + make_interval(secs => $1),
    started_at = coalesce(started_at, now()),
    status = 'active'
WHERE job_no = (
    SELECT job_no
    FROM job
    WHERE status IN ('created', 'active')
        AND n_chunks IS NULL
        AND deleted_at IS NULL
        AND (lease_until IS NULL OR lease_until < now())
    ORDER BY job_no
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING job_no, job_id, month, lease_token, next_chunk, spec, limits, started_at = now() AS is_first;

-- name: datasets
SELECT fingerprint, position, n_rows, is_read
FROM job_dataset
WHERE job_no = $1
ORDER BY dataset_no;

-- name: renew
UPDATE job
SET lease_until = now() + make_interval(secs => $3)
WHERE job_no = $1 AND lease_token = $2 AND status = 'active'
RETURNING job_no;

-- name: holds
SELECT job_no
FROM job
WHERE job_no = $1 AND lease_token = $2 AND status = 'active'
FOR UPDATE;

-- name: release
UPDATE job
SET lease_token = NULL, lease_until = NULL
WHERE job_no = $1 AND lease_token = $2;

-- name: fence
-- Last in its transaction, so that the job row is locked only for the moment of the commit.
UPDATE job
SET next_chunk = $4, lease_until = now() + make_interval(secs => $5)
WHERE job_no = $1 AND lease_token = $2 AND next_chunk = $3 AND status = 'active'
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
UPDATE job_dataset
SET is_read = true
WHERE job_no = $1 AND dataset_no = $2;

-- name: job_is_read
UPDATE job
SET n_chunks = next_chunk,
    rows_total = $3 * (SELECT coalesce(sum(n_rows), 0) FROM job_dataset WHERE job_no = $1),
    lease_token = NULL,
    lease_until = NULL
WHERE job_no = $1 AND lease_token = $2 AND status = 'active'
RETURNING chunks_done = n_chunks AS is_whole;

-- name: count_waiting
SELECT count(*) FROM chunk WHERE status = 'pending' AND job_no = $1;

-- name: lock_window
-- One process at a time fills the window; others wait for milliseconds.
SELECT pg_advisory_xact_lock(7301245002);

-- name: demand
SELECT
    j.job_no,
    j.workspace,
    (SELECT count(*) FROM chunk AS c WHERE c.status = 'sent' AND c.job_no = j.job_no) AS in_flight,
    (
        SELECT count(*)
        FROM (
            SELECT 1 FROM chunk AS c WHERE c.status = 'pending' AND c.job_no = j.job_no LIMIT $1
        ) AS w
    ) AS waiting
FROM job AS j
WHERE j.status = 'active' AND j.deleted_at IS NULL;

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
    WHERE status = 'pending' AND job_no = $1
    ORDER BY chunk_no
    LIMIT $2
    FOR UPDATE SKIP LOCKED
) AS taken
WHERE chunk.job_no = taken.job_no AND chunk.chunk_no = taken.chunk_no
RETURNING chunk.chunk_no, chunk.dataset_no, chunk.model_no, chunk.first_row, chunk.n_rows;

-- name: job_to_send
SELECT job_id, name, workspace, month, spec, limits FROM job WHERE job_no = $1;

-- name: lines
SELECT convert_to(string_agg(item, E'\n' ORDER BY row_index), 'UTF8')
FROM item
WHERE job_no = $1 AND dataset_no = $2 AND month = $3
    AND row_index >= $4 AND row_index < $4 + $5;

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
SET status = 'pending', sends = greatest(chunk.sends - 1, 0)
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
