"""The README says what is so."""

import json
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from evalbus.cli.exits import Exit
from evalbus.filters import parse_filter
from evalbus.filters.results import RESULT_FIELDS
from evalbus.metrics import METRICS, Batch, Metric, build_metric
from evalbus.metrics.ground_truth import ground_truths_of
from evalbus.models import RecordedModel, build_model
from evalbus.producer.slicing import Slicing
from evalbus.settings import Settings
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin, Plugin, Slice
from evalbus_schemas.chunks import RowLimits
from tests.readme import README, rewritten

TEXT = README.read_text("utf-8")


def test_its_tables_are_those_of_the_code() -> None:
    assert rewritten(TEXT) == TEXT, "run `python -m tests.readme`"


def test_every_setting_says_what_it_means() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_a_place_for_a_table_that_is_missing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for the table of settings"):
        rewritten("# evalbus")


def test_it_lists_every_exit_code() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+)(?:, \d+)? \|", TEXT, re.MULTILINE)}

    assert listed == {*map(int, Exit), 130}


def test_its_filters_are_understood_and_both_spellings_mean_the_same() -> None:
    table = TEXT.partition("| | mapping | words |")[2].partition("\n\n")[0]
    pairs = [
        (parse_filter(mapping, RESULT_FIELDS), parse_filter(words, RESULT_FIELDS))
        for mapping, words in zip(
            re.findall(r"`(\{.*?\})`", table),
            re.findall(r"`([^`{]*\w(?:[:~]|>=| IN |>)[^`]*)`", table),
            strict=True,
        )
    ]

    assert len(pairs) == 6
    for mapping, words in pairs:
        assert mapping == words


def test_its_slices_and_ground_truth_are_understood() -> None:
    written = yaml_block("slices:")
    item: JsonObject = {
        "level": "hard",
        "steps": 6,
        "meta": {"source": "web"},
        "answer_liked": True,
    }

    slicing = Slicing([Slice.model_validate(one) for one in written["slices"]])
    (metric,) = (MetricPlugin.model_validate(one) for one in written["metrics"])
    (model,) = (build_model(Plugin.model_validate(one), RowLimits()) for one in written["models"])

    assert slicing.memberships([b"{}", json.dumps(item).encode()]) == [0, 0b11]
    (truth,) = ground_truths_of(metric, build_metric(metric, RowLimits()), RowLimits())
    assert isinstance(model, RecordedModel)
    assert truth.said([item], model.answer([item | {"answer": "Paris"}])) == [1.0]


def yaml_block(part: str) -> Any:
    """The first one with these words in it."""
    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    found = next(
        block for block in blocks if f"\n{part}" in f"\n{block}" and "datasets:" not in block
    )
    return YAML(typ="safe").load(found)


def test_its_metric_can_be_used_as_it_stands() -> None:
    code = next(
        block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "Metric)" in block
    )
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    kind: type[Metric] = names["ShareOfRoom"]

    metric = kind(kind.Parameters.model_validate({"characters_max": 10}), RowLimits())
    scored = metric.score(Batch([{}, {}], [{"output_text": "Paris"}, {"output_text": ""}]))

    assert [list(column) for column in scored.values] == [[0.5, 0.0]]


def test_its_metrics_are_metrics() -> None:
    written = yaml_block("metrics:")["metrics"]

    built = [build_metric(MetricPlugin.model_validate(one), RowLimits()) for one in written]

    assert [(one["name"], type(metric)) for one, metric in zip(written, built, strict=True)] == [
        (one["name"], METRICS.find(one["type"])) for one in written
    ]
