-- name: create_entry
INSERT INTO entry (kind, workspace, name, revision)
VALUES ($1, $2, $3, 1)
ON CONFLICT DO NOTHING
RETURNING entry_no;

-- name: lock_entry
SELECT entry_no
FROM entry
WHERE kind = $1 AND workspace = $2 AND name = $3 AND deleted_at IS NULL
FOR UPDATE;

-- name: next_revision
UPDATE entry SET revision = revision + 1 WHERE entry_no = $1;

-- name: add_revision
INSERT INTO entry_revision (
    entry_no, revision, version, description, supplier, labels, additional_info, definition,
    created_by
)
SELECT entry_no, revision, $2, $3, $4, $5::jsonb, $6, $7, $8
FROM entry
WHERE entry_no = $1;

-- name: find_entry
SELECT
    e.entry_no, e.kind, e.workspace, e.name, e.created_at,
    r.revision, r.version, r.description, r.supplier, r.labels, r.additional_info, r.definition,
    r.created_at AS updated_at, r.created_by
FROM entry AS e
JOIN entry_revision AS r ON r.entry_no = e.entry_no AND r.revision = coalesce($5, e.revision)
WHERE e.kind = $1 AND e.workspace = $2 AND e.deleted_at IS NULL
    AND ($3::text IS NULL OR e.name = $3)
    AND ($4::bigint IS NULL OR e.entry_no = $4);

-- name: list_entries
-- Only as many large ones as a page bears: what is never shown is not read either.
WITH wanted AS (
    SELECT
        e.entry_no, e.kind, e.workspace, e.name, e.created_at,
        r.revision, r.version, r.description, r.supplier, r.labels, r.additional_info, r.definition,
        r.created_at AS updated_at, r.created_by
    FROM entry AS e
    JOIN entry_revision AS r ON r.entry_no = e.entry_no AND r.revision = e.revision
    WHERE e.kind = $1 AND e.workspace = $2 AND e.deleted_at IS NULL
        AND (
            $3::text IS NULL
            OR strpos(lower(e.name), lower($3)) > 0
            OR strpos(lower(r.description), lower($3)) > 0
        )
        AND e.entry_no > $4
    ORDER BY e.entry_no
    LIMIT $5
),

sized AS (
    SELECT
        *,
        count(*) OVER () AS n_wanted,
        sum(octet_length(definition) + octet_length(additional_info))
            OVER (ORDER BY entry_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM wanted
)

SELECT *
FROM sized
WHERE coalesce(bytes_before, 0) <= $6
ORDER BY entry_no;

-- name: delete_entry
-- The row stays, so that its number stays unknown for ever.
UPDATE entry
SET deleted_at = now()
WHERE kind = $1 AND workspace = $2 AND deleted_at IS NULL
    AND ($3::text IS NULL OR name = $3)
    AND ($4::bigint IS NULL OR entry_no = $4)
RETURNING entry_no, name, deleted_at;

-- name: delete_revisions
DELETE FROM entry_revision WHERE entry_no = $1;
