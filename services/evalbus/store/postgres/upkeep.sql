-- name: overdue
-- The delay doubles with each sending, up to an hour: a queue that nobody works off does not fill with copies.
-- What the bus never confirmed was lost with the producer that took it.
UPDATE chunk
SET status = 'pending', concurrency = NULL, waits_for = NULL
FROM (
    SELECT c.job_no, c.chunk_no
    FROM chunk AS c
    JOIN job AS j ON j.job_no = c.job_no AND j.status NOT IN ('completed', 'error', 'cancelled')
    WHERE c.status = 'sent'
        AND (
            coalesce(c.heartbeat_at, c.sent_at)
            < now() - make_interval(secs => least($1 * power(2, least(c.sends - 1, 20)), greatest($1, 3600)))
            OR (
                NOT c.is_confirmed
                AND c.heartbeat_at IS NULL
                AND c.sent_at < now() - make_interval(secs => $2)
            )
        )
    ORDER BY c.job_no, c.chunk_no
    FOR UPDATE OF c SKIP LOCKED
) AS late
WHERE chunk.job_no = late.job_no AND chunk.chunk_no = late.chunk_no
RETURNING chunk.job_no;

-- name: in_flight
UPDATE chunk
SET status = 'pending', concurrency = NULL, waits_for = NULL
FROM (
    SELECT job_no, chunk_no
    FROM chunk
    WHERE status = 'sent'
    ORDER BY job_no, chunk_no
    FOR UPDATE
) AS lost
WHERE chunk.job_no = lost.job_no AND chunk.chunk_no = lost.chunk_no
RETURNING chunk.job_no;

-- name: free_leases
UPDATE job SET lease_token = NULL, lease_until = NULL WHERE lease_token IS NOT NULL;

-- name: free_export_leases
UPDATE export SET lease_token = NULL, lease_until = NULL WHERE lease_token IS NOT NULL;

-- name: close_chunks
-- Chunks of jobs that have ended leave the index of open ones.
UPDATE chunk
SET status = 'done'
FROM (
    SELECT c.job_no, c.chunk_no
    FROM chunk AS c
    JOIN job AS j ON j.job_no = c.job_no AND j.status IN ('completed', 'error', 'cancelled')
    WHERE c.status <> 'done'
    ORDER BY c.job_no, c.chunk_no
    LIMIT 10000
    FOR UPDATE OF c SKIP LOCKED
) AS closed
WHERE chunk.job_no = closed.job_no AND chunk.chunk_no = closed.chunk_no;

-- name: forget_answers
DELETE FROM answer
WHERE key IN (
    SELECT key
    FROM answer
    WHERE created_at < now() - make_interval(days => $1)
    ORDER BY created_at
    LIMIT 20000
);

-- name: forget_private_answers
-- Those of one job alone go with its result; while it has none, a retry may still want them.
DELETE FROM answer
WHERE key IN (
    SELECT a.key
    FROM answer AS a
    JOIN job AS j ON j.job_id = a.job_id
    WHERE NOT a.is_shared AND j.status = 'completed' AND j.finished_at < now() - interval '1 hour'
    LIMIT 20000
);

-- name: standing
-- Jobs that only waited for what was in flight.
SELECT job_no
FROM job AS j
WHERE j.status IN ('pausing', 'cancelling')
    AND NOT EXISTS (SELECT 1 FROM chunk AS c WHERE c.status = 'sent' AND c.job_no = j.job_no);

-- name: beyond_deadline
SELECT job_no, deadline_seconds
FROM job
WHERE status IN ('created', 'pending', 'active', 'pausing', 'paused', 'resuming', 'cancelling')
    AND started_at + make_interval(secs => deadline_seconds) < now()
ORDER BY job_no;

-- name: broker_away
INSERT INTO broker_away (service) VALUES ($1)
ON CONFLICT (service) DO UPDATE SET noted_at = now();

-- name: broker_back
-- With it goes what services said that have died since.
DELETE FROM broker_away WHERE service = $1 OR noted_at < now() - interval '1 day';

-- name: forget_events
DELETE FROM event
WHERE published_at < now() - make_interval(days => $1);

-- name: forget_exports
-- Those of deleted jobs an hour after their end, for whoever waits for it.
DELETE FROM export AS e
USING job AS j
WHERE j.job_no = e.job_no
    AND e.finished_at < now() - CASE
        WHEN j.deleted_at IS NULL THEN make_interval(days => $1)
        ELSE interval '1 hour'
    END;

-- name: prepare_partitions
SELECT
    evalbus_ensure_partition(date_trunc('month', now())::date),
    evalbus_ensure_partition((date_trunc('month', now()) + interval '1 month')::date);

-- name: notify_work
SELECT pg_notify('evalbus_work', '');

-- name: job_to_reclaim
SELECT job_no, month
FROM job
WHERE deleted_at IS NOT NULL AND reclaimed_at IS NULL
ORDER BY job_no
LIMIT 1;

-- name: reclaim_scores
DELETE FROM score
WHERE month = $2 AND (job_no, dataset_no, model_no, row_index, repeat) IN (
    SELECT job_no, dataset_no, model_no, row_index, repeat
    FROM score
    WHERE job_no = $1 AND month = $2
    ORDER BY job_no, dataset_no, model_no, row_index, repeat
    LIMIT $3
);

-- name: reclaim_items
DELETE FROM item
WHERE month = $2 AND (job_no, dataset_no, row_index) IN (
    SELECT job_no, dataset_no, row_index
    FROM item
    WHERE job_no = $1 AND month = $2
    ORDER BY job_no, dataset_no, row_index
    LIMIT $3
);

-- name: reclaim_chunks
DELETE FROM chunk WHERE job_no = $1;

-- name: reclaim_log
DELETE FROM job_log WHERE job_no = $1;

-- name: reclaim_signatures
DELETE FROM job_signature WHERE job_no = $1;

-- name: reclaimed
UPDATE job SET reclaimed_at = now() WHERE job_no = $1;
