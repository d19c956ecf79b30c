"""What the math metric takes for equal, what it reads differently from math-verify, and what a bomb costs."""

import asyncio
import logging
import math
import sys
from typing import Any

import pytest

from evalbus.errors import Invalid
from evalbus.evaluator.children import ScoringChildren
from evalbus.metrics import Batch, Columns, build_metric
from evalbus_schemas.chunks import RowLimits
from tests.scoring import OUTPUT, REFERENCE, a_chunk_of, a_plugin, parsed

MATH = a_plugin("math", reference=REFERENCE)


def scored(reference: Any, answer: Any) -> Columns:
    metric = build_metric(MATH, RowLimits())
    return metric.score(Batch([{"reference": reference}], [{"output_text": answer}]))


def value(reference: Any, answer: Any) -> float:
    return scored(reference, answer).values[0][0]


def of_math_verify(reference: str, answer: str) -> bool:
    """The library as its own documentation uses it."""
    from math_verify import parse, verify  # type: ignore[import-untyped]

    return bool(verify(parse(reference), parse(answer)))


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("$\\frac12$", "0.5"),
        ("$2x+1$", "Therefore $1+2x$."),
        ("$\\frac13$", "$0.333333$"),
        ("$\\frac13$", "$0.33$"),
        ("$x=5$", "5"),
        ("$50\\%$", "0.5"),
        ("$50$", "$50\\%$"),
        ("$\\sqrt{8}$", "\\boxed{2\\sqrt2} as $x$ was"),
        ("$(1,2)$", "$[1,2]$"),
        ("$\\{1,2\\}$", "$2,1$"),
        ("$3.14$", "$\\pi$"),
        ("$1{,}000$", "it is 1,000"),
        ("$5$", "nothing"),
        ("$5$", ""),
        ("$A \\cup B$", "$A \\cup B$"),
        ("$-5$", "5"),
        ("$5$", "٥ שלום 👩‍👩‍👧"),
    ],
)
def test_marked_latex_is_compared_as_math_verify_does(reference: str, answer: str) -> None:
    assert value(reference, answer) == float(of_math_verify(reference, answer))


@pytest.mark.parametrize(
    ("reference", "answer", "wanted"),
    [
        ("2x+1", "$2x+1$", 1.0),
        ("2x+1", "2", 0.0),
        ("(1,2)", "(1, 2)", 1.0),
        ("(1,2)", "2", 0.0),
        ("\\frac{1}{2}", "1/2", 1.0),
        ("x^2", "$x \\cdot x$", 1.0),
        ("1e5", "100000", 1.0),
        ("100000", "about 1e5.", 1.0),
        (1e-05, "0.00001", 1.0),
        ("-5", "it is −5", 1.0),
        ("5", "−5", 0.0),
    ],
)
def test_bare_expressions_numbers_and_minus_are_read_as_they_were_meant(
    reference: str, answer: str, wanted: float
) -> None:
    assert value(reference, answer) == wanted


@pytest.mark.parametrize("reference", ["hello world", "", "\ud800", {"a": "b c"}, "x +"])
def test_a_reference_without_an_expression_gives_no_score(reference: Any) -> None:
    # when
    columns = scored(reference, "5")

    # then
    assert math.isnan(columns.values[0][0])
    assert columns.notes[0].code == "unparsable"


@pytest.mark.parametrize("answer", ["I do not know", "", "\ud800 \x00", "ab " * 300_000])
def test_an_answer_without_an_expression_is_wrong_and_said_to_have_none(answer: str) -> None:
    # when
    columns = scored("5", answer)

    # then
    assert columns.values[0] == [0.0]
    assert columns.remarks[0, 0].rationale == "the answer has no expression"


def test_what_was_compared_is_kept_beside_the_value() -> None:
    # when
    remark = scored("$x+1$", "first $3$\n\nso \\boxed{2+x}").remarks[0, 0]

    # then
    assert remark.detail == {"reference": "x+1", "answer": "2+x"}


def test_the_end_of_a_very_long_answer_is_read_from_the_beginning_of_a_line() -> None:
    # given
    thoughts = "we try $x$ and\n" * 70_000
    cut_after_the_3 = "12345\n" + "a" * 9997

    # then
    assert value("45", cut_after_the_3) == 0.0
    assert value("5", f"{thoughts}\\boxed{{5}}") == 1.0
    assert value("5", f"\\boxed{{5}}\n{thoughts}6") == 0.0


@pytest.mark.parametrize("text", ["1 ", "$", "\\boxed{", "("])
def test_a_megabyte_of_anything_is_read_in_time(text: str) -> None:
    assert value("5", text * (1_000_000 // len(text))) == 0.0


def test_it_says_nothing_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    for module in ("parser", "grader"):
        # It warns once in a process, which another test may have been.
        monkeypatch.setattr(f"math_verify.{module}.TIMEOUT_WARNING_SHOWN", False)

    # then
    with caplog.at_level(logging.INFO):
        assert value("$1$", "$1$") == 1.0

    assert not caplog.records


def test_without_the_extra_it_is_refused_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setitem(sys.modules, "math_verify", None)

    # then
    with pytest.raises(Invalid, match=r"pip install 'evalbus\[math\]'"):
        build_metric(MATH, RowLimits())


async def test_a_bomb_costs_its_own_row_and_no_other() -> None:
    # given
    limits = RowLimits(row_seconds=2.0)
    metric = a_plugin("math", reference=REFERENCE, candidate=OUTPUT)
    answers = ["5", "$9^{9^{9^{9}}}$", "5"]
    request, body = a_chunk_of(
        [{"reference": "$5$", "output": answer} for answer in answers],
        metrics=[metric],
        limits=limits,
    )

    # when
    async with ScoringChildren(1, evaluator="here") as children, asyncio.timeout(60):
        found = parsed(await children.score(request, body))

    # then
    (column,) = found.columns
    assert [column[row] for row in (0, 2)] == [1.0, 1.0]
    assert column[1] is None
    assert found.failed[1].metric == "math"
