-- name: ensure_partition
SELECT evalbus_ensure_partition(date_trunc('month', now())::date);

-- name: create_job
INSERT INTO job (
    job_id, workspace, name, benchmark, month, spec, limits, labels,
    idempotency_key, content_hash, correlation_id, created_by,
    deadline_seconds, derivation, derived_from, status
)
VALUES (
    gen_random_uuid(), $1, $2, $3, date_trunc('month', now())::date, $4, $5, $6::jsonb,
    $7, $8, $9, $10,
    $11, $12, (SELECT job_no FROM job WHERE job_id = $13), 'created'
)
ON CONFLICT DO NOTHING
RETURNING job_no;

-- name: add_model
-- Whatever metrics ask, they ask about the answers of every model alike.
INSERT INTO job_model (job_no, model_no, is_live, endpoint, parallelism, repeats, metric_endpoints)
SELECT $1, m.ordinality - 1, m.is_live, m.endpoint, $4, CASE WHEN m.is_live THEN $5::smallint ELSE 1 END, $6
FROM unnest($2::boolean [], $3::text []) WITH ORDINALITY AS m (is_live, endpoint, ordinality);

-- name: add_dataset
INSERT INTO job_dataset (job_no, dataset_no, fingerprint)
SELECT $1, d.ordinality - 1, d.fingerprint
FROM unnest($2::text []) WITH ORDINALITY AS d (fingerprint, ordinality);

-- name: same_command
SELECT job_no, content_hash
FROM job
WHERE workspace = $1 AND idempotency_key = $2;

-- name: result_has_name
SELECT EXISTS (SELECT 1 FROM result WHERE workspace = $1 AND name = $2 AND deleted_at IS NULL);

-- name: job_by_no
SELECT * FROM job_shown WHERE job_no = $1;

-- name: find_job
-- A name goes before an id that reads the same.
SELECT *
FROM job_shown
WHERE workspace = $1 AND (name = $2 OR job_id = $3)
ORDER BY name = $2 DESC
LIMIT 1;

-- name: find_stored
-- The job itself, and of it only what is asked for: its benchmark may be as large as the rows that are written in it.
SELECT {columns}
FROM job
WHERE workspace = $1 AND (name = $2 OR job_id = $3) AND deleted_at IS NULL
ORDER BY name = $2 DESC
LIMIT 1;

-- name: list_jobs
SELECT *
FROM job_shown
WHERE workspace = $1
    AND ($2::text IS NULL OR status = $2)
    AND job_no < $3
    AND ($5::text IS NULL OR workspace || '/' || benchmark = $5)
    AND ($6 OR archived_at IS NULL)
ORDER BY job_no DESC
LIMIT $4;

-- name: end_job
-- What a job ended as never changes.
UPDATE job
SET status = $2,
    finished_at = now(),
    lease_token = NULL,
    lease_until = NULL,
    error_code = $3,
    error_message = $4
WHERE job_no = $1 AND status NOT IN ('completed', 'error', 'cancelled')
RETURNING job_no;

-- name: archive
-- Nothing for one that lies there already, or that has not ended.
UPDATE job
SET archived_at = CASE WHEN $2 THEN now() END
WHERE job_no = $1 AND (archived_at IS NOT NULL) <> $2 AND status IN ('completed', 'error', 'cancelled')
RETURNING job_no;

-- name: job_no_by_id
SELECT job_no FROM job WHERE job_id = $1;

-- name: notify_work
SELECT pg_notify('evalbus_work', '');

-- name: name
SELECT name FROM job WHERE job_no = $1;

-- name: source
-- An ended job, and whether anything is left to do of it.
SELECT
    j.spec,
    (
        SELECT array_agg(d.fingerprint ORDER BY d.dataset_no)
        FROM job_dataset AS d
        WHERE d.job_no = j.job_no
    ) AS fingerprints,
    j.rows_failed > 0 OR j.rows_total IS NULL OR j.rows_done < j.rows_total AS rows_missing
FROM job AS j
WHERE j.job_no = $1 AND j.status IN ('completed', 'error', 'cancelled');

-- name: source_models
SELECT is_live, endpoint, metric_endpoints FROM job_model WHERE job_no = $1 ORDER BY model_no;

-- name: first_items
SELECT
    (
        SELECT array_agg(i.item ORDER BY i.row_index)
        FROM item AS i
        WHERE i.job_no = d.job_no AND i.dataset_no = d.dataset_no AND i.month = j.month
            AND i.row_index < $2 AND octet_length(i.item) BETWEEN 1 AND $3
    ) AS items
FROM job AS j
JOIN job_dataset AS d ON d.job_no = j.job_no
WHERE j.job_no = $1
ORDER BY d.dataset_no;

-- name: hold_source
-- Not deleted before the job that is derived from it is there.
SELECT job_no FROM job WHERE job_id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: derived_unfinished
SELECT array_agg(name ORDER BY job_no)
FROM job
WHERE derived_from = $1 AND status NOT IN ('completed', 'error', 'cancelled');

-- name: delete_job
-- Out of every answer at once; upkeep reclaims its rows, and late messages still find whose they are.
UPDATE job
SET deleted_at = now()
WHERE job_no = $1 AND deleted_at IS NULL AND status IN ('completed', 'error', 'cancelled')
RETURNING deleted_at;
