"""Opening datasets as the producer may, decided once for all who read them."""

from dataclasses import dataclass, replace

from evalbus.datasets import Sources, open_dataset
from evalbus.datasets.base import DatasetReader, Position
from evalbus.datasets.sources import Uploads
from evalbus_schemas.benchmark import Dataset
from evalbus_schemas.chunks import RowLimits


@dataclass(frozen=True, kw_only=True)
class DatasetOpening:
    """Opening blocks, as everything about a reader does."""

    sources: Sources
    limits: RowLimits
    """Of who opens a dataset without a job, whose own are frozen."""

    def open(
        self,
        dataset: Dataset,
        *,
        uploads: Uploads | None = None,
        position: Position | None = None,
        limits: RowLimits | None = None,
    ) -> DatasetReader:
        """Raises NotFound, NotAllowed, Invalid or OverLimit that begins with the dataset's name."""
        return open_dataset(
            dataset,
            sources=replace(self.sources, uploads=uploads),
            limits=limits or self.limits,
            position=position,
        )
