"""What classification says of rows and of all of them: scikit-learn's numbers, and whatever an answer can be."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Columns, Whole, build_metric
from evalbus.testing import corpus_of, score_row
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import REFERENCE, a_plugin, one_score

AVERAGES = ("macro", "micro", "weighted")

LABELS = st.sampled_from(["a", "b", "c", "", "ש", "né"])
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30)


def classification(pairs: Sequence[tuple[str, str]], **parameters: Any) -> dict[str, float]:
    plugin: JsonObject = {"type": "classification", "reference": REFERENCE, **parameters}
    return corpus_of(plugin, rows=[({"reference": right}, answer) for right, answer in pairs])


def detail_of(pairs: Sequence[tuple[str, str]], **parameters: Any) -> JsonObject:
    metric = build_metric(
        a_plugin("classification", reference=REFERENCE, **parameters), RowLimits()
    )
    total: dict[str, int] = {}
    for right, answer in pairs:
        counts = metric.score(Batch([{"reference": right}], [{"output_text": answer}])).counts
        assert counts is not None
        assert isinstance(counts[0], dict)
        for name, number in counts[0].items():
            total[name] = total.get(name, 0) + number
    whole: Whole = metric.whole(total)
    assert whole.detail is not None
    return whole.detail


def of_scikit_learn(
    right: Sequence[str], answers: Sequence[str], labels: Sequence[str] | None = None
) -> dict[str, float]:
    from sklearn import metrics as sk  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        # It warns of every label that only one side has.
        warnings.simplefilter("ignore")
        found = {
            "accuracy": sk.accuracy_score(right, answers),
            "balanced_accuracy": sk.balanced_accuracy_score(right, answers),
            "mcc": sk.matthews_corrcoef(right, answers),
            "kappa": sk.cohen_kappa_score(right, answers),
        }
        for average in AVERAGES:
            precision, recall, f1, _ = sk.precision_recall_fscore_support(
                right, answers, labels=labels, average=average, zero_division=0
            )
            found |= {
                f"precision_{average}": precision,
                f"recall_{average}": recall,
                f"f1_{average}": f1,
            }
    return {name: float(value) for name, value in found.items()}


@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS)
def test_without_declared_labels_all_measures_are_those_of_scikit_learn(
    pairs: list[tuple[str, str]],
) -> None:
    # when
    found = classification(pairs)

    # then
    wanted = of_scikit_learn([right for right, _ in pairs], [answer for _, answer in pairs])
    assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(st.sampled_from("abc"), LABELS), min_size=1, max_size=30))
def test_declared_labels_are_what_scikit_learn_averages_over(pairs: list[tuple[str, str]]) -> None:
    # given
    labels = ["c", "a", "b", "never"]

    # when
    found = classification(pairs, labels=labels)

    # then
    answers = [answer if answer in labels else "__other__" for _, answer in pairs]
    wanted = of_scikit_learn([right for right, _ in pairs], answers, labels)
    assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_one_label_only_leaves_kappa_undefined_and_mcc_at_zero() -> None:
    # when
    found = classification([("a", "a"), ("a", "a")])

    # then
    assert math.isnan(found["kappa"])
    assert found["mcc"] == 0.0
    assert found["accuracy"] == found["f1_macro"] == 1.0


@pytest.mark.parametrize(
    ("normalize", "answer", "value"),
    [
        ("strip", " spam\n", 1.0),
        ("strip", "Spam", 0.0),
        ("casefold", " SPAM", 1.0),
        ("none", "spam ", 0.0),
        ("none", "spam", 1.0),
    ],
)
def test_labels_are_compared_after_their_normalization(
    normalize: str, answer: str, value: float
) -> None:
    # when
    found = one_score(
        "classification",
        {"reference": "spam", "output": answer},
        reference=REFERENCE,
        normalize=normalize,
        labels=["Spam", "ham"] if normalize == "casefold" else ["spam", "ham"],
    )

    # then
    assert found == (value, "")


@pytest.mark.parametrize(
    ("reference", "labels", "reason"),
    [
        (None, None, "no_reference"),
        ("spam", ["ham"], "unknown_label"),
        ("__other__", None, "unknown_label"),
        ("x" * 256, None, "unparsable"),
        ("a\x1fb", None, "unparsable"),
        ("a\nb", None, "unparsable"),
    ],
)
def test_a_reference_that_is_no_label_gives_no_score_and_is_not_counted(
    reference: str | None, labels: list[str] | None, reason: str
) -> None:
    # given
    metric = build_metric(
        a_plugin("classification", reference=REFERENCE, labels=labels), RowLimits()
    )

    # when
    columns: Columns = metric.score(Batch([{"reference": reference}], [{"output_text": "ham"}]))

    # then
    assert math.isnan(columns.values[0][0])
    assert columns.notes[0].code == reason
    assert columns.counts == [None]


@pytest.mark.parametrize("answer", ["y" * 1_000_000, "a\x1fb", "a\x00", "\ud800", "__other__"])
def test_an_answer_that_can_be_no_label_is_wrong_and_counts_as_other(answer: str) -> None:
    # when
    found = classification([("a", answer), ("a", "a"), ("b", "b")])

    # then
    wanted = of_scikit_learn(["a", "a", "b"], ["__other__", "a", "b"], ["a", "b"])
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize("value", [4, 4.5, True, [1, {"a": None}], {"b": 1}])
def test_what_is_no_text_is_a_label_as_its_json(value: Any) -> None:
    assert score_row(
        {"type": "classification", "reference": REFERENCE, "candidate": "{{ item.output }}"},
        item={"reference": value, "output": value},
    ) == {"correct": 1.0}


def test_the_matrix_has_references_down_and_answers_across() -> None:
    # when
    detail = detail_of([("a", "a"), ("a", "b"), ("b", "?")], labels=["b", "a"])

    # then
    assert detail["labels"] == ["b", "a"]
    assert detail["answers"] == ["b", "a", "__other__"]
    assert detail["matrix"] == [[0, 0, 1], [1, 1, 0]]
    assert detail["per_label"] == {
        "b": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
        "a": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
    }
    assert detail["labels_not_shown"] == 0


def test_of_very_many_labels_the_most_frequent_are_shown() -> None:
    # given
    pairs = [(str(number), "0") for number in range(150)] + [("149", "149"), ("149", "148")]

    # when
    detail = detail_of(pairs)

    # then
    labels, matrix = detail["labels"], detail["matrix"]
    assert isinstance(labels, list)
    assert isinstance(matrix, list)
    assert len(labels) == len(matrix) == 100
    assert {"0", "148", "149"} <= set(labels)
    assert detail["labels_not_shown"] == 50
    assert matrix[labels.index("149")] == [
        int(label in {"0", "148", "149"}) for label in [*labels, "__other__"]
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels: "),
        (["a", "a"], "the same"),
        (["a", " a"], "the same"),
        (["a", "__other__"], "__other__ stands for what is no label"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        build_metric(a_plugin("classification", reference=REFERENCE, labels=labels), RowLimits())
