"""The benchmark file from disk, or from a dict: parsed strictly, and every error names its place."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from evalbus.errors import Invalid
from evalbus.validation import describe
from evalbus_schemas.benchmark import Benchmark, BenchmarkFile, Dataset
from evalbus_schemas.names import REFERENCE_PATTERN

B = TypeVar("B", Benchmark, BenchmarkFile)
T = TypeVar("T", bound=BaseModel)

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def load_benchmark(
    source: BenchmarkFile | Benchmark | Mapping[str, object] | str | Path,
) -> BenchmarkFile:
    """A benchmark from a path (.json, else YAML) or a dict; raises Invalid.

    Relative sources in a file are made absolute: they are relative to that file, wherever it is read from.
    """
    if isinstance(source, BenchmarkFile):
        return source
    if isinstance(source, Benchmark):
        return BenchmarkFile.model_validate_json(source.model_dump_json())
    if isinstance(source, Mapping):
        return benchmark_in(dict(source), name="benchmark")
    from evalbus.client.documents import (
        read_document,  # YAML takes time to load, and most calls read no file
    )

    path = Path(source)
    return with_absolute_sources(benchmark_in(read_document(path), name=path.name), path.parent)


def is_reference(source: str) -> bool:
    """Whether it names a saved benchmark, `workspace/name`, and no file."""
    return (
        re.fullmatch(REFERENCE_PATTERN, source) is not None
        and not source.endswith((".yaml", ".yml", ".json"))
        and not Path(source).exists()
    )


def benchmark_in(document: object, *, name: str) -> BenchmarkFile:
    """The document as a benchmark; raises Invalid that begins with `name`."""
    if not isinstance(document, dict):
        raise Invalid(f"{name}: a benchmark is a mapping with name, datasets, models and metrics")
    found = validated(cast("object", document), BenchmarkFile, name=name)
    if found.is_written_out:
        # Two things with one name are found here already, and not by the service.
        validated(cast("object", document), Benchmark, name=name)
    return found


def validated(document: object, contract: type[T], *, name: str) -> T:
    """Raises Invalid with a line for each problem, each beginning with `name`."""
    try:
        return contract.model_validate_json(to_json(document))
    except PydanticSerializationError as error:
        # Half a surrogate pair, which YAML can write and UTF-8 cannot.
        raise Invalid(f"{name}: what is written there cannot be JSON: {error}") from None
    except ValidationError as error:
        raise Invalid("\n".join(f"{name}: {line}" for line in describe(error, contract))) from None


def with_absolute_sources(benchmark: B, folder: Path) -> B:
    """The same benchmark, readable from any working directory."""
    datasets = tuple(
        with_absolute_source(dataset, folder) if isinstance(dataset, Dataset) else dataset
        for dataset in benchmark.datasets
    )
    return benchmark.model_copy(update={"datasets": datasets})


def with_absolute_source(dataset: Dataset, folder: Path) -> Dataset:
    """The same for one dataset; a source that is a URL stays as it is."""
    if dataset.source is None:
        return dataset
    absolute = tuple(_absolute(source, folder.absolute()) for source in dataset.sources)
    source = absolute[0] if isinstance(dataset.source, str) else absolute
    return dataset.model_copy(update={"source": source})


def is_url(source: str) -> bool:
    """Whether it names something elsewhere, and no file of this machine."""
    return URL.match(source) is not None


def _absolute(source: str, base: Path) -> str:
    return source if is_url(source) else str(base / source)
