-- migrate:up

-- A job, its frozen benchmark, and the counters that the last chunk is recognised by.
CREATE TABLE job (
    job_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL UNIQUE,
    workspace text NOT NULL,
    name text NOT NULL,
    benchmark text NOT NULL,
    -- Names the partition that its items and scores lie in.
    month date NOT NULL,
    -- JSON as text: neither reordered nor refused for an escaped NUL.
    spec text NOT NULL,
    limits text NOT NULL,
    labels jsonb NOT NULL,
    idempotency_key text NOT NULL,
    content_hash bytea NOT NULL,
    correlation_id text,
    status text NOT NULL CHECK (
        status IN (
            'created', 'pending', 'active', 'cancelling', 'cancelled',
            'error', 'completed', 'pausing', 'paused', 'resuming'
        )
    ),
    lease_token uuid,
    lease_until timestamptz,
    next_chunk integer NOT NULL DEFAULT 0,
    n_chunks integer,
    chunks_done integer NOT NULL DEFAULT 0,
    rows_total bigint,
    rows_done bigint NOT NULL DEFAULT 0,
    rows_failed bigint NOT NULL DEFAULT 0,
    error_code text,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    deleted_at timestamptz,
    UNIQUE (workspace, idempotency_key)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX job_name ON job (workspace, name) WHERE deleted_at IS NULL;
CREATE INDEX job_newest ON job (workspace, job_no DESC) WHERE deleted_at IS NULL;
CREATE INDEX job_unfinished ON job (job_no) WHERE status IN ('created', 'active');

CREATE VIEW job_shown AS
SELECT
    job_no, job_id, workspace, name, benchmark, status, labels, correlation_id,
    chunks_done, n_chunks, rows_done, rows_total, rows_failed,
    created_at, started_at, finished_at, error_code, error_message
FROM job
WHERE deleted_at IS NULL;

-- How far each dataset of a job was read: a new lease holder goes on from here.
CREATE TABLE job_dataset (
    job_no bigint NOT NULL REFERENCES job,
    dataset_no smallint NOT NULL,
    fingerprint text NOT NULL,
    position text,
    n_rows bigint NOT NULL DEFAULT 0,
    is_read boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job_no, dataset_no)
) WITH (fillfactor = 70);

CREATE TABLE chunk (
    job_no bigint NOT NULL,
    chunk_no integer NOT NULL,
    dataset_no smallint NOT NULL,
    model_no smallint NOT NULL,
    first_row bigint NOT NULL,
    n_rows integer NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'done')),
    sends integer NOT NULL DEFAULT 0,
    sent_at timestamptz,
    -- The bus has it; until then it may have been lost with the producer that took it.
    is_confirmed boolean NOT NULL DEFAULT false,
    heartbeat_at timestamptz,
    n_failed integer,
    seconds double precision,
    evaluator text,
    PRIMARY KEY (job_no, chunk_no)
) WITH (fillfactor = 70);

CREATE INDEX chunk_open ON chunk (status, job_no, chunk_no) WHERE status <> 'done';

-- Rows lie in partitions by the month of their job's creation, so that retention drops whole tables.
CREATE TABLE item (
    month date NOT NULL,
    job_no bigint NOT NULL,
    dataset_no smallint NOT NULL,
    row_index bigint NOT NULL,
    row_id text NOT NULL,
    -- Empty for a row over the size limit.
    item text NOT NULL,
    PRIMARY KEY (job_no, dataset_no, row_index, month)
) PARTITION BY RANGE (month);

CREATE TABLE score (
    month date NOT NULL,
    job_no bigint NOT NULL,
    dataset_no smallint NOT NULL,
    model_no smallint NOT NULL,
    row_index bigint NOT NULL,
    repeat smallint NOT NULL,
    is_failed boolean NOT NULL,
    -- In the order of the job's metrics; NaN where a row could not be scored.
    scores double precision [] NOT NULL,
    sample text NOT NULL,
    errors text,
    PRIMARY KEY (job_no, dataset_no, model_no, row_index, repeat, month)
) PARTITION BY RANGE (month);

CREATE FUNCTION evalbus_ensure_partition(month date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    suffix text := to_char(month, 'YYYYMM');
    parent text;
BEGIN
    IF to_regclass('score_' || suffix) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Two starters at once: the second waits and then finds the tables there.
    PERFORM pg_advisory_xact_lock(hashtext('evalbus_ensure_partition'));
    IF to_regclass('score_' || suffix) IS NOT NULL THEN
        RETURN;
    END IF;
    FOREACH parent IN ARRAY ARRAY['item', 'score'] LOOP
        -- Attached, not created as a partition: that would shut out everybody who reads or writes the parent.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', parent || '_' || suffix, parent);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            parent, parent || '_' || suffix, month, (month + interval '1 month')::date
        );
    END LOOP;
END
$$;

-- Made exactly once when a job completes; outlives it.
CREATE TABLE result (
    result_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace text NOT NULL,
    name text NOT NULL,
    job_id uuid NOT NULL UNIQUE,
    job_no bigint NOT NULL,
    benchmark text NOT NULL,
    datasets text [] NOT NULL,
    models text [] NOT NULL,
    metrics text [] NOT NULL,
    labels jsonb NOT NULL,
    n_rows bigint NOT NULL,
    n_failed bigint NOT NULL,
    started_at timestamptz,
    finished_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace, name)
);

CREATE INDEX result_newest ON result (workspace, result_no DESC);

-- One line for each (dataset, model, metric, score), in the order of the benchmark file.
CREATE TABLE result_score (
    result_no bigint NOT NULL REFERENCES result ON DELETE CASCADE,
    position integer NOT NULL,
    dataset text NOT NULL,
    model text NOT NULL,
    metric text NOT NULL,
    score text NOT NULL,
    count bigint NOT NULL,
    nan_count bigint NOT NULL,
    n_failed bigint NOT NULL,
    sum double precision,
    mean double precision,
    min double precision,
    max double precision,
    variance double precision,
    std_dev double precision,
    PRIMARY KEY (result_no, position)
);

-- The outbox, and the memory of subscribers that were away.
CREATE TABLE event (
    event_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    type text NOT NULL,
    workspace text NOT NULL,
    routing_key text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Given under a lock when the event is about to be published, so that no reader can pass one by.
    sequence bigint UNIQUE,
    published_at timestamptz
);

CREATE INDEX event_unpublished ON event (event_no) WHERE published_at IS NULL;
CREATE SEQUENCE event_sequence;

-- Messages that could not be handled, taken over from the broker.
CREATE TABLE dead_letter (
    dead_letter_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    type text NOT NULL,
    message_id text NOT NULL,
    attempts integer NOT NULL,
    headers text NOT NULL,
    body bytea NOT NULL,
    body_bytes bigint NOT NULL,
    -- A hash of queue, message id, reason and body, which may be too long for an index themselves.
    identity bytea NOT NULL UNIQUE,
    first_seen_at timestamptz NOT NULL DEFAULT now()
);

-- migrate:down

DROP VIEW job_shown;
DROP TABLE dead_letter, event, result_score, result, score, item, chunk, job_dataset, job;
DROP SEQUENCE event_sequence;
DROP FUNCTION evalbus_ensure_partition (date);
