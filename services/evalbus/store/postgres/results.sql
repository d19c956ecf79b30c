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
-- Packed as the server sends arrays, so that a million values do not become a million objects.
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

-- name: plan_for_these_arguments
-- Only then the one partition is known, whose index gives the rows in order; else they might be sorted for each page.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: rows
-- Sizes are known without fetching what is large, so only about a page leaves the server, however large its rows.
-- Each item is looked up for itself: of a job that was stored just now the planner knows nothing, takes its rows for
-- one, and would join all pairs.
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
        SELECT s.*, i.row_id, i.item
        FROM (
            SELECT dataset_no, model_no, row_index, repeat, is_failed, scores, sample, errors
            FROM score
            WHERE job_no = $1 AND month = $2
                AND (dataset_no, model_no, row_index, repeat) > ($3, $4, $5, $6)
                AND ($7::smallint IS NULL OR dataset_no = $7)
                AND ($8::smallint IS NULL OR model_no = $8)
                AND (NOT $9::boolean OR is_failed)
            ORDER BY dataset_no, model_no, row_index, repeat
            LIMIT $10
        ) AS s
        CROSS JOIN LATERAL (
            SELECT row_id, item
            FROM item
            WHERE job_no = $1 AND dataset_no = s.dataset_no AND row_index = s.row_index AND month = $2
            LIMIT 1
        ) AS i
    ) AS found
) AS page
WHERE bytes_before <= $11
ORDER BY dataset_no, model_no, row_index, repeat;
