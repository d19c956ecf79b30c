"""A benchmark whose samples are made of chosen fields of its rows, renamed and changed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from evalbus.client.benchmark import Benchmark
from evalbus.client.sample_fields import SampleFields, Transform
from evalbus.client.samples import Sample
from evalbus_schemas.catalogue import BenchmarkRow

if TYPE_CHECKING:
    from evalbus.client.synchronous import Client

HYPERPARAMETERS = "hyperparameters"
"""Fields that all rows share stand once under this word in the additional info of the benchmark."""


class MappedBenchmark(Benchmark):
    """Every argument is keyed by a field's name in the rows; a field that is not named gets into no sample.

    A row's own field goes before one of the same name that all rows share. Raises WrongSamples (a ValueError) where
    the samples are read when a field is missing, or when a transform fails.
    """

    def __init__(
        self,
        benchmark_id: str | int,
        field_name_mapping: Mapping[str, str] | None = None,
        field_value_transform: Mapping[str, Transform] | None = None,
        agent_input_fields: Sequence[str] | None = None,
        extra_fields: Sequence[str] | None = None,
        *,
        samples: Sequence[Sample] | None = None,
        client: "Client | None" = None,
        **additional_info: object,
    ) -> None:
        super().__init__(benchmark_id, samples=samples, client=client)
        self.additional_info = dict(additional_info)
        self.fields = SampleFields(
            inputs=tuple(agent_input_fields or ()),
            extras=tuple(extra_fields or ()),
            new_names=dict(field_name_mapping or {}),
            transforms=dict(field_value_transform or {}),
            wanted_by=type(self).__name__,
        )
        self._shared: dict[str, object] = {}

    def _read_samples(self) -> list[Sample]:
        saved = self._entry().additional_info
        self._shared = _shared_fields(saved) | _shared_fields(self.additional_info)
        return super()._read_samples()

    def _sample_of(self, row: BenchmarkRow) -> Sample:
        return self.fields.sample(
            self._shared | row.item, benchmark_id=self.benchmark_id, row_id=row.row_id
        )


def _shared_fields(additional_info: Mapping[str, object]) -> dict[str, object]:
    found = additional_info.get(HYPERPARAMETERS)
    return dict(cast("dict[str, object]", found)) if isinstance(found, dict) else {}
