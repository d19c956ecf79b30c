"""Several judges: what they come to, and how far they agree."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Columns, Metric, build_metric
from evalbus.metrics.judges.combining import majority, mean
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin

JUDGE = {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"}
STARS = {"name": "stars", "minimum": 1, "maximum": 5}
TONE = {
    "name": "tone",
    "rubric": [
        {"label": "bad", "value": 0},
        {"label": "fair", "value": 1},
        {"label": "good", "value": 4},
    ],
}


def judges(n: int, *scores: dict[str, Any], **parameters: Any) -> Metric:
    models = [JUDGE | {"model": f"small-{number}"} for number in range(n)]
    written = {"models": models, "scores": list(scores)}
    return build_metric(a_plugin("llm-judge", **written | parameters), RowLimits())


def scored(metric: Metric, *said: str) -> Columns:
    answers: list[JsonObject] = [{"output_text": text} for text in said]
    return metric.score(Batch([{}], [{"output_text": "x"}], [answers]))


def stars(*values: float) -> list[str]:
    return [f'{{"stars": {value}}}' for value in values]


def tones(*labels: str) -> list[str]:
    return [f'{{"tone": "{label}"}}' for label in labels]


def values(columns: Columns) -> list[float]:
    return [column[0] for column in columns.values]


@pytest.mark.parametrize(
    ("said", "value", "agreement"),
    [
        ((3, 3, 3), 3, 1),
        ((1, 5), 3, 0),
        ((1, 3, 5), 3, 1 - (2 + 4 + 2) / 3 / 4),
        ((2, 2, 4), 8 / 3, 1 - (0 + 2 + 2) / 3 / 4),
    ],
)
def test_numbers_come_to_their_mean(
    said: tuple[float, ...], value: float, agreement: float
) -> None:
    # when
    columns = scored(judges(len(said), STARS), *stars(*said))

    # then
    assert values(columns) == pytest.approx([value, agreement])
    assert not columns.notes


@pytest.mark.parametrize(
    ("said", "value", "label", "agreement"),
    [
        (("good", "good", "bad"), 4, "good", 1 / 3),
        (("good", "good", "good"), 4, "good", 1),
        # Each stands once; the mean is 5/3, and 1 is the nearest to it.
        (("bad", "fair", "good"), 1, "fair", 0),
        # bad and good stand twice; the mean is 9/5.
        (("bad", "good", "bad", "good", "fair"), 0, "bad", 0.2),
    ],
)
def test_labels_come_to_the_most_frequent_and_then_the_nearest_to_the_mean(
    said: tuple[str, ...], value: float, label: str, agreement: float
) -> None:
    # when
    columns = scored(judges(len(said), TONE), *tones(*said))

    # then
    assert values(columns) == pytest.approx([value, agreement])
    assert columns.remarks[0, 0].label == label


def test_judges_that_are_evenly_divided_give_no_score_but_how_far_they_agree() -> None:
    # when
    columns = scored(judges(2, TONE), *tones("good", "bad"))

    # then
    value, agreement = values(columns)
    assert math.isnan(value)
    assert agreement == 0
    assert columns.notes[0].code == "tie"
    assert "good, bad" in columns.notes[0].message


def test_labels_may_be_combined_to_a_mean_which_is_no_label() -> None:
    # given
    metric = judges(2, TONE, combine="mean")

    # when
    columns = scored(metric, *tones("good", "bad"))

    # then
    assert values(columns) == [2, 0]
    assert columns.remarks[0, 0].label is None
    assert metric.scores[0].rubric == ()
    assert (metric.scores[0].minimum, metric.scores[0].maximum) == (0, 4)


def test_numbers_may_be_combined_by_majority() -> None:
    metric = judges(3, STARS, combine="majority")

    assert values(scored(metric, *stars(5, 5, 1)))[0] == 5


def test_a_remark_says_who_said_what() -> None:
    # when
    columns = scored(judges(2, TONE, STARS), *(f'{{"tone": "good", "stars": {n}}}' for n in (4, 5)))

    # then
    tone, rating = columns.remarks[0, 0], columns.remarks[0, 2]
    assert tone.detail == {
        "judges": [
            {"judge": "judge-1", "value": 4.0, "label": "good"},
            {"judge": "judge-2", "value": 4.0, "label": "good"},
        ]
    }
    assert rating.detail == {
        "judges": [{"judge": "judge-1", "value": 4.0}, {"judge": "judge-2", "value": 5.0}]
    }
    assert rating.rationale == (
        'judge-1: {"tone": "good", "stars": 4}\n\njudge-2: {"tone": "good", "stars": 5}'
    )


def test_long_rationales_share_their_room() -> None:
    # when
    columns = scored(judges(3, STARS), *["a" * 10_000, "b" * 10_000, "c" * 10_000])

    # then
    rationale = columns.remarks[0, 0].rationale
    assert rationale is not None
    assert 8100 < len(rationale) <= 8192
    assert rationale.count("a") > 2700 < rationale.count("c")


def test_one_judge_without_a_value_leaves_the_row_without_one_and_is_named() -> None:
    # given
    models = [JUDGE | {"name": "strict"}, JUDGE | {"name": "kind"}]
    metric = build_metric(a_plugin("llm-judge", models=models, scores=[STARS]), RowLimits())

    # when
    columns = scored(metric, '{"stars": 4}', "I would rather not say.")

    # then
    assert all(math.isnan(value) for value in values(columns))
    assert columns.notes[0].code == "unparsable"
    assert "kind said 'I would rather not say.'" in columns.notes[0].message
    assert columns.remarks[0, 0].detail == {
        "judges": [
            {"judge": "strict", "value": 4.0},
            {"judge": "kind", "value": None, "problem": "unparsable"},
        ]
    }


def test_a_score_without_a_value_leaves_the_others_theirs() -> None:
    # when
    columns = scored(judges(1, STARS, TONE), '{"stars": 4, "tone": "odd"}')

    # then
    assert values(columns) == pytest.approx([4, math.nan], nan_ok=True)
    assert columns.notes[0].code == "unknown_label"
    assert columns.notes[0].message.startswith("tone: 'odd' is none of bad, fair, good")


@pytest.mark.parametrize("answers", [[], [None, None], [{"output_text": "{}"}, None], [{}, {}]])
def test_a_row_that_not_all_judges_answered_has_no_score(answers: list[Any]) -> None:
    # when
    columns = judges(2, STARS).score(Batch([{}], [{"output_text": "x"}], [answers]))

    # then
    assert all(math.isnan(value) for value in values(columns))
    assert columns.notes[0].code == "unparsable"


def test_agreement_is_declared_for_several_judges_alone() -> None:
    assert [score.name for score in judges(1, STARS).scores] == ["stars"]
    metric = judges(2, STARS, TONE)
    assert [score.name for score in metric.scores] == [
        "stars",
        "stars_agreement",
        "tone",
        "tone_agreement",
    ]
    assert metric.scores[1].direction == "none"


def test_names_that_would_mean_two_scores_or_two_judges_are_refused() -> None:
    with pytest.raises(Invalid, match="two scores have the same name"):
        judges(2, STARS, STARS | {"name": "stars_agreement"})
    with pytest.raises(Invalid, match="two of the models have the same name"):
        judges(2, STARS, models=[JUDGE, JUDGE | {"name": "judge-1"}])


def test_extreme_ranges_are_computed_exactly() -> None:
    # given
    wide = {"name": "stars", "minimum": -1.7e308, "maximum": 1.7e308}

    # when
    columns = scored(judges(2, wide), *stars(1.7e308, 1.7e308))

    # then
    assert values(columns) == [1.7e308, 1]


def test_repeats_of_a_label_come_to_a_label() -> None:
    (score,) = judges(1, TONE).scores

    assert score.over_repeats([0, 4, 4]) == 4
    assert score.over_repeats([math.nan, 1]) == 1
    assert math.isnan(score.over_repeats([math.nan]))
    assert math.isnan(score.over_repeats([0, 1]))


FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8)


@given(said=FINITE, seed=st.randoms())
def test_the_order_of_judges_is_no_matter(said: list[float], seed: Any) -> None:
    # given
    shuffled = list(said)
    seed.shuffle(shuffled)

    # then
    assert mean(said) == mean(shuffled)
    assert majority(said) == majority(shuffled)
    assert min(said) <= mean(said) <= max(said)
