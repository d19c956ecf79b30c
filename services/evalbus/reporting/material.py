"""Everything a report is written from, as it was answered."""

from dataclasses import dataclass

from evalbus_schemas.explanations import Explanations
from evalbus_schemas.exports import ExportHead
from evalbus_schemas.jobs import Job
from evalbus_schemas.queries import Result, SliceScores
from evalbus_schemas.usage import DatasetUsed, ModelUsage


@dataclass(frozen=True, kw_only=True)
class Material:
    """A job, its result, or both: a job that has not completed has none, and a result outlives its job."""

    name: str
    job: Job | None
    result: Result | None
    slices: tuple[SliceScores, ...] = ()
    explanations: Explanations | None = None
    head: ExportHead | None = None

    @property
    def usage(self) -> tuple[ModelUsage, ...]:
        if self.job and self.job.models:
            return self.job.models
        return self.result.usage if self.result else ()

    @property
    def data(self) -> tuple[DatasetUsed, ...]:
        if self.result and self.result.data:
            return self.result.data
        return self.job.datasets if self.job else ()
