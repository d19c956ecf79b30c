"""A report's material with defaults, and texts that try to be more than text."""

from typing import Any, Final

from evalbus.reporting import Material
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.explanations import (
    Answers,
    DatasetExplanation,
    Disagreements,
    Driver,
    Drivers,
    Duplicates,
    ErrorCategory,
    ErrorExample,
    Errors,
    Explanations,
    FieldsSeen,
    Lengths,
    MeanOfModel,
    ModelsCompared,
    ModelsDisagree,
    PairCompared,
    PeopleDisagree,
    RowShown,
    RowsSeen,
    ScoreExplanation,
    ScoreSummary,
    Scripts,
    Side,
    WorstOfModel,
    WorstRows,
)
from evalbus_schemas.exports import ExportedBenchmark, ExportHead
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import SliceScores
from evalbus_schemas.scores import (
    Agreement,
    Histogram,
    HistogramBin,
    MetricResult,
    RubricCount,
    ScoreStatistics,
    Signature,
)
from evalbus_schemas.usage import CallsMade, DatasetUsed, FailedByStage, ModelUsage
from tests.answers import NOON, a_job, a_result

HOSTILE: Final = (
    '<script>alert("x")</script>',
    "</td></tr></table></style><img src=http://evil.example/a.png onerror=alert(1)>",
    "![seen](http://evil.example/seen.png) [a](javascript:alert(1)) **bold** `code` | pipe \\| ~~gone~~",
    "&lt;b&gt; &amp; \" ' $x^2$ _not emphasis_ @everyone {{ 7 * 7 }} {% raw %}",
    "# no heading\n- no list\r\n1. nor this\n---\n| a | b |",
    "right to left \u202e txt.exe \u2066 and שלום مرحبا, family 👩‍👩‍👧, \x1b[31m red \x07 \x00",
    "long " + "x" * 10_000,
)


def a_score(
    name: str = "exact-match", *, mean: float | None = 0.75, **changes: Any
) -> ScoreStatistics:
    """Of a hundred rows that are 0 or 1."""
    right = None if mean is None else round(100 * mean)
    score = ScoreStatistics(
        name=name,
        count=100 if right is not None else 0,
        nan_count=0 if right is not None else 100,
        n_rows=100,
        n_failed=0,
        mean=mean,
        variance=None if mean is None else mean * (1 - mean),
        score_type="range",
        histogram=None
        if right is None
        else Histogram(
            bins=tuple(
                HistogramBin(
                    lower_bound=place / 10,
                    upper_bound=(place + 1) / 10,
                    count={0: 100 - right, 9: right}.get(place, 0),
                )
                for place in range(10)
            )
        ),
    )
    return score.model_copy(update=changes)


def an_agreement(**changes: Any) -> Agreement:
    agreement = Agreement(
        count=90,
        without_truth=10,
        without_value=0,
        raw=0.9,
        kappa=0.8,
        weighted_kappa=None,
        alpha=0.79,
        alpha_level="nominal",
        pearson=None,
        spearman=None,
        mean_difference=-0.05,
        mean_absolute_difference=0.1,
    )
    return agreement.model_copy(update=changes)


def scored(
    *scores: ScoreStatistics,
    model: str = "terse",
    metric: str = "exact-match",
    dataset: str = "capitals",
) -> MetricResult:
    return MetricResult(
        dataset=f"default/{dataset}",
        model=f"default/{model}",
        metric=f"default/{metric}",
        scores=scores or (a_score(),),
        signatures=(
            Signature(
                type=metric,
                version="1",
                parameters={"reference": "{{ item.reference }}"},
                libraries={"words": "1.0"},
            ),
        ),
    )


def a_material(**changes: Any) -> Material:
    """Two models, a judge that is validated against people, a corpus score, slices; nothing failed."""
    results = tuple(
        result
        for model, mean in (("terse", 0.9), ("chatty", 0.6))
        for result in (
            scored(a_score(mean=mean), model=model),
            scored(_judged(mean), model=model, metric="judge"),
            scored(
                _of_all_rows(mean * 50),
                model=model,
                metric="bleu",
            ),
        )
    )
    fields: dict[str, Any] = {
        "name": "capitals-1",
        "job": a_job(
            status=JobStatus.COMPLETED,
            rows=200,
            rows_total=200,
            started_at=NOON,
            finished_at=NOON.replace(minute=3, second=20),
            models=(a_usage("terse"), a_usage("chatty")),
        ),
        "result": a_result(
            results=results,
            rows=200,
            started_at=NOON,
            finished_at=NOON.replace(minute=3, second=20),
            data=(DatasetUsed(dataset="capitals", rows=100, digest="sha256:0123"),),
        ),
        "slices": tuple(
            SliceScores(slice=name, description=about, rows=rows, failed_rows=0, results=results)
            for name, about, rows in (
                ("all", "", 200),
                ("hard", "what people get wrong", 40),
                ("no-slice", "", 160),
            )
        ),
        "explanations": some_explanations(),
        "head": a_head(),
    }
    return Material(**(fields | changes))


def a_usage(model: str, **changes: Any) -> ModelUsage:
    usage = ModelUsage(
        model=f"default/{model}",
        display_name=model,
        is_live=True,
        rows_planned=100,
        rows=100,
        failed_rows=0,
        failed_by_stage=FailedByStage(),
        failure_rate=0.0,
        calls=101,
        retries=1,
        input_tokens=5000,
        output_tokens=400,
        cost=0.25,
        by_metrics=CallsMade(calls=100, input_tokens=9000, output_tokens=100, cost=0.5),
        latency_p50=0.4,
        latency_p95=1.5,
    )
    return usage.model_copy(update=changes)


def a_head() -> ExportHead:
    return ExportHead(
        benchmark_metadata=ExportedBenchmark(
            uid=7,
            name="capitals",
            description="Capitals of the world",
            created_at=NOON,
            created_by="somebody",
        ),
        execution=a_job(),
        partial=False,
        definition={
            "params": {"parallelism": 8, "limit_samples": None},
            "slices": [{"name": "hard", "where": {"level": "hard"}}],
        },
        datasets=("default/capitals",),
        models=("default/terse", "default/chatty"),
        scores=(),
        slices=(),
    )


def some_explanations(
    text: str = "Paris?", *, direction: ScoreDirection = "higher"
) -> Explanations:
    """One finding of every kind; `text` is what others wrote, wherever that stands."""
    row = RowShown(row_index=3, row_id=text[:60], value=0.0, truth=1.0, item=text, answer=text)
    driver = Driver(
        model="default/terse",
        feature=f"item.{text[:60]}:characters",
        kind="number",
        goes_with="worse",
        inside=Side(count=30, mean=0.5),
        outside=Side(count=30, mean=0.9),
        above=40.0,
        up_to=20.0,
        difference=-0.4,
        interval=(-0.6, -0.2),
        interval_of_all=(-0.7, -0.1),
        cohens_d=-0.9,
        correlation=-0.4,
        correlation_interval=(-0.5, -0.3),
        p=0.0001,
        p_adjusted=0.004,
        text=f"Longer {text} go with lower values.",
    )
    pair = PairCompared(
        model="default/chatty",
        against="default/terse",
        count=100,
        difference=-0.3,
        interval=(-0.4, -0.2),
        interval_of_all=(-0.45, -0.15),
        better=5,
        worse=35,
        equal=60,
        p=0.00001,
        p_adjusted=0.0004,
        text="chatty is worse than terse.",
    )
    return Explanations(
        metric_independent=(
            DatasetExplanation(
                dataset="default/capitals",
                rows=RowsSeen(looked_at=100, of=100, every=1, too_long=0, text=text),
                fields=FieldsSeen(fields=(), text="No field is missing."),
                lengths=Lengths(fields=(), text="Questions have 20 characters."),
                duplicates=Duplicates(items=0, fields=(), text="No row is there twice."),
                scripts=Scripts(fields=(), text="Everything is LATIN."),
                answers=Answers(models=(), text="Nobody refused."),
            ),
        ),
        metric_dependent=(
            ScoreExplanation(
                score_id="exact-match",
                dataset="default/capitals",
                summary=ScoreSummary(
                    metric="default/exact-match",
                    score="exact-match",
                    direction=direction,
                    models=(
                        MeanOfModel(model="default/terse", count=100, without_value=0, mean=0.9),
                        MeanOfModel(model="default/chatty", count=98, without_value=2, mean=0.6),
                    ),
                    text="terse is ahead.",
                ),
                drivers=Drivers(
                    looks=12, found=(driver,), left_out=0, text="One thing stands out."
                ),
                worst_rows=WorstRows(
                    models=(WorstOfModel(model="default/terse", worst=0.0, tied=10, rows=(row,)),),
                    text="10 rows are worst.",
                ),
                disagreements=Disagreements(
                    differing=30,
                    between_models=(
                        ModelsDisagree(
                            row_index=4, row_id=text[:60], values=(1.0, None), spread=1.0, item=text
                        ),
                    ),
                    with_people=(PeopleDisagree(model="default/terse", row=row),),
                    text="They differ in 30 rows.",
                ),
                models=ModelsCompared(pairs=(pair,), where=(), text="They differ."),
                errors=Errors(
                    categories=(
                        ErrorCategory(
                            model="default/chatty",
                            stage="metric",
                            code="no_reference",
                            rows=2,
                            share=0.02,
                            examples=(ErrorExample(row_index=7, row_id=text[:60], message=text),),
                            text="2 rows have no reference.",
                        ),
                    ),
                    text="2 rows have no value.",
                ),
            ),
        ),
        partial=False,
        looks=12,
        left_out=0,
        text="12 comparisons were made.",
    )


def _of_all_rows(value: float) -> ScoreStatistics:
    return ScoreStatistics(
        name="corpus", scope="corpus", count=100, nan_count=0, n_rows=100, mean=value, value=value
    )


def _judged(mean: float) -> ScoreStatistics:
    return a_score(
        "judge",
        mean=mean,
        histogram=None,
        score_type="rubric",
        rubric_distribution=(
            RubricCount(label="wrong", value=0.0, count=round(100 * (1 - mean))),
            RubricCount(label="right", value=1.0, count=round(100 * mean)),
        ),
        agreement=an_agreement(),
    )
