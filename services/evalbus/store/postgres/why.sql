-- name: why
SELECT
    coalesce(j.n_chunks = j.chunks_done, false) AS is_whole,
    coalesce(j.lease_until > now(), false) AS is_leased,
    EXISTS (
        SELECT 1 FROM broker_away WHERE noted_at > now() - make_interval(secs => $2)
    ) AS is_broker_away,
    count(c.*) FILTER (WHERE c.status = 'pending') AS waiting,
    count(c.*) FILTER (WHERE c.status = 'sent') AS in_flight,
    count(c.*) FILTER (WHERE c.status = 'sent' AND c.waits_for = 'circuit_open') AS in_open_circuit,
    count(c.*) FILTER (WHERE c.status = 'sent' AND c.waits_for = 'retry_delay') AS in_retry_delay,
    extract(EPOCH FROM now() - min(c.sent_at) FILTER (WHERE c.status = 'sent'))::float8 AS oldest_seconds,
    coalesce(
        (array_agg(c.chunk_no ORDER BY c.sent_at, c.chunk_no) FILTER (WHERE c.status = 'sent')) [1],
        min(c.chunk_no)
    ) AS oldest_chunk,
    extract(
        EPOCH FROM now() - max(coalesce(c.heartbeat_at, c.sent_at)) FILTER (WHERE c.status = 'sent')
    )::float8 AS silent_seconds,
    coalesce(
        bool_and(c.sends > $3 AND c.heartbeat_at IS NULL) FILTER (WHERE c.status = 'sent'), false
    ) AS is_sent_in_vain
FROM job AS j
LEFT JOIN chunk AS c
    ON c.job_no = j.job_no AND c.status <> 'done'
    AND j.status NOT IN ('completed', 'error', 'cancelled')
WHERE j.job_no = $1
GROUP BY j.job_no;

-- name: models_that_wait
-- Models whose chunks wait for somebody outside, with chunks to send, and the calls that are handed out: of the job, and
-- by every job at whichever of their endpoints has the most.
SELECT
    m.parallelism,
    (j.limits::json ->> 'endpoint_parallelism')::integer AS endpoint_parallelism,
    (
        SELECT coalesce(sum(c.concurrency), 0)
        FROM chunk AS c
        WHERE c.status = 'sent' AND c.job_no = j.job_no AND c.is_live
    ) AS in_job,
    (
        SELECT coalesce(max(taken.calls), 0)
        FROM (
            SELECT sum(c.concurrency) AS calls
            FROM chunk AS c
            JOIN job_model AS o ON o.job_no = c.job_no AND o.model_no = c.model_no
            -- Each once, though a metric may ask there more than once about a row: its chunk takes its calls but once.
            JOIN (SELECT DISTINCT unnest(m.endpoint || m.metric_endpoints) AS endpoint) AS place
                ON place.endpoint = ANY(o.endpoint || o.metric_endpoints)
            WHERE c.status = 'sent' AND c.is_live
            GROUP BY place.endpoint
        ) AS taken
    ) AS at_endpoint
FROM job AS j
JOIN job_model AS m ON m.job_no = j.job_no AND (m.is_live OR m.metric_endpoints <> '{}')
WHERE j.job_no = $1
    AND EXISTS (
        SELECT 1
        FROM chunk AS c
        WHERE c.status = 'pending' AND c.job_no = j.job_no AND c.is_live AND c.model_no = m.model_no
    );
