"""What people said of a score: where a metric may name it, and how whatever stands there reads as a number."""

import pytest

from evalbus.errors import Invalid
from evalbus.metrics import build_metric, ground_truths_of, layout_of, signature_of
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits
from tests.builders import a_benchmark
from tests.scoring import a_plugin, exact_match

LABEL = "{{ item.label }}"
JUDGE = a_plugin(
    "llm-judge",
    name="judge",
    model={"type": "openai", "url": "http://127.0.0.1:1/v1", "model": "judge-1"},
    scores=[
        {
            "name": "tone",
            "rubric": [
                {"label": "Good", "value": 3},
                {"label": "middling", "value": 2},
                {"label": "bad", "value": 1},
                {"label": "BAD", "value": 0},
                {"label": "7", "value": -1},
            ],
        },
        {"name": "length", "minimum": 0, "maximum": 10},
    ],
)
ROUGE = a_plugin("rouge", reference="{{ item.reference }}")
BLEU = a_plugin("bleu", references=["{{ item.reference }}"])


def with_truth(plugin: MetricPlugin, truth: str | dict[str, str]) -> MetricPlugin:
    return MetricPlugin.model_validate(plugin.model_dump() | {"ground_truth": truth})


def read(value: object, plugin: MetricPlugin = JUDGE) -> float | None:
    """As what people said of the metric's first score."""
    limits = RowLimits()
    metric = build_metric(plugin, limits)
    told = with_truth(plugin, {metric.scores[0].name: LABEL})
    (truth,) = ground_truths_of(told, metric, limits)
    return truth.read(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.25, 0.25),
        (-0.0, 0.0),
        (True, 1.0),
        (False, 0.0),
        ("0.25", 0.25),
        (" 4 ", 4.0),
        ("-3", -3.0),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("85 %", 85.0),
        ("$5", 5.0),
        ("1e-2", 0.01),
        ("٣", 3.0),
        ("true", 1.0),
        ("False", 0.0),
        (" TRUE\n", 1.0),
    ],
)
def test_a_value_reads_as_the_number_that_it_is(value: object, number: float) -> None:
    assert read(value, exact_match()) == number


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "%",
        "null",
        "n/a",
        "nan",
        "inf",
        "1e999",
        float("nan"),
        float("inf"),
        "5 stars",
        "1 2",
        "16-3",
        "4.",
        "yes",
        "Good",
        [],
        [1],
        {},
        {"value": 1},
    ],
)
def test_what_is_no_number_says_nothing(value: object) -> None:
    assert read(value, exact_match()) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("Good", 3.0),
        ("good", 3.0),
        (" GOOD\n", 3.0),
        ("bad", 1.0),
        ("BAD", 0.0),
        ("Bad", None),
        ("7", -1.0),
        (7, 7.0),
        ("2", 2.0),
        ("better", None),
        ("", None),
    ],
)
def test_a_label_reads_as_the_value_of_its_level(value: object, number: float | None) -> None:
    assert read(value) == number


def test_the_scores_of_several_metrics_stand_in_the_order_of_the_benchmark() -> None:
    # given
    of_rouge = with_truth(ROUGE, {"rouge_L_score": LABEL, "rouge_1_score": LABEL})
    benchmark = a_benchmark(metrics=(of_rouge, BLEU, with_truth(exact_match(), LABEL)))

    # when
    layout = layout_of(benchmark)

    # then
    assert layout.with_truth == (
        ("rouge", "rouge_1_score"),
        ("rouge", "rouge_L_score"),
        ("exact-match", "exact-match"),
    )
    assert layout_of(a_benchmark(metrics=(ROUGE, BLEU))).with_truth == ()


@pytest.mark.parametrize(
    ("plugin", "truth", "words"),
    [
        (JUDGE, LABEL, r"metric 'judge', ground_truth: .*\(known: tone, length\)"),
        (JUDGE, {"tune": LABEL}, r"metric 'judge', ground_truth: .*'tune'; did you mean 'tone'"),
        (BLEU, {"corpus": LABEL}, r"metric 'bleu', ground_truth: 'corpus' .* all rows together"),
        (exact_match(), "{{ item.", r"metric 'exact-match', ground_truth: not a template"),
        (JUDGE, {"tone": "{{"}, r"metric 'judge', ground_truth\.tone: not a template"),
    ],
)
def test_a_ground_truth_of_no_score_of_a_row_is_refused(
    plugin: MetricPlugin, truth: str | dict[str, str], words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        layout_of(a_benchmark(metrics=(with_truth(plugin, truth),)))


def test_a_value_does_not_depend_on_what_people_said() -> None:
    plain, told = exact_match(), with_truth(exact_match(), LABEL)

    assert signature_of(told, build_metric(told, RowLimits())) == signature_of(
        plain, build_metric(plain, RowLimits())
    )
