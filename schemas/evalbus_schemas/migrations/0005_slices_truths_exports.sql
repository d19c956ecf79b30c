-- migrate:up

-- A bit for each slice of the benchmark that the row is in, the first of them lowest.
ALTER TABLE item ADD COLUMN slices bigint NOT NULL DEFAULT 0;

-- What people said, of each score that has a ground truth; NaN where they said nothing.
ALTER TABLE score ADD COLUMN truths double precision [];

ALTER TABLE result_score
    -- With the ground truth, as JSON.
    ADD COLUMN agreement text;

-- What a result says over the rows of each declared slice, and of those that are in none.
CREATE TABLE result_slice (
    result_no bigint NOT NULL REFERENCES result ON DELETE CASCADE,
    -- In the order of the benchmark, from 1; the rows of no slice come last.
    slice_no smallint NOT NULL,
    slice text NOT NULL,
    description text NOT NULL,
    n_rows bigint NOT NULL,
    n_failed bigint NOT NULL,
    -- Entries as those of a result, as JSON: they are only ever read whole.
    results text NOT NULL,
    PRIMARY KEY (result_no, slice_no)
);

ALTER TABLE job ADD COLUMN archived_at timestamptz;

CREATE OR REPLACE VIEW job_shown AS
SELECT
    job.job_no, job.job_id, job.workspace, job.name, job.benchmark, job.status, job.labels,
    job.correlation_id, job.chunks_done, job.n_chunks, job.rows_done, job.rows_total,
    job.rows_failed, job.created_at, job.started_at, job.finished_at, job.error_code,
    job.error_message, job.derivation, source.name AS derived_from,
    CASE
        WHEN job.status = 'active' AND now() > job.active_since
            THEN (job.rows_done - job.rows_at_active) / extract(EPOCH FROM now() - job.active_since)::float8
    END AS rows_per_second,
    job.created_by, job.archived_at
FROM job
LEFT JOIN job AS source ON source.job_no = job.derived_from
WHERE job.deleted_at IS NULL;

-- Files to be written to buckets. The object appears when it is whole, so whoever takes one over begins anew.
CREATE TABLE export (
    export_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    export_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    job_no bigint NOT NULL REFERENCES job,
    -- The whole command.
    command text NOT NULL,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'completed', 'error')),
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    n_datapoints bigint NOT NULL DEFAULT 0,
    -- What the bucket calls the parts that it has and that make no object yet: whoever begins anew has them removed.
    upload text,
    error_code text,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX export_open ON export (export_no) WHERE status IN ('waiting', 'running');
-- The same command again is the export that is under way.
CREATE UNIQUE INDEX export_under_way ON export (job_no, md5(command))
WHERE status IN ('waiting', 'running');

-- migrate:down

DROP TABLE export, result_slice;
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
ALTER TABLE job DROP COLUMN archived_at;
ALTER TABLE result_score DROP COLUMN agreement;
ALTER TABLE score DROP COLUMN truths;
ALTER TABLE item DROP COLUMN slices;
