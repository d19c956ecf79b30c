-- name: column
SELECT r.*, j.month, j.spec, j.deleted_at IS NOT NULL AS are_rows_deleted
FROM result AS r
JOIN job AS j ON j.job_no = r.job_no
WHERE r.workspace = $1 AND r.name = $2 AND r.deleted_at IS NULL;

-- name: join_by_hash
-- Of a job that was stored just now the planner knows nothing, takes its rows for one, and would loop over all pairs.
SET LOCAL enable_nestloop = off;

-- name: paired
-- Rows of two models by their ids.
WITH baseline AS (
    SELECT i.row_id, s.repeat, s.scores
    FROM score AS s
    JOIN item AS i
        ON i.job_no = s.job_no AND i.dataset_no = s.dataset_no
        AND i.row_index = s.row_index AND i.month = s.month
    WHERE s.job_no = $1 AND s.month = $2 AND s.dataset_no = $3 AND s.model_no = $4
),

this AS (
    SELECT i.row_id, s.repeat, s.scores
    FROM score AS s
    JOIN item AS i
        ON i.job_no = s.job_no AND i.dataset_no = s.dataset_no
        AND i.row_index = s.row_index AND i.month = s.month
    WHERE s.job_no = $5 AND s.month = $6 AND s.dataset_no = $7 AND s.model_no = $8
),

pair AS (
    SELECT
        score.ordinality AS score_no,
        baseline.row_id IS NULL AS is_only_in_this,
        this.row_id IS NULL AS is_only_in_baseline,
        nullif(baseline.scores[score.of_baseline], 'NaN') AS before,
        nullif(this.scores[score.of_this], 'NaN') AS after
    FROM baseline
    FULL JOIN this ON this.row_id = baseline.row_id AND this.repeat = baseline.repeat
    CROSS JOIN unnest($9::integer [], $10::integer []) WITH ORDINALITY
        AS score (of_baseline, of_this, ordinality)
)

SELECT
    score_no,
    count(*) FILTER (WHERE is_only_in_baseline) AS only_in_baseline,
    count(*) FILTER (WHERE is_only_in_this) AS only_in_this,
    count(after - before) AS n_paired,
    count(*) FILTER (WHERE after > before) AS higher,
    count(*) FILTER (WHERE after < before) AS lower,
    count(*) FILTER (WHERE after = before) AS equal,
    -- As decimals, whose sum does not depend on the order of the rows.
    avg((after - before)::numeric)::double precision AS delta
FROM pair
GROUP BY score_no
ORDER BY score_no;
