-- migrate:up

-- Results can be deleted, tell who made them, and know the data and the metrics that they may be compared by.
ALTER TABLE job
    ADD COLUMN created_by text,
    -- When the rows of a deleted job were gone as well.
    ADD COLUMN reclaimed_at timestamptz;

CREATE INDEX job_to_reclaim ON job (job_no) WHERE deleted_at IS NOT NULL AND reclaimed_at IS NULL;

-- How often one of its messages was set aside: a chunk that nobody can handle must not be sent for ever.
ALTER TABLE chunk ADD COLUMN set_aside integer NOT NULL DEFAULT 0;

-- Failed rows are few, and the first that people look for.
CREATE INDEX score_failed ON score (job_no, dataset_no, model_no, row_index, repeat) WHERE is_failed;

ALTER TABLE result
    ADD COLUMN result_id uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN created_by text,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN deleted_at timestamptz,
    -- One digest for each dataset: the same rows, in whatever order, give the same.
    ADD COLUMN digests text [] NOT NULL DEFAULT '{}',
    -- Type and parameters of each metric, in the order of `metrics`.
    ADD COLUMN metric_specs jsonb NOT NULL DEFAULT '[]',
    DROP CONSTRAINT result_workspace_name_key;

DROP INDEX result_newest;

-- A deleted result frees its name; its job_id stays taken, so that it is never made again.
CREATE UNIQUE INDEX result_name ON result (workspace, name) WHERE deleted_at IS NULL;
CREATE INDEX result_created ON result (workspace, created_at, result_no) WHERE deleted_at IS NULL;
CREATE INDEX result_updated ON result (workspace, updated_at, result_no) WHERE deleted_at IS NULL;
CREATE INDEX result_benchmark ON result (workspace, benchmark, created_at, result_no) WHERE deleted_at IS NULL;
CREATE INDEX result_datasets ON result USING gin (datasets) WHERE deleted_at IS NULL;
CREATE INDEX result_models ON result USING gin (models) WHERE deleted_at IS NULL;
CREATE INDEX result_metrics ON result USING gin (metrics) WHERE deleted_at IS NULL;
CREATE INDEX result_labels ON result USING gin (labels jsonb_path_ops) WHERE deleted_at IS NULL;

ALTER TABLE result_score
    ADD COLUMN mean_failures_as_worst double precision,
    ADD COLUMN score_type text NOT NULL DEFAULT 'range' CHECK (score_type IN ('range', 'rubric')),
    -- Percentiles, histogram, rubric: read whole, never filtered by.
    ADD COLUMN shape text NOT NULL DEFAULT '{}';

CREATE INDEX result_score_mean ON result_score (metric, mean);

-- migrate:down

DROP INDEX result_score_mean;
ALTER TABLE result_score DROP COLUMN shape, DROP COLUMN score_type, DROP COLUMN mean_failures_as_worst;
DROP INDEX result_labels, result_metrics, result_models, result_datasets;
DROP INDEX result_benchmark, result_updated, result_created, result_name;
CREATE INDEX result_newest ON result (workspace, result_no DESC);
ALTER TABLE result
    ADD CONSTRAINT result_workspace_name_key UNIQUE (workspace, name),
    DROP COLUMN metric_specs, DROP COLUMN digests, DROP COLUMN deleted_at,
    DROP COLUMN updated_at, DROP COLUMN created_by, DROP COLUMN result_id;
DROP INDEX score_failed, job_to_reclaim;
ALTER TABLE chunk DROP COLUMN set_aside;
ALTER TABLE job DROP COLUMN created_by, DROP COLUMN reclaimed_at;
