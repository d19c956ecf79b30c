-- name: facts
SELECT job_no, month, spec FROM job WHERE job_id = $1;

-- name: gate
-- The one statement that makes a chunk count once.
UPDATE chunk
SET status = 'done', n_failed = $3, seconds = $4, evaluator = $5
WHERE job_no = $1 AND chunk_no = $2 AND status <> 'done'
RETURNING dataset_no, model_no, first_row, n_rows;

-- name: has_chunk
SELECT EXISTS (SELECT 1 FROM chunk WHERE job_no = $1 AND chunk_no = $2);

-- name: count_chunk
-- Last in its transaction; the row lock makes exactly one chunk the last one.
UPDATE job
SET chunks_done = chunks_done + 1, rows_done = rows_done + $2, rows_failed = rows_failed + $3
WHERE job_no = $1 AND status = 'active'
RETURNING
    coalesce(chunks_done = n_chunks, false) AS is_last,
    rows_done,
    rows_failed,
    rows_total,
    pg_notify('evalbus_work', '') AS told,
    CASE WHEN chunks_done = n_chunks THEN pg_notify('evalbus_final', '') END AS told_last;

-- name: progress
UPDATE chunk
SET heartbeat_at = now()
FROM job
WHERE job.job_id = $1
    AND chunk.job_no = job.job_no AND chunk.chunk_no = $2 AND chunk.status = 'sent';

-- name: set_aside
-- It waits for a place again, unless it was scored after all.
UPDATE chunk
SET set_aside = set_aside + 1, status = 'pending'
FROM job
WHERE job.job_id = $1 AND job.status = 'active'
    AND chunk.job_no = job.job_no AND chunk.chunk_no = $2 AND chunk.status <> 'done'
RETURNING chunk.set_aside;

-- name: notify_work
SELECT pg_notify('evalbus_work', '');
