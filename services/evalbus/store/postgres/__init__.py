"""The store on Postgres, 15 or newer: one adapter for each port of store/ports/."""

from evalbus.store.postgres.answers import PostgresAnswers
from evalbus.store.postgres.catalogue import PostgresCatalogue
from evalbus.store.postgres.changes import PostgresChanges, open_changes
from evalbus.store.postgres.comparing import PostgresComparisons
from evalbus.store.postgres.database import Database, open_database, wait_for
from evalbus.store.postgres.datapoints import PostgresDatapoints
from evalbus.store.postgres.dead_letters import PostgresDeadLetters
from evalbus.store.postgres.dispatch import PostgresDispatch
from evalbus.store.postgres.events import PostgresEvents
from evalbus.store.postgres.explaining import PostgresExplaining
from evalbus.store.postgres.exports import PostgresExports
from evalbus.store.postgres.finalizing import PostgresFinals
from evalbus.store.postgres.jobs import PostgresJobs
from evalbus.store.postgres.migrations import migrate, pending_versions
from evalbus.store.postgres.results import PostgresResults
from evalbus.store.postgres.rows import PostgresRows
from evalbus.store.postgres.scores import PostgresScores
from evalbus.store.postgres.upkeep import PostgresUpkeep
from evalbus.store.postgres.uploads import PostgresUploads

__all__ = [
    "Database",
    "PostgresAnswers",
    "PostgresCatalogue",
    "PostgresChanges",
    "PostgresComparisons",
    "PostgresDatapoints",
    "PostgresDeadLetters",
    "PostgresDispatch",
    "PostgresEvents",
    "PostgresExplaining",
    "PostgresExports",
    "PostgresFinals",
    "PostgresJobs",
    "PostgresResults",
    "PostgresRows",
    "PostgresScores",
    "PostgresUpkeep",
    "PostgresUploads",
    "migrate",
    "open_changes",
    "open_database",
    "pending_versions",
    "wait_for",
]
