-- name: create
-- Nothing changes in the one that is under way, but so it is answered.
INSERT INTO export (job_no, command)
VALUES ($1, $2)
ON CONFLICT (job_no, md5(command)) WHERE status IN ('waiting', 'running')
DO UPDATE SET command = export.command
RETURNING export_id;

-- name: exporting
SELECT
    e.export_id, e.command, e.status, e.n_datapoints, e.error_code, e.error_message,
    e.created_at, e.finished_at, j.name AS job
FROM export AS e
JOIN job AS j ON j.job_no = e.job_no
WHERE e.export_id = $1 AND j.workspace = $2;

-- name: claim
-- The oldest one that nobody writes; the token fences off whoever held it before.
UPDATE export
SET status = 'running',
    attempts = attempts + 1,
    lease_token = gen_random_uuid(),
    lease_until = now() + make_interval(secs => $1),
    n_datapoints = 0
WHERE export_no = (
    SELECT export_no
    FROM export
    WHERE status IN ('waiting', 'running') AND (lease_until IS NULL OR lease_until < now())
    ORDER BY export_no
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING export_no, export_id, command, attempts, lease_token, upload;

-- name: renew
UPDATE export
SET lease_until = now() + make_interval(secs => $4),
    n_datapoints = $3,
    upload = coalesce($5, upload)
WHERE export_no = $1 AND lease_token = $2
RETURNING export_no;

-- name: release
UPDATE export
SET status = 'waiting', attempts = attempts - 1, lease_token = NULL, lease_until = NULL
WHERE export_no = $1 AND lease_token = $2;

-- name: end_export
UPDATE export
SET status = $3,
    n_datapoints = coalesce($4, n_datapoints),
    error_code = $5,
    error_message = $6,
    lease_token = NULL,
    lease_until = NULL,
    finished_at = now()
WHERE export_no = $1 AND lease_token = $2
RETURNING export_no;

-- name: notify
SELECT pg_notify('evalbus_exports', '');
