-- name: write
-- Numbered under the lock of the job's row: its lines are seen in their order, so whoever follows them misses none.
INSERT INTO job_log (job_no, at, step, level, message)
SELECT locked.job_no, clock_timestamp(), $2, $3, $4
FROM (SELECT job_no FROM job WHERE job_no = $1 FOR NO KEY UPDATE) AS locked
WHERE $3 <> 'warning'
    OR (SELECT count(*) FROM job_log WHERE job_no = $1 AND level = 'warning') < $5;

-- name: page
SELECT log_no, at, step, level, message
FROM job_log
WHERE job_no = $1 AND log_no > $2
ORDER BY log_no
LIMIT $3;
