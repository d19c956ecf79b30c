-- name: frozen
-- What is never changed of a job, and read once: its benchmark, and how often its models are asked for a row.
SELECT
    spec,
    (SELECT sum(m.repeats)::integer FROM job_model AS m WHERE m.job_no = job.job_no) AS answers_of_row
FROM job
WHERE job_no = $1;

-- name: items
-- Sizes are known without fetching what is large, so only about a page leaves the server, however large its rows.
SELECT dataset_no, row_index, row_id, item, slices, is_last
FROM (
    SELECT
        found.*,
        coalesce(sum(octet_length(item) + octet_length(row_id) + $6::integer) OVER page, 0) AS bytes_before,
        lead(row_index) OVER page IS NULL AS is_last
    FROM (
        SELECT dataset_no, row_index, row_id, item, slices
        FROM item
        WHERE job_no = $1 AND month = $2 AND (dataset_no, row_index) >= ($3, $4)
        ORDER BY dataset_no, row_index
        LIMIT $5
    ) AS found
    WINDOW page AS (
        ORDER BY dataset_no, row_index
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
) AS sized
WHERE bytes_before < $7
ORDER BY dataset_no, row_index;

-- name: answers
-- Model by model, as the key goes: of a job that was stored just now the planner knows nothing, and would compare all
-- pairs. Of each model as many bytes; the repeats of a row go together, and those of the first row always do.
SELECT
    m.model_no, a.row_index, a.repeat, a.is_failed, a.scores, a.sample, a.latency, a.errors, a.remarks,
    a.truths, a.is_last
FROM generate_series(0, $6::integer - 1) AS m (model_no)
CROSS JOIN LATERAL (
    SELECT *
    FROM (
        SELECT
            s.*,
            coalesce(
                sum(
                    octet_length(sample) + coalesce(octet_length(errors), 0)
                    + coalesce(octet_length(remarks), 0) + $7::integer
                ) OVER page,
                0
            ) AS bytes_before,
            lead(row_index) OVER page IS NULL AS is_last
        FROM score AS s
        WHERE job_no = $1 AND month = $2 AND dataset_no = $3
            AND s.model_no = m.model_no AND row_index BETWEEN $4 AND $5
        WINDOW page AS (
            ORDER BY row_index
            GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ) AS sized
    WHERE bytes_before < $8
) AS a
ORDER BY m.model_no, a.row_index, a.repeat;
