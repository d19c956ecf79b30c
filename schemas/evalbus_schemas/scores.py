"""What a result says about one (dataset, model, metric): statistics over its rows."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from evalbus_schemas.base import JsonObject, Open
from evalbus_schemas.names import Reference

Count = Annotated[int, Field(ge=0)]
ScoreType = Literal["range", "rubric"]
ScoreScope = Literal["row", "corpus"]

Counts = tuple[int, ...] | dict[str, int]
"""What a row adds to a score of the whole: integers by place or by name, so that any order of adding gives the same."""


class Signature(Open):
    """What a value depends on beside the row: values with the same signature can be compared.

    `parameters` has every parameter, defaults included; `libraries` the releases of those that do the work.
    """

    type: str
    version: str
    parameters: JsonObject
    libraries: dict[str, str] = {}


PERCENTILES: Final = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
PERCENTILE_METHOD: Final = "hyndman-fan-6"
"""Position (p/100)(n+1) - 1 among the sorted values, linear in between, kept inside (Hyndman and Fan 1996, type 6)."""
HISTOGRAM_BINS: Final = 10


class Percentiles(Open):
    """Of the values that are numbers; `method` names the definition, because there are nine."""

    method: Literal["hyndman-fan-6"] = PERCENTILE_METHOD
    p10: float
    p20: float
    p30: float
    p40: float
    p50: float
    p60: float
    p70: float
    p80: float
    p90: float
    p100: float


class HistogramBin(Open):
    """Half-open, but for the last, which holds its upper bound as well."""

    lower_bound: float
    upper_bound: float
    count: Count


class Histogram(Open):
    """Ten bins of equal width from the least to the largest value, one if all are equal; the counts sum to `count`."""

    bins: tuple[HistogramBin, ...]


class RubricCount(Open):
    """How many rows got this label; also a label that nobody got is listed."""

    label: str
    description: str | None = None
    value: float
    count: Count


class Agreement(Open):
    """How a score agrees with what people said of the same rows, over the `count` rows that have both.

    A measure is null where it is not defined: without rows, a correlation where one side never varies, and kappas and
    `alpha` where both sides say one and the same of every row. These are 1 for perfect agreement and 0 for what chance
    would give, and can be negative. Categories are the labels of a rubric and the distinct values; of more than
    CATEGORIES_MAX there is no kappa, for they are measurements. `alpha_level` is ordinal for a rubric of more than two
    labels, else nominal for at most two categories (of which every level gives the same), else interval.
    """

    count: Count
    without_truth: Annotated[
        Count, Field(description="Rows with a value of which people said nothing.")
    ]
    without_value: Annotated[
        Count, Field(description="Rows of which people said something that have no value.")
    ]
    raw: Annotated[float | None, Field(description="The share of rows where both say the same.")]
    kappa: Annotated[float | None, Field(description="Cohen 1960: categories without an order.")]
    weighted_kappa: Annotated[
        float | None,
        Field(
            description="Cohen 1968, quadratic weights: categories in the order of their values."
        ),
    ]
    alpha: Annotated[float | None, Field(description="Krippendorff, at `alpha_level`.")]
    alpha_level: Literal["nominal", "ordinal", "interval"]
    pearson: float | None
    spearman: float | None
    mean_difference: Annotated[
        float | None, Field(description="The score less what people said: its bias.")
    ]
    mean_absolute_difference: float | None


CATEGORIES_MAX: Final = 64


class ScoreStatistics(Open):
    """Population statistics of one score over the rows of a (dataset, model); null where there is none.

    `n_rows = count + nan_count`; failed rows are among the NaN ones. Fields that were not asked for are null too.

    A score of scope `corpus` is one value for all rows together, from counts that add up: `value`, and the same as
    `mean`, over the `count` rows that took part. It has no minimum, maximum, spread, percentiles or histogram.
    """

    name: str
    scope: ScoreScope = "row"
    count: Count
    nan_count: Count | None = None
    n_rows: Count | None = None
    n_failed: Count | None = None
    sum: float | None = None
    mean: float | None = None
    value: Annotated[float | None, Field(description="Of a score of scope `corpus`.")] = None
    confidence_interval: Annotated[
        tuple[float, float] | None, Field(description="Of a score of scope `corpus`.")
    ] = None
    min: float | None = None
    max: float | None = None
    variance: float | None = None
    std_dev: float | None = None
    mean_failures_as_worst: Annotated[
        float | None,
        Field(
            description="The mean if every failed row had the worst value of the metric's range; null without a range."
        ),
    ] = None
    score_type: ScoreType | None = None
    percentiles: Percentiles | None = None
    histogram: Histogram | None = None
    rubric_distribution: tuple[RubricCount, ...] | None = None
    mode_category: Annotated[
        str | None,
        Field(description="The most frequent label, the first of the alphabet among equals."),
    ] = None
    agreement: Annotated[
        Agreement | None, Field(description="With the ground truth of the metric, if it has one.")
    ] = None

    def to_dict(self) -> dict[str, Any]:
        """Every field by name, as a row of a table wants them; None for one that was not asked for."""
        return dict.fromkeys(type(self).model_fields) | self.model_dump()

    @model_serializer(mode="wrap")
    def _as_asked(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A field that was not asked for is left out; one that has no value is null."""
        written: dict[str, Any] = serialize(self)
        return {name: value for name, value in written.items() if name in self.model_fields_set}


class MetricResult(Open):
    """The scores of one metric for one model on one dataset.

    More than one signature means that evaluators with different releases scored it.
    """

    dataset: Reference
    model: Reference
    metric: Reference
    scores: tuple[ScoreStatistics, ...]
    signatures: tuple[Signature, ...] = ()
    detail: Annotated[
        JsonObject | None,
        Field(description="What the corpus scores come from, such as a confusion matrix."),
    ] = None
