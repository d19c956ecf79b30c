"""The benchmark file: which models are scored on which datasets with which metrics."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Protocol, Self

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


Source = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        description="A file, a folder or a glob, relative to the benchmark file; or s3://, gs://, https://.",
        examples=["rows/*.jsonl.gz"],
    ),
]


def _one_or_several(source: object) -> str:
    return "one" if isinstance(source, str) else "several"


class Dataset(Closed):
    """A named source of rows: files, or rows written in the file itself."""

    name: Name
    source: (
        Annotated[
            Annotated[Source, Tag("one")]
            | Annotated[tuple[Source, ...], Field(min_length=1, max_length=1000), Tag("several")],
            Discriminator(_one_or_several),
        ]
        | None
    ) = None
    format: Annotated[
        Annotated[str, Field(min_length=1, max_length=63)] | None,
        Field(description="How its files are written; by default what their extensions say."),
    ] = None
    connector: Annotated[
        Name | None, Field(description="The named connector that a private source is read with.")
    ] = None
    fields: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=255)],
            Annotated[str, Field(min_length=1, max_length=255)],
        ],
        Field(
            max_length=256,
            description="New names for fields: `{question: Frage}` reads what the source calls Frage as question.",
        ),
    ] = {}
    typed: Annotated[
        bool,
        Field(
            description="Cells of text formats that are JSON become what they say: 4, true, null, [1]."
        ),
    ] = False
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

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its files lie; empty for rows written in the file itself."""
        if self.source is None:
            return ()
        return (self.source,) if isinstance(self.source, str) else self.source


class Plugin(BaseModel):
    """A model or metric as name, type and the parameters that its type declares."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)

    name: Name
    type: Annotated[str, Field(min_length=1, max_length=63)]

    @property
    def parameters(self) -> JsonObject:
        """Everything but name and type, for the type's own parameter model."""
        return dict(self.model_extra or {})


class MetricPlugin(Plugin):
    """A metric, and where the people's own value of what it scores stands, if it is to be validated against them."""

    ground_truth: Annotated[
        Annotated[
            Annotated[Template, Tag("one")]
            | Annotated[dict[str, Template], Field(min_length=1, max_length=64), Tag("several")],
            Discriminator(_one_or_several),
        ]
        | None,
        Field(
            description="What people said: of the metric's only score, or by score. A number, true or false, or a"
            " label of the score's rubric; a row without one has no agreement.",
            examples=["{{ item.label }}"],
            # Who does not know of it need not hear of it.
            exclude_if=lambda written: written is None,
        ),
    ] = None


ALL: Final = "all"
NO_SLICE: Final = "no-slice"
SLICES_MAX: Final = 63
"""A row's membership is one number with a bit for each."""


def _mapping_or_words(where: object) -> str:
    return "words" if isinstance(where, str) else "mapping"


class Slice(Closed):
    """A named subset of the rows, by what their items say; a row may be in several, or in none."""

    name: Name
    description: Annotated[str, Field(max_length=4096)] = ""
    where: Annotated[
        # What is in the mapping is looked at by the grammar, whose sentences name the place.
        Annotated[dict[str, Any], Tag("mapping")] | Annotated[str, Tag("words")],
        Discriminator(_mapping_or_words),
        Field(
            description="The grammar of filters over the fields of the item: `{level: hard}`, `length > 100`."
            " A row without the field is not in the slice.",
            examples=[{"level": {"$in": ["hard", "harder"]}}, 'level:"hard" AND steps > 5'],
        ),
    ]

    @model_validator(mode="after")
    def _not_reserved(self) -> Self:
        if self.name in (ALL, NO_SLICE):
            raise ValueError(f"{self.name!r} is reserved: it needs no predicate")
        return self


Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600)]

ROW_SECONDS_MAX = 1500.0
"""A row waits no longer for its answer: a broker takes a chunk back from who holds it for half an hour."""


class Params(Closed):
    """How a job runs; none of it changes what a score means."""

    parallelism: Annotated[
        int, Field(ge=1, le=1024, description="Calls to live models at once, over all evaluators.")
    ] = 8
    limit_samples: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="Only the first N rows of each dataset."),
    ] = None
    repeats: Annotated[
        int, Field(ge=1, le=100, description="How often a live model is asked for each row.")
    ] = 1
    max_retries: Annotated[
        int, Field(ge=0, le=20, description="Calls after the first that failed, for each row.")
    ] = 3
    request_timeout: Annotated[
        Seconds, Field(description="What one call may take, in seconds.")
    ] = 30.0
    row_timeout: Annotated[
        float,
        Field(
            gt=0, le=ROW_SECONDS_MAX, description="What a row's calls and pauses may take together."
        ),
    ] = 300.0
    ignore_request_failure: Annotated[
        bool | None,
        Field(
            description="false: the first row without an answer ends the job; true: none ever does;"
            " absent: a live model whose first 50 rows all fail ends it."
        ),
    ] = None
    max_row_error_ratio: Annotated[
        Annotated[float, Field(ge=0, le=1)] | None,
        Field(description="End the job in error when a larger share of its rows failed."),
    ] = None
    deadline: Annotated[
        Seconds | None,
        Field(description="End the job in error when it runs longer, pauses included."),
    ] = None
    budget: Annotated[
        Annotated[float, Field(gt=0)] | None,
        Field(
            description="End the job when its calls cost more, in the unit of the models' prices."
        ),
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


class _BenchmarkHead(Closed):
    name: Name
    description: Annotated[str, Field(max_length=4096)] = ""


class _BenchmarkTail(Closed):
    slices: Annotated[
        tuple[Slice, ...],
        Field(
            max_length=SLICES_MAX,
            description="Named subsets of the rows, each with scores of its own.",
            # So that a command without them is the same that it was before there were any.
            exclude_if=lambda slices: not slices,
        ),
    ] = ()
    params: Params = Params()
    labels: Labels = {}


class Benchmark(_BenchmarkTail, _BenchmarkHead):
    """Every model runs on every dataset with every metric; everything in it is written out."""

    datasets: Annotated[tuple[Dataset, ...], Field(min_length=1, max_length=64)]
    models: Annotated[tuple[Plugin, ...], Field(min_length=1, max_length=64)]
    metrics: Annotated[tuple[MetricPlugin, ...], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        _refuse_doubles("datasets", self.datasets)
        _refuse_doubles("models", self.models)
        _refuse_doubles("metrics", self.metrics)
        _refuse_doubles("slices", self.slices)
        return self


def _written_or_named(thing: object) -> str:
    return "named" if isinstance(thing, str) else "written"


# Told apart by sight, so that what is wrong with one is not reported as wrong for the other as well.
DatasetOrName = Annotated[
    Annotated[Dataset, Tag("written")] | Annotated[Reference, Tag("named")],
    Discriminator(_written_or_named),
]
PluginOrName = Annotated[
    Annotated[Plugin, Tag("written")] | Annotated[Reference, Tag("named")],
    Discriminator(_written_or_named),
]
MetricOrName = Annotated[
    Annotated[MetricPlugin, Tag("written")] | Annotated[Reference, Tag("named")],
    Discriminator(_written_or_named),
]


class BenchmarkFile(_BenchmarkTail, _BenchmarkHead):
    """A benchmark as people write it: what is saved in the catalogue may stand there as `workspace/name`."""

    datasets: Annotated[tuple[DatasetOrName, ...], Field(min_length=1, max_length=64)]
    models: Annotated[tuple[PluginOrName, ...], Field(min_length=1, max_length=64)]
    metrics: Annotated[tuple[MetricOrName, ...], Field(min_length=1, max_length=64)]

    @property
    def is_written_out(self) -> bool:
        return not any(
            isinstance(part, str) for part in (*self.datasets, *self.models, *self.metrics)
        )

    def written_out(self) -> Benchmark:
        """The same as a Benchmark; raises ValidationError if something is only named."""
        return Benchmark.model_validate_json(self.model_dump_json())


IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=255)] | None,
    Field(description="The same key and content give the same job; by default the message id."),
]


class StartBenchmark(Closed):
    """Run a benchmark: the body of the command, and the parameters of `jobs.start`."""

    benchmark: Annotated[
        Annotated[BenchmarkFile, Tag("written")] | Annotated[Reference, Tag("named")],
        Discriminator(_written_or_named),
    ]
    job: Annotated[Name | None, Field(description="The job's name; made up when absent.")] = None
    workspace: Annotated[
        Name | None, Field(description="By default that of a saved benchmark, else `default`.")
    ] = None
    labels: Labels = {}
    params: Annotated[
        Params | None, Field(description="What is given takes the place of the benchmark's own.")
    ] = None
    idempotency_key: IdempotencyKey = None

    @property
    def job_workspace(self) -> str:
        """Where the job will be."""
        if self.workspace is not None:
            return self.workspace
        if isinstance(self.benchmark, str):
            return self.benchmark.partition("/")[0]
        return DEFAULT_WORKSPACE


ScoreDirection = Literal["higher", "lower", "none"]
