"""Which fields of a row become a sample's inputs and extras, under which names, and changed in which way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalbus.client.samples import Sample, WrongSamples, split_of

Transform = Callable[[object], object]
"""Given a field's value as it was read; what it returns stands in the sample."""


@dataclass(frozen=True, kw_only=True)
class SampleFields:
    """Everything is keyed by a field's name in the row; only `new_names` says what it is called in the sample."""

    inputs: Sequence[str] = ()
    extras: Sequence[str] = ()
    new_names: Mapping[str, str]
    transforms: Mapping[str, Transform]
    wanted_by: str
    """The class of the benchmark, for errors."""

    def sample(self, row: Mapping[str, object], *, benchmark_id: str, row_id: str) -> Sample:
        """Fields that are not asked for are left out; raises WrongSamples for one that is missing."""
        return Sample(
            benchmark_id=benchmark_id,
            id=row_id,
            split=split_of(row),
            agent_inputs=self._chosen("agent input", self.inputs, row, row_id),
            extras=self._chosen("extra", self.extras, row, row_id),
        )

    def _chosen(
        self, kind: str, names: Sequence[str], row: Mapping[str, object], row_id: str
    ) -> dict[str, object]:
        return {
            self.new_names.get(name, name): self._value(kind, name, row, row_id) for name in names
        }

    def _value(self, kind: str, name: str, row: Mapping[str, object], row_id: str) -> object:
        if name not in row:
            known = ", ".join(sorted(row)) or "none"
            raise WrongSamples(
                f"sample {row_id!r} has no {kind} field {name!r} (known: {known});"
                f" is this a benchmark for {self.wanted_by}?"
            )
        transform = self.transforms.get(name)
        if transform is None:
            return row[name]
        try:
            return transform(row[name])
        except Exception as error:
            # Somebody else's function: whatever it raises is about this value, and must not read as a missing field.
            raise WrongSamples(
                f"the transform of {kind} field {name!r} of {self.wanted_by} failed on sample {row_id!r}:"
                f" {type(error).__name__}: {error}"
            ) from error
