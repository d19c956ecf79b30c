-- name: source
SELECT s.job_no, s.month, d.n_rows, d.position, d.is_read, d.digest
FROM job AS j
JOIN job AS s ON s.job_no = j.derived_from
JOIN job_dataset AS d ON d.job_no = s.job_no AND d.dataset_no = $2
WHERE j.job_no = $1;

-- name: copy_items
INSERT INTO item (month, job_no, dataset_no, row_index, row_id, item, slices)
SELECT $4, $3, dataset_no, row_index, row_id, item, slices
FROM item
WHERE job_no = $1 AND month = $2 AND dataset_no = $5 AND row_index >= $6 AND row_index < $7;

-- name: copy_scored
-- What was answered and scored is not done again. Model by model, as the key goes.
WITH copied AS (
    INSERT INTO score (
        month, job_no, dataset_no, model_no, row_index, repeat,
        is_failed, scores, sample, errors, latency, requests, counts, remarks, truths
    )
    SELECT
        $4, $3, s.dataset_no, s.model_no, s.row_index, s.repeat,
        s.is_failed, s.scores, s.sample, s.errors, s.latency, s.requests, s.counts, s.remarks, s.truths
    FROM job_model AS m
    JOIN score AS s
        ON s.job_no = $1 AND s.month = $2 AND s.dataset_no = $5 AND s.model_no = m.model_no
        AND s.row_index >= $6 AND s.row_index < $7
    WHERE m.job_no = $1 AND NOT s.is_failed
    RETURNING model_no
),

counted AS (
    UPDATE job_model AS m
    SET n_copied = m.n_copied + c.n_rows
    FROM (SELECT model_no, count(*) AS n_rows FROM copied GROUP BY model_no) AS c
    WHERE m.job_no = $3 AND m.model_no = c.model_no
)

SELECT count(*) FROM copied;

-- name: copy_signatures
-- In order, as scored chunks add theirs: otherwise two may wait for each other.
INSERT INTO job_signature (job_no, metric_no, digest, signature)
SELECT $2, metric_no, digest, signature
FROM job_signature
WHERE job_no = $1
ORDER BY metric_no, digest
ON CONFLICT DO NOTHING;

-- name: left_to_do
-- Rows that have no score yet, for each model and repeat, with the size that they have in a message. Those over which
-- only a metric failed have their sample: a live model is not asked for it again. Each score is looked up by itself (with
-- a limit, so that no join is made of it): of rows stored just now the planner knows nothing, and would compare all pairs.
SELECT
    m.model_no,
    r.repeat,
    i.row_index,
    before.sample IS NOT NULL AS is_given,
    octet_length(i.item) + coalesce(octet_length(before.sample), 0) AS size
FROM item AS i
CROSS JOIN job_model AS m
CROSS JOIN LATERAL generate_series(0, m.repeats - 1) AS r (repeat)
LEFT JOIN LATERAL (
    SELECT job_no
    FROM score
    WHERE job_no = $1 AND month = $2 AND dataset_no = $3 AND model_no = m.model_no
        AND row_index = i.row_index AND repeat = r.repeat
    LIMIT 1
) AS s ON true
LEFT JOIN LATERAL (
    SELECT sample
    FROM score
    WHERE job_no = $6 AND month = $7 AND dataset_no = $3 AND model_no = m.model_no
        AND row_index = i.row_index AND repeat = r.repeat
        AND m.is_live AND is_failed AND errors::json -> 0 ->> 'stage' = 'metric'
    LIMIT 1
) AS before ON true
WHERE i.job_no = $1 AND i.month = $2 AND i.dataset_no = $3
    AND i.row_index >= $4 AND i.row_index < $5
    AND m.job_no = $1 AND s.job_no IS NULL
ORDER BY m.model_no, r.repeat, is_given, i.row_index;

-- name: samples
-- Items are looked up one by one as well.
SELECT
    s.model_no,
    s.repeat,
    s.row_index,
    true AS is_given,
    octet_length(i.item) + octet_length(s.sample) AS size
FROM job_model AS m
JOIN score AS s
    ON s.job_no = $1 AND s.month = $2 AND s.dataset_no = $3 AND s.model_no = m.model_no
    AND s.row_index >= $4 AND s.row_index < $5
CROSS JOIN LATERAL (
    SELECT item
    FROM item
    WHERE job_no = $1 AND month = $2 AND dataset_no = $3 AND row_index = s.row_index
    LIMIT 1
) AS i
WHERE m.job_no = $1
ORDER BY s.model_no, s.repeat, s.row_index;

-- name: count_copied
UPDATE job
SET rows_done = rows_done + $2, rows_at_active = rows_at_active + $2
WHERE job_no = $1;

-- name: note_source_read
-- The source job had read it to its end, so nobody has to read it again.
UPDATE job_dataset
SET is_read = true, digest = $3
WHERE job_no = $1 AND dataset_no = $2;
