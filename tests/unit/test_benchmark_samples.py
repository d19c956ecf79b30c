"""Which fields of a saved benchmark's rows become a sample's inputs and extras."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from evalbus import (
    AnnotationBenchmark,
    Benchmark,
    Client,
    MappedBenchmark,
    QuestionAnsweringBenchmark,
    Sample,
    SummarizationBenchmark,
    WrongSamples,
)
from evalbus.bus.base import Message
from evalbus.client.opening import client_settings
from evalbus.errors import EvalbusError, Unavailable
from evalbus_schemas.base import JsonObject
from evalbus_schemas.catalogue import (
    BenchmarkRow,
    BenchmarkRowPage,
    Entry,
    GetEntry,
    ListBenchmarkRows,
)
from tests.answers import NOON, a_bus_that_answers

QUESTION: JsonObject = {
    "question": "Capital of France?",
    "rubrics": {
        "criteria": [
            {"description": "names Paris", "points": 3},
            {"description": "nothing else", "points": 1.5},
        ]
    },
    "std_answer": "Paris",
    "internal": "not for agents",
}
ANNOTATION: JsonObject = {
    "agent_inputs": '{"city": "Paris", "days": 2}',
    "agent_outputs": "{'plan': ['Louvre'], 'sure': True}",
    "desired_outputs": None,
    "feedback": "too {short",
    "liked": False,
    "serialized_simulation_config": {"seed": 1},
}


class Saved:
    """A service that has one benchmark; its rows come two at a time."""

    def __init__(self, *items: JsonObject, additional_info: JsonObject | None = None) -> None:
        self.items = list(items)
        self.additional_info = additional_info or {}
        self.pages = 0

    def client(self) -> Client:
        answers: dict[str, Any] = {"benchmarks.rows": self._rows, "benchmarks.get": self._get}
        return Client(opener=lambda: a_bus_that_answers(answers), settings=client_settings())

    async def _rows(self, wanted: ListBenchmarkRows, _: Message) -> BenchmarkRowPage:
        self.pages += 1
        first = int(wanted.after or 0)
        end = min(first + 2, len(self.items))
        rows = tuple(
            BenchmarkRow(row_id=f"r{number}", dataset="default/d", item=self.items[number])
            for number in range(first, end)
        )
        return BenchmarkRowPage(rows=rows, next=str(end) if end < len(self.items) else None)

    async def _get(self, wanted: GetEntry, _: Message) -> Entry:
        return Entry(
            uid=1,
            id="default/qa",
            kind="benchmark",
            workspace="default",
            name=wanted.name or "qa",
            revision=1,
            version="1.0",
            description="",
            supplier="",
            labels={},
            additional_info=self.additional_info,
            definition={},
            created_at=NOON,
            updated_at=NOON,
            created_by=None,
        )


def test_r1_a_sample_has_its_fields_and_never_changes() -> None:
    plain, other = Sample(), Sample()
    full = Sample("b", "7", "Test", {"question": "?"}, {"answer": "!"}, {"seed": 1})

    assert (plain.benchmark_id, plain.split) == ("default", "All")
    assert len(plain.id) == 32
    assert int(plain.id, 16) >= 0
    assert plain.id != other.id
    assert plain.agent_inputs == plain.extras == plain.serialized_simulation_config == {}
    assert plain.extras is not other.extras
    assert (full.benchmark_id, full.id, full.split) == ("b", "7", "Test")
    assert (full.agent_inputs, full.extras) == ({"question": "?"}, {"answer": "!"})
    assert full.serialized_simulation_config == {"seed": 1}
    with pytest.raises(FrozenInstanceError):
        plain.split = "Test"  # type: ignore[misc]  # what is to be refused


def test_r6_samples_are_the_rows_of_the_saved_benchmark() -> None:
    saved = Saved({"a": 1, "split": "TEST"}, {"a": 2}, {"a": 3, "split": "validation"})
    with saved.client() as client:
        benchmark = Benchmark("default/qa", client=client)
        asked_before = saved.pages
        samples = list(benchmark)
        again = list(benchmark)

    assert asked_before == 0
    assert [sample.agent_inputs["a"] for sample in samples] == [1, 2, 3]
    assert [sample.id for sample in samples] == ["r0", "r1", "r2"]
    assert [sample.split for sample in samples] == ["Test", "All", "Validation"]
    assert {sample.benchmark_id for sample in samples} == {"default/qa"}
    assert again == samples
    assert saved.pages == 2


def test_r7_fields_are_renamed_and_others_keep_their_names() -> None:
    with Saved({"q": "?", "hint": "!", "a": 4}).client() as client:
        (sample,) = MappedBenchmark(
            "qa",
            field_name_mapping={"q": "question", "a": "answer"},
            agent_input_fields=["q", "hint"],
            extra_fields=["a"],
            client=client,
        )

    assert sample.agent_inputs == {"question": "?", "hint": "!"}
    assert sample.extras == {"answer": 4}


def test_r8_a_transform_is_given_the_value_of_its_field_and_no_other() -> None:
    with Saved({"q": "loud", "r": "quiet"}).client() as client:
        (sample,) = MappedBenchmark(
            "qa",
            {"q": "question"},
            {"q": lambda value: str(value).upper(), "question": lambda _: "never"},
            ["q", "r"],
            client=client,
        )

    assert sample.agent_inputs == {"question": "LOUD", "r": "quiet"}


def test_r9_only_the_fields_asked_for_get_into_a_sample() -> None:
    with Saved({"a": 1, "b": 2, "c": 3}).client() as client:
        (some,) = MappedBenchmark("qa", agent_input_fields=["b"], extra_fields=["c"], client=client)
        (none,) = MappedBenchmark("qa", client=client)

    assert (some.agent_inputs, some.extras) == ({"b": 2}, {"c": 3})
    assert (none.agent_inputs, none.extras) == ({}, {})


def test_r10_fetching_samples_refreshes_and_returns_them() -> None:
    saved = Saved({"a": 1})
    with saved.client() as client:
        benchmark = MappedBenchmark("qa", agent_input_fields=["a"], client=client)
        before = len(benchmark)
        saved.items.append({"a": 2})
        unchanged = len(benchmark)
        fetched = benchmark.fetch_samples()

    assert (before, unchanged, len(benchmark)) == (1, 1, 2)
    assert benchmark.samples == fetched
    assert [sample.agent_inputs for sample in fetched] == [{"a": 1}, {"a": 2}]


def test_r11_a_question_has_rubrics_and_an_answer() -> None:
    with Saved(QUESTION).client() as client:
        (sample,) = QuestionAnsweringBenchmark("qa", client=client)

    assert sample.agent_inputs == {"question": "Capital of France?"}
    assert sample.extras == {
        "rubrics": {"names Paris": 3, "nothing else": 1.5},
        "std_answer": "Paris",
    }


def test_rubrics_by_description_stay_as_they_are() -> None:
    with Saved(QUESTION | {"rubrics": {"names Paris": 3}}).client() as client:
        (sample,) = QuestionAnsweringBenchmark("qa", client=client)

    assert sample.extras["rubrics"] == {"names Paris": 3}


def test_r12_a_summary_has_key_facts_and_the_rubrics_of_its_benchmark() -> None:
    shared: JsonObject = {
        "hyperparameters": {
            "style_rubrics": {"is short": 1},
            "format_rubrics": {"has no lists": 2},
            "source_text": "of all rows",
        }
    }
    rows: tuple[JsonObject, ...] = (
        {"source_text": "long", "source_keyfacts": ["a", "b"]},
        {"source_text": "longer", "source_keyfacts": []},
    )
    with Saved(*rows, additional_info=shared).client() as client:
        first, second = SummarizationBenchmark("qa", client=client)

    assert first.agent_inputs == {"source": "long"}
    assert first.extras == {
        "key_facts": ["a", "b"],
        "style_rubrics": {"is short": 1},
        "format_rubrics": {"has no lists": 2},
    }
    assert (second.agent_inputs, second.extras["key_facts"]) == ({"source": "longer"}, [])


def test_r13_an_annotation_has_outputs_and_what_its_user_said() -> None:
    with Saved(ANNOTATION).client() as client:
        (sample,) = AnnotationBenchmark("qa", client=client)

    assert sample.agent_inputs == {"all_inputs": {"city": "Paris", "days": 2}}
    assert sample.extras == {
        "previous_outputs": {"plan": ["Louvre"], "sure": True},
        "desired_outputs": None,
        "feedback": "too {short",
        "liked": False,
        "simulation_config": {"seed": 1},
    }


@pytest.mark.parametrize(
    ("said", "liked"),
    [
        *[(True, True), (False, False), (None, None)],
        *[("like", True), ("Dislike", False), ("not provided", None), ("true", True)],
    ],
)
def test_liked_is_a_truth_value(said: bool | str | None, liked: bool | None) -> None:
    with Saved(ANNOTATION | {"liked": said}).client() as client:
        (sample,) = AnnotationBenchmark("qa", client=client)

    assert sample.extras["liked"] is liked


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain words", "plain words"),
        ("[1, 2", "[1, 2"),
        (r"C:\new\folder", r"C:\new\folder"),
        ("('a', 1)", ("a", 1)),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("[" * 100_000, "[" * 100_000),
        ("-" * 90_000 + "1", "-" * 90_000 + "1"),
        ({"already": ["taken", "apart"]}, {"already": ["taken", "apart"]}),
    ],
    ids=["prose", "open", "path", "tuple", "call", "deep", "deep-signs", "value"],
)
def test_text_that_is_no_value_stays_text(written: Any, value: object) -> None:
    with Saved(ANNOTATION | {"agent_outputs": written}).client() as client:
        (sample,) = AnnotationBenchmark("qa", client=client)

    assert sample.extras["previous_outputs"] == value


@pytest.mark.parametrize(
    ("benchmark", "field", "kind"),
    [
        (QuestionAnsweringBenchmark, "question", "agent input"),
        (SummarizationBenchmark, "source_text", "agent input"),
        (AnnotationBenchmark, "agent_inputs", "agent input"),
    ],
)
def test_r14_a_missing_field_is_named_with_class_and_sample(
    benchmark: type[MappedBenchmark], field: str, kind: str
) -> None:
    with (
        Saved({"output": "Paris"}).client() as client,
        pytest.raises(ValueError, match="has no") as raised,
    ):
        list(benchmark("qa", client=client))

    said = str(raised.value)
    assert f"sample 'r0' has no {kind} field {field!r} (known: output)" in said
    assert benchmark.__name__ in said
    assert isinstance(raised.value, WrongSamples)
    assert isinstance(raised.value, EvalbusError)


def test_r14_a_missing_extra_field_is_one_too() -> None:
    with (
        Saved({"question": "?", "rubrics": {}}).client() as client,
        pytest.raises(ValueError, match="no extra field 'std_answer'"),
    ):
        QuestionAnsweringBenchmark("qa", client=client).fetch_samples()


@pytest.mark.parametrize(
    ("rubrics", "cause"),
    [
        ({"criteria": [{"description": "a"}]}, "KeyError: 'points'"),
        (
            {"criteria": [{"description": "a", "points": 1}] * 2},
            "ValueError: two criteria are described as 'a'",
        ),
    ],
)
def test_an_error_inside_of_a_transform_is_not_taken_for_a_missing_field(
    rubrics: JsonObject, cause: str
) -> None:
    with (
        Saved(QUESTION | {"rubrics": rubrics}).client() as client,
        pytest.raises(WrongSamples, match="transform of extra field 'rubrics'") as raised,
    ):
        list(QuestionAnsweringBenchmark("qa", client=client))

    assert cause in str(raised.value)
    assert "sample 'r0'" in str(raised.value)
    assert raised.value.__cause__ is not None


def test_samples_that_cannot_be_fetched_leave_those_that_are_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def away(_: ListBenchmarkRows, __: Message) -> BenchmarkRowPage:
        raise Unavailable("Postgres is away")

    kept = [Sample()]
    answers: dict[str, Any] = {"benchmarks.rows": away}
    opened = Client(opener=lambda: a_bus_that_answers(answers), settings=client_settings())
    with opened as client:
        benchmark = Benchmark("qa", samples=kept, client=client)
        with pytest.raises(Unavailable):
            benchmark.fetch_samples()

    assert benchmark.samples == kept
    assert "the samples of benchmark 'qa' could not be fetched: Postgres is away" in caplog.text


def test_without_a_client_a_mapped_benchmark_is_empty() -> None:
    assert list(QuestionAnsweringBenchmark("qa")) == []
    assert list(QuestionAnsweringBenchmark("qa", samples=[Sample(id="1")])) == [Sample(id="1")]
