"""What files declare: one thing, a benchmark, or lists of things to be saved, each with its place for errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar, cast

from pydantic import BaseModel, Field

from evalbus.client.benchmark_file import validated, with_absolute_source, with_absolute_sources
from evalbus.errors import Invalid
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import BenchmarkFile, Dataset, MetricPlugin, Plugin
from evalbus_schemas.catalogue import About, EntryKind
from evalbus_schemas.names import Name

T = TypeVar("T", bound=BaseModel)

ENTRIES_MAX = 10_000


class DeclaredDataset(Dataset):
    about: About = About()


class DeclaredModel(Plugin):
    about: About = About()


class DeclaredMetric(MetricPlugin):
    about: About = About()


class DeclaredBenchmark(BenchmarkFile):
    about: About = About()


class CatalogueFile(Closed):
    """Lists of things to be saved, in a workspace or in that of whoever applies them."""

    workspace: Name | None = None
    datasets: Annotated[tuple[DeclaredDataset, ...], Field(max_length=ENTRIES_MAX)] = ()
    models: Annotated[tuple[DeclaredModel, ...], Field(max_length=ENTRIES_MAX)] = ()
    metrics: Annotated[tuple[DeclaredMetric, ...], Field(max_length=ENTRIES_MAX)] = ()
    benchmarks: Annotated[tuple[DeclaredBenchmark, ...], Field(max_length=ENTRIES_MAX)] = ()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One thing to save; None as workspace is that of whoever applies it."""

    kind: EntryKind
    definition: Dataset | Plugin | BenchmarkFile
    about: About
    workspace: str | None
    place: str
    """File and key, for an error."""


CONTRACTS: Mapping[
    EntryKind, type[DeclaredDataset | DeclaredModel | DeclaredMetric | DeclaredBenchmark]
] = {
    "dataset": DeclaredDataset,
    "model": DeclaredModel,
    "metric": DeclaredMetric,
    "benchmark": DeclaredBenchmark,
}


def read_one(kind: EntryKind, path: Path) -> Declared:
    """A file with one thing in it, as it would stand in a list; raises Invalid naming file and place."""
    from evalbus.client.documents import read_document  # YAML takes time to load

    found = validated(read_document(path), CONTRACTS[kind], name=path.name)
    return _declared(kind, found, path, workspace=None, place=path.name)


def read_declared(path: Path) -> list[Declared]:
    """Everything in a file of one or more documents; raises Invalid naming file and place."""
    from evalbus.client.documents import read_documents  # YAML takes time to load

    documents = read_documents(path)
    found: list[Declared] = []
    for number, document in enumerate(documents, 1):
        name = path.name if len(documents) == 1 else f"{path.name}, document {number}"
        found += _in_document(document, path, name)
    if not found:
        raise Invalid(f"{path.name}: declares nothing")
    return found


def in_order(declared: Sequence[Declared]) -> list[Declared]:
    """What others name comes before them; raises Invalid for a thing that is declared twice."""
    kinds = list(CONTRACTS)
    seen: dict[tuple[str, str | None, str], str] = {}
    for each in declared:
        key = (each.kind, each.workspace, each.definition.name)
        if key in seen:
            raise Invalid(
                f"{each.place}: {each.kind} {each.definition.name!r} is declared in {seen[key]} as well"
            )
        seen[key] = each.place
    return sorted(declared, key=lambda each: kinds.index(each.kind))


def _in_document(document: object, path: Path, name: str) -> list[Declared]:
    if not isinstance(document, Mapping):
        raise Invalid(
            f"{name}: wanted a benchmark, or a mapping with lists of datasets, models, metrics, benchmarks"
        )
    if "name" in document:
        benchmark = validated(cast(object, document), DeclaredBenchmark, name=name)
        return [_declared("benchmark", benchmark, path, workspace=None, place=name)]
    file = validated(cast(object, document), CatalogueFile, name=name)
    lists: dict[EntryKind, Sequence[BaseModel]] = {
        "dataset": file.datasets,
        "model": file.models,
        "metric": file.metrics,
        "benchmark": file.benchmarks,
    }
    return [
        _declared(kind, each, path, workspace=file.workspace, place=f"{name}: {kind}s.{number}")
        for kind, things in lists.items()
        for number, each in enumerate(things)
    ]


def _declared(
    kind: EntryKind, found: BaseModel, path: Path, *, workspace: str | None, place: str
) -> Declared:
    definition: Dataset | Plugin | BenchmarkFile
    match found:
        case DeclaredDataset():
            definition = with_absolute_source(_plain(found, Dataset), path.parent)
        case DeclaredBenchmark():
            definition = with_absolute_sources(_plain(found, BenchmarkFile), path.parent)
        case DeclaredMetric():
            definition = _plain(found, MetricPlugin)
        case DeclaredModel():
            definition = _plain(found, Plugin)
        case _:
            raise AssertionError(f"a {kind} is none of these")
    return Declared(
        kind=kind, definition=definition, about=found.about, workspace=workspace, place=place
    )


def _plain(found: BaseModel, contract: type[T]) -> T:
    return contract.model_validate_json(found.model_dump_json(exclude={"about"}))
