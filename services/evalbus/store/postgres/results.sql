-- name: claim_whole
SELECT job_no, month, spec
FROM job
WHERE status = 'active' AND n_chunks IS NOT NULL AND chunks_done = n_chunks
ORDER BY job_no
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: dataset_sizes
SELECT n_rows FROM job_dataset WHERE job_no = $1 ORDER BY dataset_no;

-- name: slab
-- Packed as the server sends arrays: unpacking them at once is much cheaper than one array after the other.
SELECT
    count(*) FILTER (WHERE is_failed) AS n_failed,
    string_agg(array_send(scores), '') AS scores
FROM (
    SELECT is_failed, scores
    FROM score
    WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
        AND row_index >= $5 AND row_index < $6
    ORDER BY row_index, repeat
) AS in_order;

-- name: add_result
INSERT INTO result (
    workspace, name, job_id, job_no, benchmark, datasets, models, metrics, labels,
    n_rows, n_failed, started_at, finished_at
)
SELECT workspace, name, job_id, job_no, $2, $3, $4, $5, labels, rows_done, rows_failed, started_at, now()
FROM job
WHERE job_no = $1
RETURNING result_no;

-- name: find_result
SELECT * FROM result WHERE workspace = $1 AND name = $2;

-- name: list_results
SELECT *
FROM result
WHERE workspace = $1
    AND ($2::text IS NULL OR benchmark = $2)
    AND result_no < $3
ORDER BY result_no DESC
LIMIT $4;

-- name: result_scores
SELECT *
FROM result_score
WHERE result_no = ANY($1::bigint [])
ORDER BY result_no DESC, position;

-- name: find_rows_of
SELECT job_no, workspace, month, spec, status
FROM job
WHERE workspace = $1 AND (name = $2 OR job_id = $3) AND deleted_at IS NULL
ORDER BY name = $2 DESC
LIMIT 1;

-- name: rows
-- Sizes are known without fetching what is large, so only about a page leaves the server, however large its rows.
SELECT *
FROM (
    SELECT
        found.*,
        count(*) OVER () AS n_found,
        coalesce(
            sum(octet_length(item) + octet_length(sample)) OVER (
                ORDER BY dataset_no, model_no, row_index, repeat
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS bytes_before
    FROM (
        SELECT
            s.dataset_no, s.model_no, s.row_index, s.repeat, s.is_failed,
            s.scores, s.sample, s.errors, i.row_id, i.item
        FROM score AS s
        JOIN item AS i
            ON i.job_no = s.job_no AND i.dataset_no = s.dataset_no
            AND i.row_index = s.row_index AND i.month = s.month
        WHERE s.job_no = $1 AND s.month = $2
            AND (s.dataset_no, s.model_no, s.row_index, s.repeat) > ($3, $4, $5, $6)
            AND ($7::smallint IS NULL OR s.dataset_no = $7)
            AND ($8::smallint IS NULL OR s.model_no = $8)
            AND (NOT $9::boolean OR s.is_failed)
        ORDER BY s.dataset_no, s.model_no, s.row_index, s.repeat
        LIMIT $10
    ) AS found
) AS page
WHERE bytes_before <= $11
ORDER BY dataset_no, model_no, row_index, repeat;
