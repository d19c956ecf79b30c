-- name: slab
-- Packed as the server sends arrays, so that a million values do not become a million objects.
SELECT
    count(*) AS n_rows,
    count(*) FILTER (WHERE is_failed) AS n_failed,
    string_agg(array_send(scores), '') AS scores
FROM (
    SELECT is_failed, scores
    FROM score
    WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
        AND row_index >= $5 AND row_index < $6
    ORDER BY row_index, repeat
) AS in_order;

-- name: counts
-- Of the rows that count, the repeats of each together; any order adds up to the same.
SELECT string_agg(counts, ',') AS counts, 0::bigint AS slices
FROM score
WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
    AND row_index >= $5 AND row_index < $6 AND counts IS NOT NULL
GROUP BY row_index;

-- name: slab_of_repeats
-- The repeats of a row together; it failed if all of them did.
SELECT bool_and(is_failed) AS is_failed, string_agg(array_send(scores), '' ORDER BY repeat) AS scores
FROM score
WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
    AND row_index >= $5 AND row_index < $6
GROUP BY row_index
ORDER BY row_index;

-- name: truths
-- What people said of each row, its repeats together; nothing where it was scored before there was anything to compare.
SELECT
    string_agg(
        array_send(coalesce(truths, array_fill('NaN'::float8, ARRAY[$7::integer]))), '' ORDER BY repeat
    ) AS truths
FROM score
WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
    AND row_index >= $5 AND row_index < $6
GROUP BY row_index
ORDER BY row_index;

-- name: members
-- Of each row that has a score the slices that it is in, whether it failed, and how many answers it had, failed ones
-- apart: packed, in the same order as the values. Each item is looked up for itself: of a job that was stored just now
-- the planner knows nothing.
SELECT
    string_agg(int8send(i.slices), '' ORDER BY s.row_index) AS slices,
    string_agg(int8send(s.n_failed / s.n_answers), '' ORDER BY s.row_index) AS is_failed,
    string_agg(int8send(s.n_answers), '' ORDER BY s.row_index) AS n_answers,
    string_agg(int8send(s.n_failed), '' ORDER BY s.row_index) AS n_failed
FROM (
    SELECT row_index, count(*) AS n_answers, count(*) FILTER (WHERE is_failed) AS n_failed
    FROM score
    WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
        AND row_index >= $5 AND row_index < $6
    GROUP BY row_index
) AS s
CROSS JOIN LATERAL (
    SELECT slices
    FROM item
    WHERE job_no = $1 AND dataset_no = $2 AND row_index = s.row_index AND month = $4
    LIMIT 1
) AS i;

-- name: counts_in_slices
-- The same counts with the slices of each row.
SELECT s.counts, i.slices
FROM (
    SELECT row_index, string_agg(counts, ',') AS counts
    FROM score
    WHERE job_no = $1 AND dataset_no = $2 AND model_no = $3 AND month = $4
        AND row_index >= $5 AND row_index < $6 AND counts IS NOT NULL
    GROUP BY row_index
) AS s
CROSS JOIN LATERAL (
    SELECT slices
    FROM item
    WHERE job_no = $1 AND dataset_no = $2 AND row_index = s.row_index AND month = $4
    LIMIT 1
) AS i;
