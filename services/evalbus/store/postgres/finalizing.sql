-- name: claim_whole
SELECT job_no, month, spec
FROM job
WHERE status IN ('pending', 'active') AND n_chunks IS NOT NULL AND chunks_done = n_chunks
ORDER BY job_no
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: dataset_sizes
SELECT n_rows FROM job_dataset WHERE job_no = $1 ORDER BY dataset_no;

-- name: slab
-- Packed as the server sends arrays, so that a million values do not become a million objects.
SELECT
    count(*) AS n_rows,
    count(*) FILTER (WHERE is_failed) AS n_failed,
    string_agg(array_send(scores), '') AS scores
FROM (
    SELECT is_failed, scores
    FROM score
    WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
        AND row_index >= $5 AND row_index < $6
    ORDER BY row_index, repeat
) AS in_order;

-- name: counts
-- Of the rows that count, the repeats of each together; any order adds up to the same.
SELECT string_agg(counts, ',') AS counts
FROM score
WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
    AND row_index >= $5 AND row_index < $6 AND counts IS NOT NULL
GROUP BY row_index;

-- name: signatures
SELECT metric_no, signature FROM job_signature WHERE job_no = $1 ORDER BY metric_no, signature;

-- name: slab_of_repeats
-- The repeats of a row together; it failed if all of them did.
SELECT bool_and(is_failed) AS is_failed, string_agg(array_send(scores), '' ORDER BY repeat) AS scores
FROM score
WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
    AND row_index >= $5 AND row_index < $6
GROUP BY row_index
ORDER BY row_index;

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
