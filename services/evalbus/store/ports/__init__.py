"""What evalbus needs of its database, one small port for each thing that is kept.

The promises, kept by every adapter and tested in tests/conformance:

- Each method is one transaction: it happened altogether or not at all, and doing it again changes nothing.
- A lease is checked in the transaction that uses it, with the database's clock; a holder that lost it writes nothing.
- Keeping a chunk twice counts it once. Counters of a job always equal the rows that are stored.
- What a job ended as never changes; nothing is written to it afterwards.
- Unavailable means the outcome may be unknown; every method bears being called again.
"""

from evalbus.store.ports.answers import AnswerStore
from evalbus.store.ports.catalogue import CatalogueStore, NewRevision
from evalbus.store.ports.changes import Changes, Topic, Watcher
from evalbus.store.ports.dead_letters import DeadLetterStore, LetterToKeep
from evalbus.store.ports.dispatching import (
    ChunkBroken,
    ChunkToSend,
    DatasetProgress,
    DispatchStore,
    Lease,
    LeaseLost,
    Stretch,
    TakenOver,
)
from evalbus.store.ports.events import EventStore, EventToPublish
from evalbus.store.ports.explaining import (
    AnswerToExplain,
    AskedOfModel,
    DatasetToExplain,
    ExplainingLimits,
    ExplainingStore,
    JobToExplain,
    RowToExplain,
)
from evalbus.store.ports.exports import DatapointStore, ExportLease, ExportStore
from evalbus.store.ports.jobs import Derived, JobLimits, JobStore, ModelFacts, NewJob, SourceJob
from evalbus.store.ports.layout import Layout, LayoutOf
from evalbus.store.ports.results import (
    Aggregate,
    ComparisonStore,
    CountedMetric,
    FinalStore,
    ResultStore,
    RowStore,
    ScoreColumn,
)
from evalbus.store.ports.scores import Kept, ScoreStore
from evalbus.store.ports.upkeep import UNCONFIRMED_SECONDS, UpkeepStore
from evalbus.store.ports.uploads import UploadStore

__all__ = [
    "UNCONFIRMED_SECONDS",
    "Aggregate",
    "AnswerStore",
    "AnswerToExplain",
    "AskedOfModel",
    "CatalogueStore",
    "Changes",
    "ChunkBroken",
    "ChunkToSend",
    "ComparisonStore",
    "CountedMetric",
    "DatapointStore",
    "DatasetProgress",
    "DatasetToExplain",
    "DeadLetterStore",
    "Derived",
    "DispatchStore",
    "EventStore",
    "EventToPublish",
    "ExplainingLimits",
    "ExplainingStore",
    "ExportLease",
    "ExportStore",
    "FinalStore",
    "JobLimits",
    "JobStore",
    "JobToExplain",
    "Kept",
    "Layout",
    "LayoutOf",
    "Lease",
    "LeaseLost",
    "LetterToKeep",
    "ModelFacts",
    "NewJob",
    "NewRevision",
    "ResultStore",
    "RowStore",
    "RowToExplain",
    "ScoreColumn",
    "ScoreStore",
    "SourceJob",
    "Stretch",
    "TakenOver",
    "Topic",
    "UpkeepStore",
    "UploadStore",
    "Watcher",
]
