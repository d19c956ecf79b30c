"""What the stored rows of a job say about its scores: in words a person can read, and numbers a program can use.

Every part has its sentence in `text`. Counts are of rows that were looked at, unless a field says otherwise; figures are
rounded to six significant digits.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from evalbus_schemas.base import Open
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.names import Reference
from evalbus_schemas.scores import Count

LEVEL: Final = 0.05
"""The chance that a job without any effect at all gives a finding: p-values are adjusted over all looks (Holm 1979)."""

Share = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[float, float]
GoesWith = Literal["worse", "better", "lower", "higher"]
"""Lower and higher only of a score that has no direction."""


class Spread(Open):
    """Of the rows that have a number; percentiles are linear between neighbours."""

    count: Count
    least: float
    p10: float
    p50: float
    p90: float
    largest: float


# --- what the data says, whatever the metrics ---------------------------------------------------------


class RowsSeen(Open):
    """Of a large dataset each `every`th row is looked at. Items that are too long are counted, and not looked into."""

    looked_at: Count
    of: Count
    every: Annotated[int, Field(ge=1)]
    too_long: Count
    text: str


class FieldSeen(Open):
    """A field of the items by its path, `a.b` inside of objects; null is missing. `types` counts rows by JSON type."""

    name: str
    missing: Count
    empty: Annotated[
        Count, Field(description="Text without a visible character, and empty lists and objects.")
    ]
    types: dict[str, Count]
    values: Annotated[Spread | None, Field(description="Of a field of numbers.")]


class FieldsSeen(Open):
    fields: tuple[FieldSeen, ...]
    text: str


class TextLength(Open):
    """How long the texts of one field are."""

    name: str
    characters: Spread
    words: Spread
    largest_number: Annotated[
        Spread | None, Field(description="That stands in each text, if one does.")
    ]


class Lengths(Open):
    fields: tuple[TextLength, ...]
    text: str


class Repeated(Open):
    """Rows whose text in a field is that of an earlier row, letter by letter."""

    name: str
    rows: Count


class Duplicates(Open):
    """Rows that repeat an earlier one: the whole item, or the text of one field."""

    items: Count
    fields: tuple[Repeated, ...]
    text: str


class ScriptsOfField(Open):
    """In which script most letters of each text are, such as LATIN or CYRILLIC: rows by script."""

    name: str
    rows: dict[str, Count]


class Scripts(Open):
    fields: tuple[ScriptsOfField, ...]
    text: str


class AnswersOfModel(Open):
    """What one model gave for the rows. `refusals` is a guess by the words that an answer begins with.

    Calls, tokens and cost are of all rows of the dataset, in the unit of the model's price; null for one that was not asked.
    """

    model: Reference
    answers: Count
    empty: Count
    refusals: Count
    failed: Count
    characters: Spread | None
    latency_seconds: Spread | None
    calls: Count | None
    input_tokens: Count | None
    output_tokens: Count | None
    cost: float | None
    text: str


class Answers(Open):
    models: tuple[AnswersOfModel, ...]
    text: str


class DatasetExplanation(Open):
    """What the data of one dataset says, whatever the metrics."""

    dataset: Reference
    rows: RowsSeen
    fields: FieldsSeen
    lengths: Lengths
    duplicates: Duplicates
    scripts: Scripts
    answers: Answers


# --- what goes with low values of one score -----------------------------------------------------------


class MeanOfModel(Open):
    model: Reference
    count: Count
    without_value: Count
    mean: float | None


class ScoreSummary(Open):
    metric: Reference
    score: str
    direction: ScoreDirection
    models: tuple[MeanOfModel, ...]
    text: str


class Side(Open):
    count: Count
    mean: float


class Driver(Open):
    """Something that goes with the score of a model, more than chance would have it.

    A `group` is inside where the feature holds, and outside where it does not. Of a `number` the upper third is inside
    (at least `above`) and the lower third outside (at most `up_to`), and `correlation` is that of the ranks (Spearman).
    `difference` is the mean inside less that outside, `cohens_d` the same in pooled standard deviations, which is what
    findings are sorted by. `interval` is the 95 % confidence interval of the difference taken by itself,
    `interval_of_all` the one that holds for all looks together (Bonferroni). `p` is that of a rank test, or Fisher's
    exact one where both sides have two values; `p_adjusted` is Holm's over all looks of the job.
    """

    model: Reference
    against: Annotated[
        Reference | None,
        Field(description="If given, what is looked at is the score of `model` less that of this."),
    ] = None
    feature: Annotated[str, Field(examples=["slice:hard", "item.question:characters"])]
    also: Annotated[
        tuple[str, ...],
        Field(description="Features that say nearly the same of the rows, and are left out."),
    ] = ()
    kind: Literal["group", "number"]
    goes_with: GoesWith
    inside: Side
    outside: Side
    above: float | None = None
    up_to: float | None = None
    difference: float
    interval: Interval
    interval_of_all: Interval
    cohens_d: float | None
    correlation: float
    correlation_interval: Interval
    p: float
    p_adjusted: float
    text: str


class Drivers(Open):
    """The strongest first. `looks` are those for this score; what they are adjusted over is told by the whole."""

    looks: Count
    found: tuple[Driver, ...]
    left_out: Annotated[Count, Field(description="Weaker findings that are not listed.")]
    text: str


class RowShown(Open):
    """A row, and what one model made of it; texts are cut."""

    row_index: Count
    row_id: str
    value: float
    truth: float | None
    item: str
    answer: str


class WorstOfModel(Open):
    """`tied` rows share the worst value; those that come first are listed."""

    model: Reference
    worst: float
    tied: Count
    rows: tuple[RowShown, ...]


class WorstRows(Open):
    models: tuple[WorstOfModel, ...]
    text: str


class ModelsDisagree(Open):
    """A row and what each model got, in the order of the benchmark; null without a value."""

    row_index: Count
    row_id: str
    values: tuple[float | None, ...]
    spread: float
    item: str


class PeopleDisagree(Open):
    """A row whose score is not what people said."""

    model: Reference
    row: RowShown


class Disagreements(Open):
    """The rows where values lie furthest apart: those of the models, and a score and what people said."""

    differing: Annotated[Count, Field(description="Rows for which the models differ at all.")]
    between_models: tuple[ModelsDisagree, ...]
    with_people: tuple[PeopleDisagree, ...]
    text: str


class PairCompared(Open):
    """Two models over the rows that both have a value for. `difference` is the mean of `model` less `against`.

    `better` and `worse` follow the metric's direction, or count higher as better; `p` is that of the exact sign test.
    """

    model: Reference
    against: Reference
    count: Count
    difference: float
    interval: Interval
    interval_of_all: Interval
    better: Count
    worse: Count
    equal: Count
    p: float
    p_adjusted: float
    text: str


class ModelsCompared(Open):
    """`where` has the slices in which two models differ otherwise than outside of them."""

    pairs: tuple[PairCompared, ...]
    where: tuple[Driver, ...]
    text: str


class ErrorExample(Open):
    row_index: Count
    row_id: str
    message: str


class ErrorCategory(Open):
    """Rows of one model without a value, by why: what failed, and the code of it."""

    model: Reference
    stage: Literal["sample", "metric"]
    code: str
    rows: Count
    share: Share
    examples: tuple[ErrorExample, ...]
    text: str


class Errors(Open):
    categories: tuple[ErrorCategory, ...]
    text: str


class ScoreExplanation(Open):
    """What goes with low values of one score on one dataset.

    `score_id` is `metric`, or `metric:score` where a metric has several; `dataset/` stands before it in a job of
    several datasets. So it is unique in its job.
    """

    score_id: str
    dataset: Reference
    summary: ScoreSummary
    drivers: Drivers
    worst_rows: WorstRows
    disagreements: Disagreements
    models: ModelsCompared
    errors: Errors


class Explanations(Open):
    """Computed from the stored rows alone: the same rows give the same explanations, to the byte."""

    metric_independent: tuple[DatasetExplanation, ...]
    metric_dependent: tuple[ScoreExplanation, ...]
    partial: Annotated[
        bool, Field(description="The job has not completed: this is about the rows it has.")
    ]
    looks: Annotated[
        Count, Field(description="Comparisons made in all; p-values are adjusted for them.")
    ]
    left_out: Annotated[
        Count, Field(description="Datasets and scores for which there was no room.")
    ]
    text: str
