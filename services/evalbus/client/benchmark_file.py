"""The benchmark file from disk, or from a dict: parsed strictly, and every error names its place."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from evalbus.errors import Invalid
from evalbus.validation import describe
from evalbus_schemas.benchmark import Benchmark


def load_benchmark(source: Benchmark | Mapping[str, object] | str | Path) -> Benchmark:
    """A benchmark from a path (.json, else YAML) or a dict; raises Invalid.

    Relative sources in a file are made absolute: they are relative to that file, wherever it is read from.
    """
    if isinstance(source, Benchmark):
        return source
    if isinstance(source, Mapping):
        return _validated(dict(source), name="benchmark")
    from evalbus.client.documents import (
        read_document,  # YAML takes time to load, and most calls read no file
    )

    path = Path(source)
    return with_absolute_sources(_validated(read_document(path), name=path.name), path.parent)


def with_absolute_sources(benchmark: Benchmark, folder: Path) -> Benchmark:
    """The same benchmark, readable from any working directory."""
    base = folder.absolute()
    datasets = tuple(
        dataset
        if dataset.source is None
        else dataset.model_copy(update={"source": str(base / dataset.source)})
        for dataset in benchmark.datasets
    )
    return benchmark.model_copy(update={"datasets": datasets})


def _validated(document: object, *, name: str) -> Benchmark:
    if not isinstance(document, dict):
        raise Invalid(f"{name}: a benchmark is a mapping with name, datasets, models and metrics")
    try:
        return Benchmark.model_validate_json(to_json(document))
    except PydanticSerializationError as error:
        # Half a surrogate pair, which YAML can write and UTF-8 cannot.
        raise Invalid(f"{name}: what is written there cannot be JSON: {error}") from None
    except ValidationError as error:
        raise Invalid("\n".join(f"{name}: {line}" for line in describe(error, Benchmark))) from None
