-- name: find_rows_of
SELECT job_no, workspace, month, spec, status
FROM job
WHERE workspace = $1 AND (name = $2 OR job_id = $3) AND deleted_at IS NULL
ORDER BY name = $2 DESC
LIMIT 1;

-- name: rows
-- Sizes are known without fetching what is large, so only about a page leaves the server, however large its rows.
-- The conditions are put in from a closed set, so that each has a plan of its own.
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
            AND {condition}
        ORDER BY s.dataset_no, s.model_no, s.row_index, s.repeat
        LIMIT $7
    ) AS found
) AS page
WHERE bytes_before <= $8
ORDER BY dataset_no, model_no, row_index, repeat;
