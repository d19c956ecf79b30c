"""A database that refuses every change of a job's status that the contract does not know."""

from evalbus.store.postgres import Database
from evalbus_schemas.jobs import TRANSITIONS

GUARD = """
CREATE TABLE known_change (was text, becomes text, PRIMARY KEY (was, becomes));

CREATE FUNCTION refuse_unknown_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM known_change WHERE was = OLD.status AND becomes = NEW.status) THEN
        RAISE 'a job that is % became %', OLD.status, NEW.status;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER job_status_change BEFORE UPDATE OF status ON job
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
EXECUTE FUNCTION refuse_unknown_change();
"""


async def refuse_unknown_changes(database: Database) -> None:
    """From now on; what is known is what TRANSITIONS says."""
    known = [(was, becomes) for was, following in TRANSITIONS.items() for becomes in following]
    async with database.transaction() as connection:
        await connection.execute(GUARD)
        await connection.executemany("INSERT INTO known_change VALUES ($1, $2)", known)
