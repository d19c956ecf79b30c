-- name: forget_abandoned
-- Whoever sends the same file again starts anew; a size that was wrong must not stand in the way for so long.
DELETE FROM upload
WHERE sha256 IN (
    SELECT sha256
    FROM upload
    WHERE completed_at IS NULL
        AND (
            created_at < now() - make_interval(days => $3)
            OR (sha256 = $1 AND size <> $2 AND created_at < now() - make_interval(hours => $4))
        )
    FOR UPDATE SKIP LOCKED
);

-- name: lock_upload
-- The one that is there is written to without being changed, so that it is locked whether or not it was there.
INSERT INTO upload AS there (sha256, size)
VALUES ($1, $2)
ON CONFLICT (sha256) DO UPDATE SET size = there.size
RETURNING size, received, completed_at IS NOT NULL AS is_complete;

-- name: add_page
INSERT INTO upload_page (sha256, page_offset, data) VALUES ($1, $2, $3);

-- name: note_received
UPDATE upload
SET received = $2, completed_at = CASE WHEN $3 THEN now() END
WHERE sha256 = $1;

-- name: delete_upload
DELETE FROM upload WHERE sha256 = $1;

-- name: find_upload
SELECT received, completed_at IS NOT NULL AS is_complete FROM upload WHERE sha256 = $1;

-- name: next_pages
SELECT page_offset, data
FROM upload_page
WHERE sha256 = $1 AND page_offset >= $2
ORDER BY page_offset
LIMIT $3;
