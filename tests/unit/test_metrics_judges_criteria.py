"""Rubrics, key facts, style and form: which criteria a judge is asked about, and what its findings come to."""

import json
import math
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Columns, LiveMetric, build_metric
from evalbus.metrics.judges.criteria import Criterion
from evalbus.metrics.judges.criteria_answers import Finding
from evalbus.metrics.judges.criteria_judge import share_of_points
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin

JUDGE: dict[str, Any] = {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"}
RUBRICS: JsonObject = {"names Paris": 3, "one sentence": 1}

KINDS = {
    "qa-rubrics": "rubrics",
    "key-facts": "key_facts",
    "style-rubrics": "style_rubrics",
    "format-rubrics": "format_rubrics",
}


def a_judge(type: str = "qa-rubrics", *, judges: int = 1, **parameters: Any) -> LiveMetric:
    models = [JUDGE | {"name": f"judge{number}"} for number in range(judges)]
    metric = build_metric(a_plugin(type, models=models, **parameters), RowLimits())
    assert isinstance(metric, LiveMetric)
    return metric


def an_item(criteria: Any = RUBRICS, type: str = "qa-rubrics") -> JsonObject:
    return {"question": "Capital of France?", KINDS[type]: criteria}


def decided(*met: object) -> str:
    """What a judge says that decides so, criterion by criterion."""
    entries = [
        {"number": number, "explanation": f"because {number}", "met": one}
        for number, one in enumerate(met, start=1)
    ]
    return json.dumps({"criteria": entries})


def scored(
    *said: str, criteria: Any = RUBRICS, metric: LiveMetric | None = None, output: Any = "Paris"
) -> Columns:
    judge = metric or a_judge(judges=len(said))
    answers: list[JsonObject] = [{"output_text": text} for text in said]
    return judge.score(Batch([an_item(criteria)], [{"output_text": output}], [answers]))


def one_value(*said: str, criteria: Any = RUBRICS) -> tuple[float, str]:
    columns = scored(*said, criteria=criteria)
    note = columns.notes.get(0)
    return columns.values[0][0], note.code if note else ""


def question_of(metric: LiveMetric, item: JsonObject, output: Any = "It is Paris.") -> Any:
    ((question, *_),) = metric.questions(Batch([item], [{"output_text": output}]))
    return question


@pytest.mark.parametrize("type", KINDS)
def test_a_judge_is_asked_about_numbered_criteria_and_the_text(type: str) -> None:
    # when
    question = question_of(a_judge(type), an_item(type=type))

    # then
    (message,) = question["messages"]
    assert "Criteria:\n1. names Paris\n2. one sentence\n" in message["content"]
    assert "=== The text to judge\nIt is Paris.\n===" in message["content"]
    assert '{"criteria": [{"number": 1, "explanation": "…", "met": true}, …]}' in message["content"]
    assert ("Capital of France?" in message["content"]) == (type == "qa-rubrics")


@pytest.mark.parametrize("type", KINDS)
def test_its_templates_are_those_that_a_benchmark_has(type: str) -> None:
    # given
    metric = a_judge(type, context="{{ item.std_answer }}")

    # then
    used = {name: template.text for name, template in metric.templates().items()}
    assert used["criteria"] == f"{{{{ item.{KINDS[type]} }}}}"
    assert used["candidate"] == "{{ sample.output_text }}"
    assert used["context"] == "{{ item.std_answer }}"


def test_what_rows_say_is_no_template() -> None:
    # given
    item: JsonObject = {
        "question": "{{ item }}",
        "rubrics": ["{% if x %}", "{{ sample }}"],
        "std_answer": "{#",
    }

    # when
    question = question_of(a_judge(context="{{ item.std_answer }}"), item, "{{ 1 }}")

    # then
    for text in ("{{ item }}", "1. {% if x %}\n2. {{ sample }}", "{#", "{{ 1 }}"):
        assert text in question["messages"][0]["content"]


def test_the_answer_has_a_schema() -> None:
    identity: Any = a_judge().respondents[0].identity()

    schema = identity["inference"]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["criteria"]["items"]["required"] == ["number", "explanation", "met"]
    bare: Any = a_judge(structured_output=False).respondents[0].identity()
    assert bare["inference"] == {"temperature": 0.0}


@pytest.mark.parametrize(
    ("met", "value"),
    [((True, True), 1), ((True, False), 0.75), ((False, True), 0.25), ((False, False), 0)],
)
def test_the_score_is_the_share_of_points(met: tuple[bool, bool], value: float) -> None:
    assert one_value(decided(*met)) == (value, "")


@pytest.mark.parametrize(
    ("met", "value"), [((True, True), 0.5), ((True, False), 1), ((False, True), 0)]
)
def test_points_below_0_are_taken_off(met: tuple[bool, bool], value: float) -> None:
    assert one_value(decided(*met), criteria={"right": 4, "rude": -2}) == (value, "")


@pytest.mark.parametrize(
    "criteria",
    [
        {"a": 3, "b": 1},
        [{"description": "a", "points": 3}, {"description": "b"}],
        {"criteria": [{"description": "a", "points": 3}, {"description": "b", "points": 1}]},
        '{"a": 3, "b": 1}',
        '[{"description": "a", "points": 3.0}, "b"]',
    ],
)
def test_criteria_may_be_written_in_several_ways(criteria: object) -> None:
    assert one_value(decided(True, False), criteria=criteria) == (0.75, "")


def test_key_facts_are_worth_the_same_unless_they_say_otherwise() -> None:
    # given
    metric = a_judge("key-facts")
    items: list[JsonObject] = [{"key_facts": ["a", "b", "a"]}, {"key_facts": {"a": 1, "b": 3}}]
    answers: list[list[JsonObject]] = [
        [{"output_text": decided(True, True, False)}],
        [{"output_text": decided(False, True)}],
    ]

    # when
    columns = metric.score(Batch(items, [{"output_text": "x"}] * 2, answers))

    # then
    assert columns.values[0] == [2 / 3, 0.75]
    assert [score.name for score in metric.scores] == ["recall"]


@pytest.mark.parametrize(
    ("criteria", "reason"),
    [
        (None, "no_reference"),
        ([], "no_reference"),
        ({}, "no_reference"),
        ({"criteria": []}, "no_reference"),
        ("null", "no_reference"),
        ([str(number) for number in range(65)], "too_many_criteria"),
        ({"a": 0}, "unparsable"),
        ({"a": -1}, "unparsable"),
        ({"a": "3"}, "unparsable"),
        ({"a": True}, "unparsable"),
        ({"a": None}, "unparsable"),
        ({"a": 1e300}, "unparsable"),
        ({"a": {"points": 1}}, "unparsable"),
        ({"": 1}, "unparsable"),
        (["a", None], "unparsable"),
        (["a", ["b"]], "unparsable"),
        ([{"points": 1}], "unparsable"),
        ([{"description": 4}], "unparsable"),
        ("be polite", "unparsable"),
        ('"be polite"', "unparsable"),
        (4, "unparsable"),
        (False, "unparsable"),
        ("[" * 100_000, "unparsable"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_row_without_criteria_that_can_be_met_is_not_asked_about(
    criteria: object, reason: str
) -> None:
    # when
    question = question_of(a_judge(), an_item(criteria))
    value, found = one_value(decided(True), criteria=criteria)

    # then
    assert question is None
    assert math.isnan(value)
    assert found == reason


def test_a_row_without_a_text_is_not_asked_about() -> None:
    # when
    columns = scored(decided(True, True), output=None)

    # then
    assert question_of(a_judge(), an_item(), None) is None
    assert math.isnan(columns.values[0][0])
    assert columns.notes[0].code == "no_candidate"


def test_as_many_criteria_as_there_may_be_are_asked_about() -> None:
    criteria = [f"fact {number}" for number in range(64)]

    assert "\n64. fact 63\n" in question_of(a_judge(), an_item(criteria))["messages"][0]["content"]
    assert one_value(decided(*[True] * 32, *[False] * 32), criteria=criteria) == (0.5, "")


def test_a_field_that_is_missing_fails_its_row_alone() -> None:
    # given
    batch = Batch([an_item(), {"question": "?"}], [{"output_text": "x"}] * 2)

    # when
    with pytest.raises(RowsFailed) as raised:
        a_judge().questions(batch)

    # then
    assert set(raised.value.errors) == {1}


@pytest.mark.parametrize(
    "said",
    [
        decided("true", "No"),
        '{"criteria": [{"number": "2", "met": false}, {"number": "1", "met": " YES "}]}',
        f"I went through them. ```json\n{decided(True, False)}\n``` That is all.",
        '{"criteria": [{"number": 1, "met": true, "explanation": 4}, {"number": 2, "met": false},'
        ' {"number": 1, "met": true}]}',
        f"<think>{decided(False, False)}</think>{decided(True, False)}",
    ],
)
def test_clear_answers_are_understood(said: str) -> None:
    assert one_value(said) == (0.75, "")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("All of them are met.", "no JSON"),
        ("[]", "nothing at $.criteria"),
        ('{"criteria": {}}', "no list"),
        ('{"criteria": []}', "nothing about criterion 1, 2"),
        ('{"criteria": [true, false]}', "no object"),
        (decided(True), "nothing about criterion 2"),
        (decided(True, False, True), "others as well"),
        (decided(True, None), "neither met nor not"),
        (decided(True, 1), "neither met nor not"),
        (decided(True, "partly"), "neither met nor not"),
        (decided(True, False).replace('"number": 2', '"number": 1'), "both met and not met"),
        (decided(True, False).replace('"number": 2', '"number": true'), "no number"),
        (decided(True, False).replace('"number": 2', '"number": 2.0'), "no number"),
        (decided(True, False).replace('"number": 2', '"number": "two"'), "no number"),
        (decided(True, False).replace('"number": 2', f'"number": "{"9" * 999}"'), "no number"),
        (decided(True, False).replace('"number": 2', '"number": 0'), "criterion 2"),
        (decided(True, False)[:-8], "no JSON"),
        ('{"criteria": ' * 50_000, "cannot be read|no JSON"),
    ],
    ids=lambda value: value[:24],
)
def test_an_answer_that_does_not_decide_about_every_criterion_gives_no_score(
    said: str, words: str
) -> None:
    # when
    columns = scored(said)

    # then
    assert math.isnan(columns.values[0][0])
    assert columns.notes[0].code == "unparsable"
    assert any(part in columns.notes[0].message for part in words.split("|"))
    assert columns.remarks[0, 0].rationale == (said if len(said) <= 8192 else said[:8191] + "…")


def test_a_remark_says_of_each_criterion_whether_it_is_met_and_why() -> None:
    # when
    columns = scored(decided(True, False))

    # then
    assert columns.remarks[0, 0].detail == {
        "judges": ["judge0"],
        "values": [0.75],
        "criteria": [
            {
                "criterion": "names Paris",
                "points": 3,
                "met": [True],
                "explanations": ["because 1"],
            },
            {
                "criterion": "one sentence",
                "points": 1,
                "met": [False],
                "explanations": ["because 2"],
            },
        ],
    }


def test_several_judges_come_to_the_mean_of_theirs_and_to_how_far_they_agree() -> None:
    # when
    columns = scored(decided(True, True), decided(True, False), decided(True, False))

    # then
    assert [column[0] for column in columns.values] == pytest.approx([2.5 / 3, (1 + 1 / 3) / 2])
    metric = a_judge(judges=3)
    assert [score.name for score in metric.scores] == ["qa-rubrics", "agreement"]
    detail = columns.remarks[0, 0].detail
    assert detail is not None
    assert detail["values"] == [1.0, 0.75, 0.75]


def test_one_judge_that_is_not_clear_leaves_the_row_without_a_score_and_is_named() -> None:
    # when
    columns = scored(decided(True, True), "No.")

    # then
    assert all(math.isnan(column[0]) for column in columns.values)
    assert columns.notes[0].message == "there is no JSON in it; judge1 said 'No.'"


def test_the_longest_detail_fits_into_what_is_kept() -> None:
    # given
    criteria = ["é👍" * 5000 + str(number) for number in range(64)]
    few_said, said = (
        decided(*[True] * n).replace("because", "because 👍\\ud800" * 400) for n in (8, 64)
    )

    # when
    few = scored(few_said, criteria=criteria[:8]).remarks[0, 0]
    many = scored(*[said] * 16, criteria=criteria).remarks[0, 0]

    # then
    for remark, n_criteria in ((few, 8), (many, 64)):
        detail: Any = orjson.loads(orjson.dumps(remark.detail))
        assert len(orjson.dumps(detail)) <= 16 * 1024
        assert len(detail["criteria"]) == n_criteria
        assert len(orjson.dumps(remark.rationale)) <= 4 * 8192


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"criteria": "{{ item."}, "not a template"),
        ({"scores": []}, "unknown parameter 'scores'"),
        ({"models": None}, "give either model or models"),
    ],
)
def test_what_makes_no_judge_is_refused(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        build_metric(a_plugin("key-facts", **{"models": [JUDGE]} | parameters), RowLimits())


@given(
    points=st.lists(st.integers(-5, 5), min_size=1, max_size=8).filter(
        lambda points: any(one > 0 for one in points)
    ),
    met=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_the_share_is_that_of_the_formula_and_more_met_is_never_worse(
    points: Sequence[int], met: Sequence[bool]
) -> None:
    # given
    criteria = [Criterion(text="x", points=one) for one in points]
    findings = [Finding(is_met=one) for one in met[: len(points)]]
    better = [Finding(is_met=one.points > 0) for one in criteria]

    # when
    share = share_of_points(criteria, findings)

    # then
    earned = sum(one for one, is_met in zip(points, met, strict=False) if is_met)
    wanted = max(0, earned) / sum(one for one in points if one > 0)
    assert share == pytest.approx(wanted)
    assert share <= share_of_points(criteria, better) == 1
