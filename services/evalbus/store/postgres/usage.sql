-- name: models
-- Sums over chunks, which are few; times of single answers only where there are any.
SELECT
    m.model_no,
    m.is_live,
    m.n_copied + coalesce(c.n_rows, 0) AS n_rows,
    CASE
        WHEN j.n_chunks IS NULL THEN NULL
        WHEN j.derivation = 'rescore' THEN c.n_planned
        ELSE m.repeats * (SELECT sum(d.n_rows) FROM job_dataset AS d WHERE d.job_no = m.job_no)
    END::bigint AS n_planned,
    coalesce(c.n_failed, 0) AS n_failed,
    coalesce(c.n_failed_sample, 0) AS n_failed_sample,
    coalesce(c.calls, 0) AS calls,
    coalesce(c.retries, 0) AS retries,
    coalesce(c.cache_hits, 0) AS cache_hits,
    coalesce(c.input_tokens, 0)::bigint AS input_tokens,
    coalesce(c.output_tokens, 0)::bigint AS output_tokens,
    c.cost,
    coalesce(c.metric_calls, 0) AS metric_calls,
    coalesce(c.metric_retries, 0) AS metric_retries,
    coalesce(c.metric_cache_hits, 0) AS metric_cache_hits,
    coalesce(c.metric_input_tokens, 0)::bigint AS metric_input_tokens,
    coalesce(c.metric_output_tokens, 0)::bigint AS metric_output_tokens,
    c.metric_cost,
    coalesce(c.seconds, 0) AS seconds,
    l.latencies
FROM job AS j
JOIN job_model AS m ON m.job_no = j.job_no
LEFT JOIN (
    SELECT
        model_no,
        sum(n_rows) AS n_planned,
        sum(n_rows) FILTER (WHERE seconds IS NOT NULL) AS n_rows,
        sum(n_failed) AS n_failed,
        sum(n_failed_sample) AS n_failed_sample,
        sum(calls) AS calls,
        sum(retries) AS retries,
        sum(cache_hits) AS cache_hits,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cost::numeric)::float8 AS cost,
        sum(metric_calls) AS metric_calls,
        sum(metric_retries) AS metric_retries,
        sum(metric_cache_hits) AS metric_cache_hits,
        sum(metric_input_tokens) AS metric_input_tokens,
        sum(metric_output_tokens) AS metric_output_tokens,
        sum(metric_cost::numeric)::float8 AS metric_cost,
        sum(seconds) AS seconds
    FROM chunk
    WHERE job_no = $1
    GROUP BY model_no
) AS c ON c.model_no = m.model_no
LEFT JOIN LATERAL (
    SELECT percentile_cont(ARRAY [0.5, 0.95]) WITHIN GROUP (ORDER BY s.latency) AS latencies
    FROM score AS s
    WHERE m.is_live AND s.job_no = $1 AND s.month = j.month
        AND s.dataset_no = ANY(SELECT d.dataset_no FROM job_dataset AS d WHERE d.job_no = $1)
        AND s.model_no = m.model_no AND s.latency IS NOT NULL
) AS l ON m.is_live
WHERE j.job_no = $1
ORDER BY m.model_no;

-- name: datasets
SELECT n_rows, digest FROM job_dataset WHERE job_no = $1 ORDER BY dataset_no;

-- name: spec
SELECT spec FROM job WHERE job_no = $1;
