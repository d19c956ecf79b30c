-- name: claim_whole
SELECT job_no, month, spec
FROM job
WHERE status IN ('pending', 'active') AND n_chunks IS NOT NULL AND chunks_done = n_chunks
ORDER BY job_no
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: dataset_sizes
SELECT n_rows FROM job_dataset WHERE job_no = $1 ORDER BY dataset_no;

-- name: signatures
SELECT metric_no, signature FROM job_signature WHERE job_no = $1 ORDER BY metric_no, signature;

-- name: repeats
SELECT repeats FROM job_model WHERE job_no = $1 ORDER BY model_no;

-- name: add_result
INSERT INTO result (
    workspace, name, job_id, job_no, benchmark, datasets, models, metrics, labels,
    n_rows, n_failed, started_at, finished_at, created_by, digests, metric_specs, usage, data, signatures
)
SELECT
    workspace, name, job_id, job_no, $2, $3, $4, $5, labels,
    rows_done, rows_failed, started_at, now(), created_by, $6, $7::jsonb, $8, $9, $10
FROM job
WHERE job_no = $1
RETURNING result_no;

-- name: add_slice
INSERT INTO result_slice (result_no, slice_no, slice, description, n_rows, n_failed, results)
VALUES ($1, $2, $3, $4, $5, $6, $7);
