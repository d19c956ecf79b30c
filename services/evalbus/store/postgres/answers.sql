-- name: keep
-- The first to come stays: two evaluators may have asked for the same.
INSERT INTO answer (key, job_id, row, is_shared, sample, asked)
SELECT * FROM unnest($1::bytea [], $2::uuid [], $3::text [], $4::boolean [], $5::text [], $6::text [])
ON CONFLICT DO NOTHING;

-- name: find
SELECT key, job_id, row, is_shared, sample, asked
FROM answer
WHERE key = ANY($1::bytea []);
