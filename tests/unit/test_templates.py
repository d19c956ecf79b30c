"""What templates find in a row, and what they say when it is not there."""

import pytest

from evalbus.errors import Invalid
from evalbus.templates import (
    RowsFailed,
    TemplateError,
    as_text,
    compile_template,
    context_of,
    fields_used,
    sample_fields_used,
)
from evalbus_schemas.base import JsonObject


def render(
    text: str, item: JsonObject, sample: JsonObject | None = None, *, characters_max: int = 1000
) -> object:
    template = compile_template(text, characters_max=characters_max)
    return template.render(context_of(item, sample or {}))


def read_without_running(text: str) -> None:
    """All that is done with a template before a job is accepted."""
    compile_template(text)
    fields_used(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ item.n }}", 4),
        ("{{ item.yes }}", True),
        ("{{ item.nothing }}", None),
        ("{{item.list}}", [1, {"a": 2}]),
        ("{{ item['two words'].inner }}", "deep"),
        ("{{ item.list[1].a }}", 2),
        ("{{ item.list[-1].a }}", 2),
        ("  {{ item.n }}\n", 4),
        ("{{ n }}", 4),
        ("{{ item.items }}", "a field, not a method"),
    ],
)
def test_a_lone_look_up_keeps_the_type_of_what_it_finds(text: str, value: object) -> None:
    # given
    item: JsonObject = {
        "n": 4,
        "yes": True,
        "nothing": None,
        "list": [1, {"a": 2}],
        "two words": {"inner": "deep"},
        "items": "a field, not a method",
    }

    # when
    found = render(text, item)

    # then
    assert found == value
    assert type(found) is type(value)


def test_anything_beside_a_look_up_makes_it_text() -> None:
    # given
    item: JsonObject = {"n": 4, "yes": True, "nothing": None, "list": ["é", 1.5]}

    # when
    text = render("{{ item.n }}/{{ item.yes }}/{{ item.nothing }}/{{ item.list }}", item)

    # then
    assert text == '4/true/null/["é",1.5]'


def test_a_field_of_the_sample_stands_over_one_of_the_item() -> None:
    # given
    item: JsonObject = {"answer": "from the item"}
    sample: JsonObject = {"answer": "from the sample"}

    # when
    found = render("{{ answer }}", item, sample)

    # then
    assert found == "from the sample"


def test_a_field_called_like_a_method_is_found_inside_text_as_well() -> None:
    assert render("values: {{ item.values }}", {"values": 3}) == "values: 3"


@pytest.mark.parametrize(
    ("text", "missing", "there"),
    [
        ("{{ item.reference }}", "reference", "output, question"),
        ("It is {{ item.reference }}.", "reference", "output, question"),
        ("{{ item.question.text }}", "text", "a text"),
        ("{{ reference }}", "reference", "output, question, item, sample"),
        ("It is {{ reference }}.", "reference", "output, question, item, sample"),
    ],
)
def test_a_missing_field_is_named_together_with_those_there_are(
    text: str, missing: str, there: str
) -> None:
    # given
    item: JsonObject = {"output": "Paris", "question": "Capital of France?"}

    # when
    with pytest.raises(TemplateError) as raised:
        render(text, item)

    # then
    assert raised.value.code == "missing_field"
    assert repr(missing) in raised.value.message
    assert there in raised.value.message


def test_every_row_without_the_field_is_named_and_no_other() -> None:
    # given
    template = compile_template("{{ item.a }}")
    items: list[JsonObject] = [{"a": 1}, {"b": 1}, {"a": 2}, {}]

    # when
    with pytest.raises(RowsFailed) as raised:
        template.render_all(items, [{}] * 4)

    # then
    assert sorted(raised.value.errors) == [1, 3]


@pytest.mark.parametrize(
    "text",
    [
        "{{ item.__class__ }}!",
        "{{ ''.__class__.__mro__ }}",
        "{{ item.update({'a': 1}) }}",
        "{{ item.a.append(1) }} ",
        "{% include 'other' %}",
        "{{ 1 / 0 }}",
    ],
)
def test_what_the_sandbox_refuses_or_the_template_breaks_concerns_the_row_only(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text, {"a": [1]})


def test_text_over_the_limit_is_refused() -> None:
    # given
    text = "{% for _ in range(1000) %}{{ item.a }}{% endfor %}"

    # when
    with pytest.raises(TemplateError) as raised:
        render(text, {"a": "0123456789"}, characters_max=9_999)

    # then
    assert raised.value.code == "template_too_long"
    assert "9999" in raised.value.message


def test_text_up_to_the_limit_is_given() -> None:
    assert len(str(render("{% for _ in range(10) %}x{% endfor %}", {}, characters_max=10))) == 10


@pytest.mark.parametrize(
    "text",
    [
        "{{ item.a }}-{{ item['b c'] }}\n",
        "id {{ item.n }}",
        "{{ item.f }}{{ item.list }}",
        "{{ item.yes }} {{ item.nothing }} {{ output_text }}",
        "no field at all",
        "",
    ],
)
def test_look_ups_with_text_between_them_read_as_in_the_sandbox(text: str) -> None:
    # given
    item: JsonObject = {
        "a": "x",
        "b c": "y",
        "n": 2**70,
        "f": 1e16,
        "list": [1.5, {"b": None, "a": "é"}],
        "yes": True,
        "nothing": None,
    }
    sample: JsonObject = {"output_text": "z"}

    # when
    plain = render(text, item, sample)
    in_the_sandbox = render("{% set _ = 1 %}" + text, item, sample)

    # then
    assert plain == in_the_sandbox


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10**12 }} x",
        "{{ ('a' * 10**12) | length }}",
        "{% if 'a' * 10**12 == 'b' %}x{% endif %}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ item.a }}{% set b = 'a' * 10**12 %}",
    ],
)
def test_reading_a_template_computes_nothing(text: str) -> None:
    read_without_running(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "9" * 5000 + " }} x",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ item" + ".a" * 30_000 + " }}",
        "{{ 1" + "+1" * 20_000 + " }}",
        "{% if 1 %}" * 200 + "{% endif %}" * 200,
        "{% for x in y %}" * 50 + "{% endfor %}" * 50,
    ],
)
def test_a_template_that_no_compiler_can_bear_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="not a template"):
        read_without_running(text)


@pytest.mark.parametrize("text", ["{{ item.a | random }}", "{{ lipsum() | length }}"])
def test_what_would_give_another_text_each_time_is_unknown(text: str) -> None:
    with pytest.raises((Invalid, TemplateError)):
        compile_template(text).render({"item": {"a": [1]}})


def test_text_that_is_no_template_is_refused_with_its_place() -> None:
    with pytest.raises(Invalid, match=r"first.*item\.a.*line 2"):
        compile_template("first\n{{ item.a")


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{{ item.a }}", {("a",)}),
        ("{{ item['a b'].c }} and {{ item.d[0] }}", {("a b", "c"), ("d", 0)}),
        ("{{ sample.output_text }}", set[tuple[str]]()),
        ("{{ output_text }} {{ bare }}", {("bare",)}),
        ("{{ item.text.upper() }}", {("text",)}),
        ("{{ item.get('a') }}", set[tuple[str]]()),
        ("{{ item.a | default('none') }} {{ item.b | lower }}", {("b",)}),
        ("{% if item.a is defined %}{{ item.b }}{% endif %}", {("b",)}),
        ("{% for x in item.list %}{{ x.y }}{% endfor %}", {("list",)}),
        ("{% set t = item.a %}{{ t }}", {("a",)}),
        ("{% for item in item.list %}{{ item.y }}{% endfor %}", set[tuple[str]]()),
        ("{{ range(3) | list }}", set[tuple[str]]()),
        ("{% for x in item.list %}{{ loop.index }}. {{ x }}{% endfor %}", {("list",)}),
        ("{% macro m(z) %}{{ z }}{{ varargs }}{% endmacro %}{{ m(item.a) }}", {("a",)}),
        (
            "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ item.a }}{% endcall %}",
            {("a",)},
        ),
    ],
)
def test_the_fields_that_must_be_there_are_known_without_running(
    text: str, paths: set[tuple[str | int, ...]]
) -> None:
    assert fields_used(text, not_fields=frozenset({"output_text"})) == paths


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ sample.output_text }} {{ sample['is correct'] }}", {"output_text", "is correct"}),
        ("{{ sample.response.choices[0].text.strip() }}", {"response"}),
        ("{{ sample.n | default(0) }} {{ sample.m + item.n }}", {"m"}),
        ("{{ sample }} {{ sample.get('a') }} {{ item.sample.a }} {{ a }}", set[str]()),
        ("{% for sample in item.samples %}{{ sample.a }}{% endfor %}", set[str]()),
    ],
)
def test_the_fields_of_the_sample_are_known_as_well(text: str, names: set[str]) -> None:
    assert sample_fields_used(text) == names


def test_equal_values_have_the_same_text() -> None:
    assert as_text({"b": 1, "a": [True, None, 2**80]}) == as_text(
        {"a": [True, None, 2**80], "b": 1}
    )
