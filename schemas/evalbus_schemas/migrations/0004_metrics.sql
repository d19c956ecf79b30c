-- migrate:up

-- Whom live metrics ask about its answers, once for each question that a row may have: its chunks take places there too.
ALTER TABLE job_model ADD COLUMN metric_endpoints text [] NOT NULL DEFAULT '{}';

DROP INDEX job_model_live;
CREATE INDEX job_model_live ON job_model (job_no, model_no) WHERE is_live OR metric_endpoints <> '{}';

ALTER TABLE chunk
    -- Rows for which somebody who was asked gave no answer, the model or a metric's respondent.
    ADD COLUMN n_unanswered integer,
    ADD COLUMN metric_calls integer,
    ADD COLUMN metric_retries integer,
    ADD COLUMN metric_cache_hits integer,
    ADD COLUMN metric_input_tokens bigint,
    ADD COLUMN metric_output_tokens bigint,
    ADD COLUMN metric_cost double precision;

ALTER TABLE score
    -- What the row adds to corpus scores: a JSON list with an entry for each metric that has such.
    ADD COLUMN counts text,
    -- Labels, rationales and details, as a JSON list.
    ADD COLUMN remarks text;

-- Releases of metrics that a job was scored with: one for each metric, unless evaluators differ.
CREATE TABLE job_signature (
    job_no bigint NOT NULL REFERENCES job,
    metric_no smallint NOT NULL,
    digest bytea NOT NULL,
    signature text NOT NULL,
    PRIMARY KEY (job_no, metric_no, digest)
);

ALTER TABLE result
    -- One list for each metric, in their order.
    ADD COLUMN signatures text NOT NULL DEFAULT '[]';

ALTER TABLE result_score
    -- One value for all rows is neither a range nor a rubric.
    ALTER COLUMN score_type DROP NOT NULL,
    ADD COLUMN scope text NOT NULL DEFAULT 'row' CHECK (scope IN ('row', 'corpus')),
    -- Of the metric, at the first of its scores.
    ADD COLUMN detail text;

-- migrate:down

UPDATE result_score SET score_type = 'range' WHERE score_type IS NULL;
ALTER TABLE result_score ALTER COLUMN score_type SET NOT NULL, DROP COLUMN scope, DROP COLUMN detail;
ALTER TABLE result DROP COLUMN signatures;
DROP TABLE job_signature;
ALTER TABLE score DROP COLUMN counts, DROP COLUMN remarks;
ALTER TABLE chunk
    DROP COLUMN n_unanswered, DROP COLUMN metric_calls, DROP COLUMN metric_retries, DROP COLUMN metric_cache_hits,
    DROP COLUMN metric_input_tokens, DROP COLUMN metric_output_tokens, DROP COLUMN metric_cost;
DROP INDEX job_model_live;
CREATE INDEX job_model_live ON job_model (job_no, model_no) WHERE is_live;
ALTER TABLE job_model DROP COLUMN metric_endpoints;
