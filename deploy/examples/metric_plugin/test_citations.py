"""What the metric promises; needs evalbus and this package installed."""

from evalbus.testing import Row, check_metric, corpus_of, score_row
from evalbus_schemas.base import JsonObject

METRIC: JsonObject = {"type": "citations", "sources": "{{ item.sources }}"}


def test_half_of_the_sources_are_named() -> None:
    scores = score_row(METRIC, item={"sources": ["Smith", "Jones"]}, output_text="Says Smith.")

    assert scores == {"named": 0.5}


def test_a_row_with_more_sources_weighs_more() -> None:
    rows: list[tuple[JsonObject, str]] = [
        ({"sources": ["Smith"]}, "Says Smith."),
        ({"sources": ["Smith", "Jones", "Brown"]}, "Nobody says."),
    ]

    assert corpus_of(METRIC, rows=rows) == {"named_of_all": 0.25}


def test_it_keeps_the_promises_of_metrics() -> None:
    check_metric(
        "citations",
        {"sources": "{{ item.sources }}"},
        [
            Row(item={"sources": ["Smith", "Jones"]}, sample={"output_text": "Says Smith."}),
            Row(item={"sources": "Jones"}, sample={"output_text": "Says Jones."}),
            Row(item={"sources": []}, sample={"output_text": "Nobody says."}),
        ],
    )
