-- name: sizes
SELECT
    (SELECT array_agg(n_rows ORDER BY dataset_no) FROM job_dataset WHERE job_no = $1) AS datasets,
    (SELECT sum(repeats) FROM job_model WHERE job_no = $1)::bigint AS answers_of_row;

-- name: asked
-- Of the models that were asked at all.
SELECT
    dataset_no,
    model_no,
    sum(calls)::bigint AS calls,
    coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
    sum(cost::numeric)::float8 AS cost
FROM chunk
WHERE job_no = $1 AND calls IS NOT NULL
GROUP BY dataset_no, model_no;

-- name: weigh
-- What is too long is not fetched; how long a text is Postgres knows without fetching it. Each row is looked up by
-- itself: of a job that was stored just now the planner knows nothing, and might sort or hash all of it.
SELECT coalesce(sum(size) FILTER (WHERE size <= $6), 0)::bigint
FROM generate_series(0, $4::bigint - 1, $5::bigint) AS place (row_index)
CROSS JOIN LATERAL (
    (
        SELECT octet_length(item) AS size
        FROM item
        WHERE job_no = $1 AND month = $2 AND dataset_no = $3 AND row_index = place.row_index
        LIMIT 1
    )
    UNION ALL
    SELECT answer.size
    FROM generate_series(0, $7::smallint - 1) AS model (model_no)
    CROSS JOIN LATERAL (
        SELECT octet_length(sample) AS size
        FROM score
        WHERE job_no = $1 AND month = $2 AND dataset_no = $3 AND model_no = model.model_no
            AND row_index = place.row_index AND repeat = 0
        LIMIT 1
    ) AS answer
) AS text_of_row;

-- name: items
SELECT place.row_index, one.row_id, one.slices, one.item
FROM generate_series($4::bigint, $5::bigint, $6::bigint) AS place (row_index)
CROSS JOIN LATERAL (
    SELECT row_id, slices, CASE WHEN octet_length(item) BETWEEN 1 AND $7 THEN item END AS item
    FROM item
    WHERE job_no = $1 AND month = $2 AND dataset_no = $3 AND row_index = place.row_index
    LIMIT 1
) AS one
ORDER BY place.row_index;

-- name: answers
-- The repeats of a row one behind the other.
SELECT place.row_index, model.model_no, one.*
FROM generate_series($4::bigint, $5::bigint, $6::bigint) AS place (row_index)
CROSS JOIN generate_series(0, $8::smallint - 1) AS model (model_no)
CROSS JOIN LATERAL (
    SELECT
        repeat, is_failed, scores, truths, latency, errors,
        CASE WHEN repeat = 0 AND octet_length(sample) <= $7 THEN sample END AS sample
    FROM score
    WHERE job_no = $1 AND month = $2 AND dataset_no = $3 AND model_no = model.model_no
        AND row_index = place.row_index
    ORDER BY repeat
    LIMIT 100
) AS one
ORDER BY place.row_index, model.model_no, one.repeat;
