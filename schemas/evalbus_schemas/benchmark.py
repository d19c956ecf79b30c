"""The benchmark file: which models are scored on which datasets with which metrics."""

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from evalbus_schemas.base import Closed, JsonObject, Labels
from evalbus_schemas.names import DEFAULT_WORKSPACE, Name, Reference

Template = Annotated[
    str,
    Field(
        max_length=65_536,
        description="Text with {{ item.field }} and {{ sample.output_text }} in it; a lone {{ item.field }} keeps its type.",
        examples=["{{ item.reference }}"],
    ),
]


class Dataset(Closed):
    """A named source of rows: files below a root, or rows written in the file itself."""

    name: Name
    source: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=4096,
                description="A path or a glob of .jsonl or .csv files, relative to the benchmark file.",
            ),
        ]
        | None
    ) = None
    rows: Annotated[tuple[JsonObject, ...], Field(max_length=10_000)] | None = None
    id: Annotated[
        Template | None,
        Field(
            description="Stable row id; by default a hash of the row plus its ordinal among equals."
        ),
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.rows is None):
            raise ValueError("give either source or rows")
        return self


class Plugin(BaseModel):
    """A model or metric as name, type and the parameters that its type declares."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)

    name: Name
    type: Annotated[str, Field(min_length=1, max_length=63)]

    @property
    def parameters(self) -> JsonObject:
        """Everything but name and type, for the type's own parameter model."""
        return dict(self.model_extra or {})


class Params(Closed):
    """How a job runs; none of it changes what a score means."""

    limit_samples: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="Only the first N rows of each dataset."),
    ] = None
    max_row_error_ratio: Annotated[
        Annotated[float, Field(ge=0, le=1)] | None,
        Field(description="End the job in error when a larger share of its rows failed."),
    ] = None


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def _refuse_doubles(kind: str, things: Sequence[_Named]) -> None:
    seen: set[str] = set()
    for thing in things:
        if thing.name in seen:
            raise ValueError(f"two {kind} are called {thing.name!r}")
        seen.add(thing.name)


class Benchmark(Closed):
    """Every model runs on every dataset with every metric."""

    name: Name
    description: Annotated[str, Field(max_length=4096)] = ""
    datasets: Annotated[tuple[Dataset, ...], Field(min_length=1, max_length=64)]
    models: Annotated[tuple[Plugin, ...], Field(min_length=1, max_length=64)]
    metrics: Annotated[tuple[Plugin, ...], Field(min_length=1, max_length=64)]
    params: Params = Params()
    labels: Labels = {}

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        _refuse_doubles("datasets", self.datasets)
        _refuse_doubles("models", self.models)
        _refuse_doubles("metrics", self.metrics)
        return self


def _written_or_named(benchmark: object) -> str:
    return "named" if isinstance(benchmark, str) else "written"


class StartBenchmark(Closed):
    """Run a benchmark: the body of the command, and the parameters of `jobs.start`."""

    # Told apart by sight, so that what is wrong with one is not reported as wrong for the other as well.
    benchmark: Annotated[
        Annotated[Benchmark, Tag("written")] | Annotated[Reference, Tag("named")],
        Discriminator(_written_or_named),
    ]
    job: Annotated[Name | None, Field(description="The job's name; made up when absent.")] = None
    workspace: Name = DEFAULT_WORKSPACE
    labels: Labels = {}
    params: Annotated[Params | None, Field(description="Replaces the benchmark's own.")] = None
    idempotency_key: Annotated[
        Annotated[str, Field(min_length=1, max_length=255)] | None,
        Field(description="The same key and content give the same job; by default the message id."),
    ] = None


ScoreDirection = Literal["higher", "lower", "none"]
