-- name: plan_for_these_arguments
-- Only then the one partition is known, whose index gives the rows in order; else they might be sorted for each page.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: rows
-- Sizes are known without fetching what is large, so only about a page leaves the server, however large its rows.
-- Each item is looked up for itself: of a job that was stored just now the planner knows nothing, takes its rows for
-- one, and would join all pairs. The condition is put together from a closed set, so that each has its own plan.
SELECT *
FROM (
    SELECT
        found.*,
        count(*) OVER () AS n_found,
        coalesce(
            sum(
                octet_length(item) + octet_length(sample)
                + coalesce(octet_length(requests), 0) + coalesce(octet_length(remarks), 0)
            ) OVER (
                ORDER BY dataset_no, model_no, row_index, repeat
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS bytes_before
    FROM (
        SELECT s.*, i.row_id, i.item, i.slices
        FROM (
            SELECT
                dataset_no, model_no, row_index, repeat, is_failed, scores, sample, errors, latency, requests,
                remarks, truths
            FROM score
            WHERE job_no = $1 AND month = $2
                AND (dataset_no, model_no, row_index, repeat) > ($3, $4, $5, $6)
                AND {condition}
            ORDER BY dataset_no, model_no, row_index, repeat
            LIMIT $7
        ) AS s
        CROSS JOIN LATERAL (
            SELECT row_id, item, slices
            FROM item
            WHERE job_no = $1 AND dataset_no = s.dataset_no AND row_index = s.row_index AND month = $2
            LIMIT 1
        ) AS i
    ) AS found
) AS page
WHERE bytes_before <= $8
ORDER BY dataset_no, model_no, row_index, repeat;

-- name: slices_of_row
-- Looked up for each score by itself, for the reason given above.
(
    SELECT slices
    FROM item
    WHERE job_no = $1 AND item.dataset_no = score.dataset_no AND item.row_index = score.row_index AND month = $2
    LIMIT 1
)
