-- name: column
SELECT
    r.*, j.month, j.spec, j.deleted_at IS NOT NULL AS are_rows_deleted,
    (SELECT array_agg(m.repeats ORDER BY m.model_no) FROM job_model AS m WHERE m.job_no = r.job_no) AS repeats
FROM result AS r
JOIN job AS j ON j.job_no = r.job_no
WHERE r.workspace = $1 AND r.name = $2 AND r.deleted_at IS NULL;

-- name: slice_results
SELECT results FROM result_slice WHERE result_no = $1 AND slice = $2;

-- name: join_by_hash
-- Of a job that was stored just now the planner knows nothing, takes its rows for one, and would loop over all pairs.
SET LOCAL enable_nestloop = off;

-- name: once_asked
SELECT i.row_id, s.scores
FROM score AS s
JOIN item AS i
    ON i.job_no = s.job_no AND i.dataset_no = s.dataset_no
    AND i.row_index = s.row_index AND i.month = s.month
WHERE s.job_no = {job_no} AND s.month = {month} AND s.dataset_no = {dataset_no} AND s.model_no = {model_no}
    AND {is_member}

-- name: is_member
-- A bit for the rows of one slice, 0 for those of none, NULL for all of them.
CASE {slice}::bigint
    WHEN 0 THEN i.slices = 0
    ELSE coalesce(i.slices & {slice}::bigint <> 0, TRUE)
END

-- name: repeatedly_asked
-- A row's value is the mean over its repeats that have one.
SELECT row_id, array_agg(value ORDER BY score_no) AS scores
FROM (
    SELECT
        i.row_id,
        v.ordinality AS score_no,
        coalesce(avg(nullif(v.value, 'NaN')::numeric)::double precision, 'NaN') AS value
    FROM score AS s
    JOIN item AS i
        ON i.job_no = s.job_no AND i.dataset_no = s.dataset_no
        AND i.row_index = s.row_index AND i.month = s.month
    CROSS JOIN LATERAL unnest(s.scores) WITH ORDINALITY AS v (value, ordinality)
    WHERE s.job_no = {job_no} AND s.month = {month} AND s.dataset_no = {dataset_no} AND s.model_no = {model_no}
        AND {is_member}
    GROUP BY i.row_id, v.ordinality
) AS means
GROUP BY row_id

-- name: paired
-- Rows of two models by their ids.
WITH baseline AS (
    {baseline}
),

this AS (
    {this}
),

pair AS (
    SELECT
        score.ordinality AS score_no,
        baseline.row_id IS NULL AS is_only_in_this,
        this.row_id IS NULL AS is_only_in_baseline,
        nullif(baseline.scores[score.of_baseline], 'NaN') AS before,
        nullif(this.scores[score.of_this], 'NaN') AS after
    FROM baseline
    FULL JOIN this ON this.row_id = baseline.row_id
    CROSS JOIN unnest($11::integer [], $12::integer []) WITH ORDINALITY
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
