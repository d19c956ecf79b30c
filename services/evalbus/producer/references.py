"""What a benchmark only names, as `workspace/name`, is written out: as it is saved now, and for good."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from evalbus.errors import Invalid, NotFound, OverLimit
from evalbus.validation import describe
from evalbus_schemas.benchmark import Benchmark, BenchmarkFile, Dataset, MetricPlugin, Plugin
from evalbus_schemas.catalogue import Entry, EntryKind, GetEntry

T = TypeVar("T", bound=BaseModel)

WRITTEN_OUT_BYTES_MAX = 8 * 1024 * 1024
"""What one list of a benchmark may grow to: names are short, and what they stand for may not be."""


class Finds(Protocol):
    """All that is needed of the catalogue, wherever it is asked."""

    async def get(self, kind: EntryKind, query: GetEntry) -> Entry:
        """Raises NotFound."""
        ...


class References:
    """Looks up what is saved; raises NotFound that says what is not there, and in which benchmark it is named."""

    def __init__(self, catalogue: Finds) -> None:
        self._catalogue = catalogue

    async def saved_benchmark(self, reference: str) -> Benchmark:
        """The snapshot that is saved under the name."""
        return await self._saved("benchmark", reference, Benchmark, "")

    async def written_out(self, file: BenchmarkFile) -> Benchmark:
        """The benchmark with everything in it; raises Invalid as well, if two things then have one name."""
        where = f"benchmark {file.name!r}: "
        datasets = await self.datasets(file.datasets, where=where)
        models = await self.models(file.models, where=where)
        metrics = await self.metrics(file.metrics, where=where)
        try:
            return Benchmark(
                name=file.name,
                description=file.description,
                datasets=datasets,
                models=models,
                metrics=metrics,
                slices=file.slices,
                params=file.params,
                labels=file.labels,
            )
        except ValidationError as error:
            raise Invalid(where + "; ".join(describe(error, Benchmark))) from None

    async def datasets(
        self, parts: Sequence[Dataset | str], *, where: str = ""
    ) -> tuple[Dataset, ...]:
        return await self._parts("dataset", parts, Dataset, where)

    async def models(self, parts: Sequence[Plugin | str], *, where: str = "") -> tuple[Plugin, ...]:
        return await self._parts("model", parts, Plugin, where)

    async def metrics(
        self, parts: Sequence[MetricPlugin | str], *, where: str = ""
    ) -> tuple[MetricPlugin, ...]:
        return await self._parts("metric", parts, MetricPlugin, where)

    async def _parts(
        self, kind: EntryKind, parts: Sequence[T | str], contract: type[T], where: str
    ) -> tuple[T, ...]:
        found: list[T] = []
        size = 0
        for part in parts:
            if not isinstance(part, str):
                found.append(part)
                continue
            saved = await self._saved(kind, part, contract, where)
            size += len(saved.model_dump_json())
            if size > WRITTEN_OUT_BYTES_MAX:
                raise OverLimit(
                    f"{where}written out, its {kind}s have more than {WRITTEN_OUT_BYTES_MAX} bytes",
                    {"wanted": WRITTEN_OUT_BYTES_MAX, "found": size},
                )
            found.append(saved)
        return tuple(found)

    async def _saved(self, kind: EntryKind, reference: str, contract: type[T], where: str) -> T:
        workspace, _, name = reference.partition("/")
        try:
            entry = await self._catalogue.get(kind, GetEntry(name=name, workspace=workspace))
        except NotFound as error:
            raise NotFound(f"{where}{error.message}", error.data) from None
        return contract.model_validate_json(orjson.dumps(entry.definition))
