"""What explanations say beside findings: of the data, of single rows, of models side by side, and of errors."""

import random
from collections.abc import Sequence

import pytest

from evalbus.store.ports import AskedOfModel
from evalbus_schemas.explanations import DatasetExplanation, ScoreExplanation
from tests.explained import (
    EXACT,
    NAN,
    WER,
    a_job_to_explain,
    an_answer,
    explained,
    rows_of,
)

TIMEOUT = {"metric": None, "stage": "sample", "code": "timeout", "message": "no answer within 30 s"}
UNPARSABLE = {
    "metric": "exact",
    "stage": "metric",
    "code": "unparsable",
    "message": "no number in 'x'",
}
OTHERS = {"metric": "other", "stage": "metric", "code": "broken", "message": "it broke"}


def one_score(*scores: Sequence[float], direction: str = "higher") -> ScoreExplanation:
    """Of as many models as there are lists of scores."""
    models = tuple(f"m{number}" for number in range(len(scores)))
    metric = EXACT if direction == "higher" else WER
    job = a_job_to_explain(len(scores[0]), models=models, metrics=(metric,))
    items = [{"question": f"question {number}"} for number in range(len(scores[0]))]
    answers = [[an_answer(value, text=f"answer {value}") for value in given] for given in scores]
    return explained(job, rows_of(items, *answers)).metric_dependent[0]


def data_of(items: Sequence[object], **changes: object) -> DatasetExplanation:
    job = a_job_to_explain(len(items))
    answers = [an_answer(1.0) for _ in items]
    return explained(job, rows_of(items, answers)).metric_independent[0]  # type: ignore[arg-type]  # hostile on purpose


# --- of the data --------------------------------------------------------------------------------


def test_fields_are_told_with_what_is_missing_empty_and_of_several_types() -> None:
    data = data_of([{"a": "x", "b": 1, "c": None}, {"a": " ", "b": "1"}, {"a": "y", "b": 2.5}])

    fields = {field.name: field for field in data.fields.fields}
    assert set(fields) == {"a", "b"}
    assert (fields["a"].missing, fields["a"].empty, fields["a"].types) == (0, 1, {"text": 3})
    assert fields["b"].types == {"number": 2, "text": 1}
    assert fields["b"].values is not None
    assert (fields["b"].values.least, fields["b"].values.largest) == (1.0, 2.5)
    assert '"a" is empty in 1 row (33.3 %)' in data.fields.text
    assert '"b" has values of several types' in data.fields.text


def test_texts_are_measured() -> None:
    data = data_of([{"q": "1,234 sheep"}, {"q": "two"}, {"q": "a b c d"}])

    (length,) = data.lengths.fields
    assert (length.characters.least, length.characters.largest) == (3, 11)
    assert (length.words.least, length.words.largest) == (1, 4)
    assert length.largest_number is not None
    assert (length.largest_number.count, length.largest_number.largest) == (1, 1234)


def test_rows_and_texts_that_come_again_are_counted() -> None:
    texts = [f"number {number}" for number in range(20)]
    items = [{"q": text, "n": 1} for text in (*texts, texts[0], texts[0], texts[1])]
    items[-1] = {"n": 2, "q": texts[1]}
    items.append({"n": 1, "q": texts[0]})

    data = data_of(items)

    assert data.duplicates.items == 3
    assert [(field.name, field.rows) for field in data.duplicates.fields] == [("q", 4)]


def test_scripts_are_told_by_their_letters() -> None:
    data = data_of([{"q": text} for text in ("Paris", "Москва", "東京", "القاهرة", "12 + 3", "né")])

    (scripts,) = data.scripts.fields
    assert scripts.rows == {"ARABIC": 1, "CJK": 1, "CYRILLIC": 1, "LATIN": 2, "none": 1}


def test_answers_are_told_with_those_that_are_empty_refused_or_failed() -> None:
    answers = [
        an_answer(0.0, text="I’m sorry, but I cannot help with that.", latency=0.5),
        an_answer(0.0, text="Es tut mir leid, das weiß ich nicht.", latency=1.5),
        an_answer(0.0, text="  "),
        an_answer(NAN, text=None, is_failed=True, errors=[TIMEOUT]),
        an_answer(1.0, text="I can: Paris."),
        None,
    ]
    job = a_job_to_explain(6, models=("live",))
    asked = AskedOfModel(calls=9, input_tokens=100, output_tokens=20, cost=0.25)
    dataset = type(job.datasets[0])(dataset_no=0, name="rows", n_rows=12, every=2, asked=[asked])
    job = type(job)(**(vars(job) | {"datasets": [dataset], "is_complete": False}))

    explanations = explained(job, rows_of([{"q": "x"}] * 6, answers))

    data = explanations.metric_independent[0]
    (told,) = data.answers.models
    assert (told.answers, told.empty, told.refusals, told.failed) == (5, 1, 2, 1)
    assert told.latency_seconds is not None
    assert (told.latency_seconds.least, told.latency_seconds.largest) == (0.5, 1.5)
    assert (told.calls, told.input_tokens, told.output_tokens, told.cost) == (9, 100, 20, 0.25)
    assert "2 like refusals (40 %)" in told.text
    assert (data.rows.looked_at, data.rows.of, data.rows.every) == (6, 12, 2)
    assert "one of every 2" in data.rows.text
    assert explanations.partial
    assert explanations.text.startswith("The job has not completed")


# --- of single rows -----------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "worst"), [("higher", [2, 0]), ("lower", [1, 3])])
def test_the_worst_rows_are_those_at_the_worse_end(direction: str, worst: list[int]) -> None:
    score = one_score([0.25, 1.0, 0.0, 0.5], direction=direction)

    (of_model,) = score.worst_rows.models
    assert [row.row_index for row in of_model.rows][:2] == worst
    assert of_model.rows[0].item == f"question {worst[0]}"
    assert of_model.rows[0].answer == f"answer {of_model.worst}"
    assert of_model.tied == 1


def test_the_rows_that_models_disagree_on_most_come_first() -> None:
    score = one_score([1.0, 0.5, NAN, 0.0], [1.0, 0.75, 0.0, 1.0])

    found = score.disagreements
    assert [row.row_index for row in found.between_models] == [3, 1]
    assert found.between_models[0].values == (0.0, 1.0)
    assert found.differing == 2


def test_rows_that_people_judged_otherwise_are_shown_with_what_they_said() -> None:
    job = a_job_to_explain(4, metrics=(EXACT | {"ground_truth": "{{ item.label }}"},))
    answers = [
        an_answer(1.0, truths=[1.0]),
        an_answer(0.0, truths=[1.0]),
        an_answer(0.5, truths=[NAN]),
        # The same, computed in another way.
        an_answer(0.1 + 0.2, truths=[0.3]),
    ]

    score = explained(job, rows_of([{"q": "x"}] * 4, answers)).metric_dependent[0]

    (one,) = score.disagreements.with_people
    assert (one.row.row_index, one.row.value, one.row.truth) == (1, 0.0, 1.0)
    assert "otherwise than people in 1 of 3 rows" in score.disagreements.text


# --- of models side by side ---------------------------------------------------------------------


def test_models_are_compared_pair_by_pair_over_the_rows_of_both() -> None:
    good = [1.0] * 40 + [0.0] * 20
    bad = [0.0] * 30 + [1.0] * 10 + [0.0] * 19 + [NAN]

    score = one_score(good, bad)

    (pair,) = score.models.pairs
    assert (pair.count, pair.better, pair.worse, pair.equal) == (59, 30, 0, 29)
    assert pair.difference == pytest.approx(30 / 59, abs=1e-5)
    assert pair.interval[0] < pair.difference < pair.interval[1]
    assert pair.p_adjusted < 1e-6
    assert pair.text.startswith("m0 scores 0.508 higher than m1 (95 % CI 0.37")
    assert [one.mean for one in score.summary.models] == pytest.approx([2 / 3, 10 / 59], abs=1e-5)
    assert score.summary.models[1].without_value == 1


def test_where_models_differ_otherwise_than_elsewhere_is_told_by_slice() -> None:
    chance = random.Random(4)
    hard = [number % 4 == 0 for number in range(400)]
    job = a_job_to_explain(400, models=("one", "two"), slices=("hard",))
    one = [an_answer(float(chance.random() < 0.8)) for _ in hard]
    two = [an_answer(float(chance.random() < (0.2 if is_hard else 0.8))) for is_hard in hard]

    explanations = explained(
        job, rows_of([{}] * 400, one, two, slices=[int(is_hard) for is_hard in hard])
    )

    (where,) = explanations.metric_dependent[0].models.where
    assert (where.model, where.against, where.feature) == ("team/one", "team/two", "slice:hard")
    assert where.inside.mean > 0.4 > where.outside.mean
    assert where.text.startswith("The lead of one over two is 0.")
    assert ' higher for rows in slice "hard" (95 % CI' in where.text


# --- of errors ----------------------------------------------------------------------------------


def test_errors_are_counted_by_code_with_examples_of_this_metric_only() -> None:
    answers = [
        an_answer(1.0, errors=[OTHERS]),
        an_answer(NAN, is_failed=True, errors=[TIMEOUT]),
        *(an_answer(NAN, errors=[UNPARSABLE, UNPARSABLE]) for _ in range(5)),
    ]
    job = a_job_to_explain(7)

    errors = explained(job, rows_of([{}] * 7, answers)).metric_dependent[0].errors

    assert [(one.stage, one.code, one.rows) for one in errors.categories] == [
        ("metric", "unparsable", 5),
        ("sample", "timeout", 1),
    ]
    assert [example.row_index for example in errors.categories[0].examples] == [2, 3, 4]
    assert errors.categories[0].text == (
        "small: no value for 5 rows (71.4 %), unparsable: no number in 'x'"
    )


def test_scores_are_called_so_that_no_two_of_a_job_are_called_alike() -> None:
    several = {"name": "rouge", "type": "rouge", "reference": "{{ item.reference }}"}
    job = a_job_to_explain(1, metrics=(EXACT, several), datasets=("one", "two"))
    rows = rows_of([{}], [an_answer(*[0.5] * 6)])

    explanations = explained(job, rows, rows)

    names = [score.score_id for score in explanations.metric_dependent]
    assert len(names) == len(set(names)) == 12
    assert names[:2] == ["one/exact", "one/rouge:rouge_1_score"]
    assert {score.dataset for score in explanations.metric_dependent} == {"team/one", "team/two"}
