"""Where the producer reads datasets, decided once for all who open them."""

from dataclasses import dataclass
from pathlib import Path

from evalbus.datasets import open_dataset
from evalbus.datasets.base import DatasetReader, Position
from evalbus.producer.uploads import FindUpload
from evalbus_schemas.benchmark import Dataset
from evalbus_schemas.chunks import RowLimits


@dataclass(frozen=True, kw_only=True)
class DatasetOpening:
    """Opening blocks, as everything about a reader does."""

    roots: tuple[Path, ...] | None
    """Where datasets may lie; None: anywhere, because whoever asks is the owner of this process."""
    limits: RowLimits

    def open(
        self,
        dataset: Dataset,
        *,
        find_upload: FindUpload,
        position: Position | None = None,
        limits: RowLimits | None = None,
    ) -> DatasetReader:
        """Raises NotFound, NotAllowed or Invalid that begins with the dataset's name."""
        return open_dataset(
            dataset, roots=self.roots, limits=limits or self.limits, position=position
        )
