"""What every metric that asks somebody promises; a new one adds its row to CASES."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from evalbus.errors import Invalid
from evalbus.metrics import METRICS, Batch, Columns, LiveMetric, build_metric
from evalbus.templates import RowsFailed, fields_used
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin, signature_of

Answers = tuple[JsonObject, ...]
"""What each respondent says of one row: its sample."""


@dataclass(frozen=True, kw_only=True)
class LiveCase:
    """A metric with parameters that need `item.reference`, if it has templates, and what it makes of answers about a row."""

    type: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reference: Any = "Paris"
    scored: tuple[tuple[Answers, tuple[float, ...]], ...]
    unscored: tuple[tuple[Answers, str], ...]
    """Answers that cannot be understood, with the reason."""
    is_rendered: bool = True
    """False for a metric that asks about whole rows, and has no templates."""


def said(*texts: str) -> Answers:
    """What models answered."""
    return tuple({"output_text": text, "response": {}} for text in texts)


def decided(*met: bool) -> str:
    entries = [{"number": number, "met": one} for number, one in enumerate(met, start=1)]
    return json.dumps({"criteria": entries})


JUDGE = {"type": "openai", "url": "https://models.example/v1", "model": "small"}
ANOTHER = {"type": "amqp", "queue": "models.house"}
PROMPT = "Is {{ sample.output_text }} {{ item.reference }}?"
STARS = {"name": "stars", "minimum": 1, "maximum": 5}
CRITERIA: JsonObject = {"right": 3, "polite": 1}

CASES = [
    LiveCase(
        type="amqp",
        parameters={"queue": "metrics.house", "scores": [{"name": "half", "maximum": 1}]},
        is_rendered=False,
        scored=((({"scores": [{"name": "half", "value": 0.5}]},), (0.5,)),),
        unscored=(
            (({"scores": []},), "no_value"),
            (({"scores": [{"name": "half", "value": 2}]},), "out_of_range"),
        ),
    ),
    LiveCase(
        type="embedding-similarity",
        parameters={
            "model": {"url": "https://models.example/v1", "model": "small-embedding"},
            "reference": "{{ item.reference }}",
        },
        scored=((({"similarity": 0.8125},), (0.8125,)), (({"similarity": -1.0},), (-1.0,))),
        unscored=(
            (
                ({"similarity": None, "code": "zero_vector", "message": "no direction"},),
                "zero_vector",
            ),
        ),
    ),
    LiveCase(
        type="llm-judge",
        parameters={"model": JUDGE, "prompt": PROMPT, "scores": [STARS]},
        scored=((said('{"stars": 4}'), (4.0,)), (said('So: {"stars": "5"}.'), (5.0,))),
        unscored=((said("no idea"), "unparsable"), (said('{"stars": 9}'), "out_of_range")),
    ),
    LiveCase(
        type="llm-judge",
        parameters={"models": [JUDGE, ANOTHER], "prompt": PROMPT, "scores": [STARS]},
        scored=((said('{"stars": 4}', '{"stars": 2}'), (3.0, 0.5)),),
        unscored=((said('{"stars": 4}', "no idea"), "unparsable"),),
    ),
    *(
        LiveCase(
            type=name,
            parameters={"model": JUDGE, "criteria": "{{ item.reference }}", "question": None},
            reference=CRITERIA,
            scored=((said(decided(True, False)), (0.75,)), (said(decided(False, False)), (0.0,))),
            unscored=((said(decided(True)), "unparsable"), (said("no idea"), "unparsable")),
        )
        for name in ("format-rubrics", "key-facts", "qa-rubrics", "style-rubrics")
    ),
    LiveCase(
        type="remote",
        parameters={
            "url": "https://scores.example/evaluate",
            "body": {"answer": "{{ sample.output_text }}", "wanted": "{{ item.reference }}"},
            "scores": [{"name": "half", "parser": {"json_path": "$.score"}, "maximum": 1}],
        },
        scored=((({"response": {"score": 0.5}},), (0.5,)),),
        unscored=(
            (({"response": {}},), "no_value"),
            (({"response": {"score": "high"}},), "unparsable"),
            (({"response": {"score": 2}},), "out_of_range"),
        ),
    ),
]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
every_rendered_case = pytest.mark.parametrize(
    "case", [case for case in CASES if case.is_rendered], ids=lambda case: case.type
)


def built(case: LiveCase, **changes: Any) -> LiveMetric:
    plugin = a_plugin(case.type, **{**case.parameters, **changes})
    metric = build_metric(plugin, RowLimits())
    assert isinstance(metric, LiveMetric)
    return metric


def a_batch(case: LiveCase, *answers: Answers) -> Batch:
    """A row for each, all of them alike."""
    item: JsonObject = {"reference": case.reference}
    sample: JsonObject = {"output_text": "It is Paris."}
    return Batch([item] * len(answers), [sample] * len(answers), answers)


def row_of(columns: Columns, row: int) -> list[float]:
    return [column[row] for column in columns.values]


def test_every_live_metric_there_is_has_a_case() -> None:
    live = {name for name, kind in METRICS.builtin.items() if issubclass(kind, LiveMetric)}
    assert {case.type for case in CASES} == live


@every_case
def test_a_row_has_a_question_for_each_respondent_that_survives_the_way(case: LiveCase) -> None:
    # given
    metric = built(case)
    items: list[JsonObject] = [{"reference": case.reference}] * 2
    samples: list[JsonObject] = [{"output_text": "Rome"}, {"output_text": "Paris"}]

    # when
    questions = metric.questions(Batch(items, samples))

    # then
    assert [len(of_row) for of_row in questions] == [len(metric.respondents)] * 2
    for of_row, said_by_model in zip(questions, ("Rome", "Paris"), strict=True):
        for question in of_row:
            assert question is not None
            assert orjson.loads(orjson.dumps(question)) == question
            assert said_by_model in orjson.dumps(question).decode()


@every_case
def test_answers_score_as_declared(case: LiveCase) -> None:
    # given
    metric = built(case)

    # when
    columns = metric.score(a_batch(case, *(answers for answers, _ in case.scored)))

    # then
    assert not columns.notes
    assert len(columns.values) == len(metric.scores)
    for row, (_, wanted) in enumerate(case.scored):
        assert row_of(columns, row) == pytest.approx(wanted)
        for value, score in zip(row_of(columns, row), metric.scores, strict=True):
            assert score.minimum is None or value >= score.minimum
            assert score.maximum is None or value <= score.maximum


@every_case
def test_an_answer_that_is_not_understood_is_nan_with_a_reason(case: LiveCase) -> None:
    # given
    metric = built(case)

    # when
    columns = metric.score(a_batch(case, *(answers for answers, _ in case.unscored)))

    # then
    for row, (_, reason) in enumerate(case.unscored):
        assert any(math.isnan(value) for value in row_of(columns, row))
        assert columns.notes[row].code == reason
        assert columns.notes[row].message


@every_case
def test_a_row_scores_the_same_alone_and_in_company(case: LiveCase) -> None:
    # given
    metric = built(case)
    answers = [of_row for of_row, _ in (*case.scored, *case.unscored)]

    # when
    together = metric.score(a_batch(case, *answers))
    alone = [metric.score(a_batch(case, of_row)) for of_row in answers]

    # then
    for row, single in enumerate(alone):
        assert row_of(together, row) == pytest.approx(row_of(single, 0), abs=0, nan_ok=True)
        assert together.notes.get(row) == single.notes.get(0)
        for place in range(len(metric.scores)):
            assert together.remarks.get((row, place)) == single.remarks.get((0, place))


HOSTILE: list[Any] = [
    "",
    "\ud800",
    "é👍🏽 שלום \u0301",
    "null",
    "[]",
    "{}",
    '{"stars": NaN, "criteria": [NaN], "score": NaN}',
    '{"criteria": [{"number": 1e400, "met": {}}]}',
    "[" * 200_000,
    '{"a":' * 200_000,
    "x" * 1_000_000,
    None,
    4,
    True,
    ["a"],
    {"score": {"score": []}},
]


@every_case
@pytest.mark.parametrize("answer", HOSTILE, ids=lambda answer: repr(answer)[:16])
def test_no_answer_makes_it_raise(case: LiveCase, answer: Any) -> None:
    # given
    metric = built(case)
    sample: JsonObject = {"output_text": answer, "response": answer, "scores": answer}

    # when
    columns = metric.score(a_batch(case, (sample,) * len(metric.respondents)))

    # then
    assert all(math.isnan(value) for value in row_of(columns, 0))
    assert columns.notes[0].code
    for remark in columns.remarks.values():
        assert orjson.dumps([remark.label, remark.rationale, remark.detail])
        assert len(remark.rationale or "") <= 8192


@every_rendered_case
def test_rows_without_a_field_are_named_so_that_the_others_can_be_asked_about(
    case: LiveCase,
) -> None:
    # given
    item: JsonObject = {"reference": case.reference}
    batch = Batch([item, {}, item], [{"output_text": "1"}] * 3)

    # when
    with pytest.raises(RowsFailed) as raised:
        built(case).questions(batch)

    # then
    assert set(raised.value.errors) == {1}
    assert "'reference'" in raised.value.errors[1].message


@every_case
def test_no_rows_have_no_questions_and_empty_columns(case: LiveCase) -> None:
    # given
    metric = built(case)

    # then
    assert list(metric.questions(Batch([], []))) == []
    columns = metric.score(Batch([], []))
    assert [list(column) for column in columns.values] == [[] for _ in metric.scores]


@every_case
def test_what_an_answer_depends_on_can_be_told_of_every_respondent(case: LiveCase) -> None:
    metric = built(case)

    assert metric.respondents
    for respondent in metric.respondents:
        assert respondent.endpoint
        assert orjson.dumps(respondent.identity())
        respondent.check(allow_private=False)


@every_case
def test_the_same_parameters_have_the_same_signature_and_no_secret(case: LiveCase) -> None:
    # given
    plugin = a_plugin(case.type, **case.parameters)

    # when
    signature = signature_of(plugin)

    # then
    assert signature == signature_of(a_plugin(case.type, name="another-name", **case.parameters))
    assert orjson.dumps(signature.parameters)


@every_case
def test_a_parameter_that_it_does_not_know_is_refused(case: LiveCase) -> None:
    with pytest.raises(Invalid, match="unknown parameter 'surprise'"):
        built(case, surprise=1)


@every_case
def test_its_parameters_have_a_schema_and_its_scores_names(case: LiveCase) -> None:
    # given
    metric = built(case)

    # when
    schema = type(metric).Parameters.model_json_schema()

    # then
    assert schema["additionalProperties"] is False
    assert len({score.name for score in metric.scores}) == len(metric.scores) > 0


@every_case
def test_its_templates_are_known_so_that_a_benchmark_can_be_checked_unrun(case: LiveCase) -> None:
    # when
    templates = built(case).templates()

    # then
    used = {path for template in templates.values() for path in fields_used(template.text)}
    assert (("reference",) in used) == case.is_rendered
