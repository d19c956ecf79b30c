-- migrate:up

-- Jobs that pause, are derived from others, have a deadline and a budget, and say how fast they are.
ALTER TABLE job
    ADD COLUMN derived_from bigint REFERENCES job,
    ADD COLUMN derivation text CHECK (derivation IN ('retry', 'rescore')),
    ADD COLUMN deadline_seconds double precision,
    -- Of all its calls so far.
    ADD COLUMN cost numeric NOT NULL DEFAULT 0,
    -- Since when it is active, and how many rows it had then.
    ADD COLUMN active_since timestamptz,
    ADD COLUMN rows_at_active bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT job_derivation CHECK ((derived_from IS NULL) = (derivation IS NULL));

-- What they have in flight still takes places at its endpoint.
CREATE INDEX job_stopped ON job (finished_at) WHERE status IN ('cancelled', 'error');
CREATE INDEX job_derived ON job (derived_from) WHERE derived_from IS NOT NULL;

DROP INDEX job_unfinished;
CREATE INDEX job_unfinished ON job (job_no)
WHERE status IN ('created', 'pending', 'active', 'pausing', 'paused', 'resuming', 'cancelling');

DROP VIEW job_shown;
CREATE VIEW job_shown AS
SELECT
    job.job_no, job.job_id, job.workspace, job.name, job.benchmark, job.status, job.labels,
    job.correlation_id, job.chunks_done, job.n_chunks, job.rows_done, job.rows_total,
    job.rows_failed, job.created_at, job.started_at, job.finished_at, job.error_code,
    job.error_message, job.derivation, source.name AS derived_from,
    CASE
        WHEN job.status = 'active' AND now() > job.active_since
            THEN (job.rows_done - job.rows_at_active) / extract(EPOCH FROM now() - job.active_since)::float8
    END AS rows_per_second
FROM job
LEFT JOIN job AS source ON source.job_no = job.derived_from
WHERE job.deleted_at IS NULL;

-- What the dispatcher must know of each model: recorded ones need no place at an endpoint.
CREATE TABLE job_model (
    job_no bigint NOT NULL REFERENCES job,
    model_no smallint NOT NULL,
    is_live boolean NOT NULL,
    endpoint text,
    parallelism integer NOT NULL,
    repeats smallint NOT NULL,
    -- Rows that were taken over with their scores from the job that this one is derived from.
    n_copied bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (job_no, model_no)
);

-- The dispatcher looks for these all the time, among those of every job that there ever was.
CREATE INDEX job_model_live ON job_model (job_no, model_no) WHERE is_live;

-- An escaped NUL is good JSON, but not to Postgres.
INSERT INTO job_model (job_no, model_no, is_live, parallelism, repeats)
SELECT j.job_no, m.ordinality - 1, false, 1, 1
FROM
    job AS j,
    jsonb_array_elements(replace(j.spec, '\u0000', '\ufffd')::jsonb -> 'models')
    WITH ORDINALITY AS m (model, ordinality);

-- What a dataset was once it was read to its end.
ALTER TABLE job_dataset ADD COLUMN digest text;

ALTER TABLE chunk
    ADD COLUMN repeat smallint NOT NULL DEFAULT 0,
    ADD COLUMN is_live boolean NOT NULL DEFAULT false,
    -- Its samples come from the job that this one is derived from.
    ADD COLUMN is_given boolean NOT NULL DEFAULT false,
    -- Where its rows do not follow one another.
    ADD COLUMN rows bigint [],
    -- Calls at once that were allotted to it while it is in flight.
    ADD COLUMN concurrency smallint,
    ADD COLUMN waits_for text,
    ADD COLUMN n_failed_sample integer,
    ADD COLUMN calls integer,
    ADD COLUMN retries integer,
    ADD COLUMN cache_hits integer,
    ADD COLUMN input_tokens bigint,
    ADD COLUMN output_tokens bigint,
    ADD COLUMN cost double precision;

DROP INDEX chunk_open;
CREATE INDEX chunk_open ON chunk (status, job_no, is_live, chunk_no) WHERE status <> 'done';

ALTER TABLE score
    -- Seconds of the call that was answered, and the log of all calls as a JSON list.
    ADD COLUMN latency double precision,
    ADD COLUMN requests text;

-- Answers of live models by the digest of what they depend on.
CREATE TABLE answer (
    key bytea PRIMARY KEY,
    -- Who paid for it, and for which of its rows.
    job_id uuid NOT NULL,
    row text NOT NULL,
    is_shared boolean NOT NULL,
    sample text NOT NULL,
    asked text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX answer_oldest ON answer (created_at);
CREATE INDEX answer_private ON answer (job_id) WHERE NOT is_shared;

CREATE TABLE job_log (
    log_no bigint GENERATED ALWAYS AS IDENTITY,
    job_no bigint NOT NULL REFERENCES job,
    at timestamptz NOT NULL DEFAULT now(),
    step text NOT NULL,
    level text NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    message text NOT NULL,
    PRIMARY KEY (job_no, log_no)
);

-- Services that reach the database and not the broker, and when they last said so.
CREATE TABLE broker_away (
    service uuid PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE result
    ADD COLUMN usage text NOT NULL DEFAULT '[]',
    ADD COLUMN data text NOT NULL DEFAULT '[]';

-- A saved thing; its number and name are the same in all revisions.
CREATE TABLE entry (
    entry_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('dataset', 'model', 'metric', 'benchmark')),
    workspace text NOT NULL,
    name text NOT NULL,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE UNIQUE INDEX entry_name ON entry (kind, workspace, name) WHERE deleted_at IS NULL;

CREATE TABLE entry_revision (
    entry_no bigint NOT NULL REFERENCES entry,
    revision integer NOT NULL,
    version text NOT NULL,
    description text NOT NULL,
    supplier text NOT NULL,
    labels jsonb NOT NULL,
    additional_info text NOT NULL,
    definition text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text,
    PRIMARY KEY (entry_no, revision)
);

-- Files that were sent in pages, by the digest of their content.
CREATE TABLE upload (
    sha256 bytea PRIMARY KEY,
    size bigint NOT NULL,
    received bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz
);

CREATE TABLE upload_page (
    sha256 bytea NOT NULL REFERENCES upload ON DELETE CASCADE,
    page_offset bigint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (sha256, page_offset)
);

-- migrate:down

DROP TABLE upload_page, upload, entry_revision, entry, broker_away, job_log, answer, job_model;
ALTER TABLE result DROP COLUMN usage, DROP COLUMN data;
ALTER TABLE score DROP COLUMN latency, DROP COLUMN requests;
DROP INDEX chunk_open;
ALTER TABLE chunk
    DROP COLUMN repeat, DROP COLUMN is_live, DROP COLUMN is_given, DROP COLUMN rows, DROP COLUMN concurrency,
    DROP COLUMN waits_for, DROP COLUMN n_failed_sample, DROP COLUMN calls, DROP COLUMN retries,
    DROP COLUMN cache_hits, DROP COLUMN input_tokens, DROP COLUMN output_tokens, DROP COLUMN cost;
CREATE INDEX chunk_open ON chunk (status, job_no, chunk_no) WHERE status <> 'done';
ALTER TABLE job_dataset DROP COLUMN digest;
DROP VIEW job_shown;
DROP INDEX job_unfinished, job_derived, job_stopped;
CREATE INDEX job_unfinished ON job (job_no) WHERE status IN ('created', 'active');
ALTER TABLE job
    DROP CONSTRAINT job_derivation, DROP COLUMN derived_from, DROP COLUMN derivation,
    DROP COLUMN deadline_seconds, DROP COLUMN cost, DROP COLUMN active_since, DROP COLUMN rows_at_active;
CREATE VIEW job_shown AS
SELECT
    job_no, job_id, workspace, name, benchmark, status, labels, correlation_id,
    chunks_done, n_chunks, rows_done, rows_total, rows_failed,
    created_at, started_at, finished_at, error_code, error_message
FROM job
WHERE deleted_at IS NULL;
