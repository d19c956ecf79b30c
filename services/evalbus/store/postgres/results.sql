-- name: find_result
SELECT * FROM result WHERE workspace = $1 AND name = $2 AND deleted_at IS NULL;

-- name: list_results
-- Filter and order are put in by filter_sql.py and from a closed set; what a caller wrote only ever is a parameter.
SELECT *
FROM result
WHERE workspace = $1 AND deleted_at IS NULL AND {condition}
ORDER BY {order}
LIMIT $2 OFFSET $3;

-- name: count_results
SELECT count(*)
FROM result
WHERE workspace = $1 AND deleted_at IS NULL AND {condition};

-- name: result_scores
SELECT *
FROM result_score
WHERE result_no = ANY($1::bigint [])
ORDER BY result_no, position;

-- name: result_slices
-- Only about a page leaves the server, however much is said of each slice.
SELECT *
FROM (
    SELECT
        slice_no, slice, description, n_rows, n_failed, results,
        count(*) OVER () AS n_found,
        coalesce(
            sum(octet_length(results)) OVER (
                ORDER BY slice_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS bytes_before
    FROM result_slice
    WHERE result_no = $1 AND slice_no > $2
) AS page
WHERE bytes_before <= $4
ORDER BY slice_no
LIMIT $3;

-- name: delete_result
-- The row stays as a stone on the grave: its job_id keeps the result from being made again.
UPDATE result
SET deleted_at = now(), updated_at = now()
WHERE workspace = $1 AND name = $2 AND deleted_at IS NULL
RETURNING deleted_at;
