-- name: facts
SELECT job_no, month, spec, derivation FROM job WHERE job_id = $1;

-- name: gate
-- The one statement that makes a chunk count once.
UPDATE chunk
SET status = 'done', n_failed = $3, seconds = $4, evaluator = $5, n_failed_sample = $6, n_unanswered = $7
WHERE job_no = $1 AND chunk_no = $2 AND status <> 'done'
RETURNING dataset_no, model_no, first_row, n_rows, rows, repeat, is_live;

-- name: note_asked
UPDATE chunk
SET calls = $3,
    retries = $4,
    cache_hits = $5,
    input_tokens = $6,
    output_tokens = $7,
    cost = $8
WHERE job_no = $1 AND chunk_no = $2;

-- name: note_asked_by_metrics
UPDATE chunk
SET metric_calls = $3,
    metric_retries = $4,
    metric_cache_hits = $5,
    metric_input_tokens = $6,
    metric_output_tokens = $7,
    metric_cost = $8
WHERE job_no = $1 AND chunk_no = $2;

-- name: add_signatures
-- Of every metric; evaluators of one release say the same again and again.
INSERT INTO job_signature (job_no, metric_no, digest, signature)
SELECT $1, s.metric_no - 1, sha256(convert_to(s.signature, 'UTF8')), s.signature
FROM unnest($2::text []) WITH ORDINALITY AS s (signature, metric_no)
ON CONFLICT DO NOTHING;

-- name: has_chunk
SELECT EXISTS (SELECT 1 FROM chunk WHERE job_no = $1 AND chunk_no = $2);

-- name: count_chunk
-- Last in its transaction; the row lock makes exactly one chunk the last one.
UPDATE job
SET chunks_done = chunks_done + 1,
    rows_done = rows_done + $2,
    rows_failed = rows_failed + $3,
    cost = cost + $4::float8::numeric
WHERE job_no = $1 AND status IN ('pending', 'active', 'pausing', 'paused', 'resuming', 'cancelling')
RETURNING
    status,
    coalesce(chunks_done = n_chunks, false) AS is_last,
    rows_done,
    rows_failed,
    rows_total,
    cost::float8 AS cost,
    pg_notify('evalbus_work', '') AS told,
    CASE WHEN chunks_done = n_chunks THEN pg_notify('evalbus_final', '') END AS told_last;

-- name: drained
-- What was sent has come in: a job that waited for that stands still now.
UPDATE job
SET status = 'paused'
WHERE job_no = $1 AND status = 'pausing'
    AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.status = 'sent' AND chunk.job_no = $1)
RETURNING job_no;

-- name: may_end
-- The same for one that is to end in error.
SELECT error_code, error_message
FROM job
WHERE job_no = $1 AND status = 'cancelling'
    AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.status = 'sent' AND chunk.job_no = $1);

-- name: end_gently
-- Nothing is sent any more; what was paid for is still kept. With all of it sent, it is as cheap to complete the job.
UPDATE job
SET status = 'cancelling', error_code = $2, error_message = $3
WHERE job_no = $1 AND status IN ('pending', 'active', 'pausing', 'resuming')
    AND (
        n_chunks IS NULL
        OR EXISTS (SELECT 1 FROM chunk WHERE chunk.status = 'pending' AND chunk.job_no = $1)
    )
RETURNING job_no;

-- name: model_rows
-- Nothing at all once everybody who was asked about some row has answered, which nearly always the first chunk shows.
-- Chunks kept by the release before this one say of how many rows the model was silent, which is the same.
SELECT coalesce(sum(n_rows), 0) AS n_rows
FROM chunk
WHERE job_no = $1 AND model_no = $2 AND coalesce(n_unanswered, n_failed_sample) IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM chunk
        WHERE job_no = $1 AND model_no = $2 AND coalesce(n_unanswered, n_failed_sample) < n_rows
    );

-- name: let_go
-- Of a job that has ended: what it took at its endpoint is free again.
UPDATE chunk SET concurrency = NULL WHERE job_no = $1 AND chunk_no = $2;

-- name: first_cause
SELECT errors
FROM score
WHERE job_no = $1 AND month = $2 AND model_no = $3 AND is_failed
ORDER BY dataset_no, row_index, repeat
LIMIT 1;

-- name: progress
UPDATE chunk
SET heartbeat_at = now(), waits_for = $3
FROM job
WHERE job.job_id = $1
    AND chunk.job_no = job.job_no AND chunk.chunk_no = $2 AND chunk.status = 'sent';

-- name: set_aside
-- It waits for a place again, unless it was scored after all.
UPDATE chunk
SET set_aside = set_aside + 1, status = 'pending', concurrency = NULL
FROM job
WHERE job.job_id = $1 AND job.status NOT IN ('completed', 'error', 'cancelled')
    AND chunk.job_no = job.job_no AND chunk.chunk_no = $2 AND chunk.status <> 'done'
RETURNING chunk.job_no, chunk.set_aside;

-- name: notify_work
SELECT pg_notify('evalbus_work', '');
