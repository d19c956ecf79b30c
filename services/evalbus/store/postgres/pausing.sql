-- name: pause
-- Whoever reads its datasets loses the lease, so that another may read on as soon as it is resumed.
UPDATE job
SET status = 'pausing', lease_token = NULL, lease_until = NULL
WHERE job_no = $1 AND status IN ('created', 'pending', 'active', 'resuming')
RETURNING job_no;

-- name: resume
-- With every row scored there is nothing to send, and nobody who would make it active.
UPDATE job
SET status = CASE WHEN chunks_done = n_chunks THEN 'active' ELSE 'resuming' END,
    active_since = now(),
    rows_at_active = rows_done
WHERE job_no = $1 AND status IN ('pausing', 'paused')
RETURNING job_no;

-- name: status
SELECT status FROM job WHERE job_no = $1;
