-- name: add_event
INSERT INTO event (event_id, type, workspace, routing_key, body)
VALUES (coalesce($5, gen_random_uuid()), $1, $2, $3, $4)
ON CONFLICT (event_id) DO NOTHING;

-- name: notify
SELECT pg_notify('evalbus_events', ''), pg_notify('evalbus_jobs', '');

-- name: lock_sequence
-- Numbers become visible in their order, so that nobody who asks for what came after one passes another by.
SELECT pg_advisory_xact_lock(7301245003);

-- name: number_unpublished
WITH numbered AS (
    SELECT event_no, nextval('event_sequence') AS sequence
    FROM (
        SELECT event_no
        FROM event
        WHERE published_at IS NULL AND sequence IS NULL
        ORDER BY event_no
        LIMIT $1
    ) AS unnumbered
)
UPDATE event
SET sequence = numbered.sequence
FROM numbered
WHERE event.event_no = numbered.event_no;

-- name: unpublished
SELECT event_no, event_id, type, routing_key, body, sequence
FROM event
WHERE published_at IS NULL AND sequence IS NOT NULL
ORDER BY sequence
LIMIT $1;

-- name: mark_published
UPDATE event SET published_at = now() WHERE event_no = ANY($1::bigint []);

-- name: list_events
SELECT event_id, type, created_at, body, sequence
FROM event
WHERE sequence > $1 AND ($2::text IS NULL OR workspace = $2)
ORDER BY sequence
LIMIT $3;

-- name: keep_dead_letter
INSERT INTO dead_letter (
    queue, reason, detail, type, message_id, attempts, headers, body, body_bytes, identity
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (identity) DO NOTHING;

-- name: list_dead_letters
SELECT
    dead_letter_no, queue, reason, detail, type, message_id, attempts, body_bytes, first_seen_at
FROM dead_letter
WHERE ($1::text IS NULL OR queue = $1) AND dead_letter_no < $2
ORDER BY dead_letter_no DESC
LIMIT $3;

-- name: show_dead_letter
SELECT * FROM dead_letter WHERE dead_letter_no = $1;
