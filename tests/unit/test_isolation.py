"""Which rows are tried again when a scoring child is lost, and how."""

import pytest

from evalbus.errors import TransientError
from evalbus.evaluator.child_process import ChildLost, LossCode
from evalbus.evaluator.frames import NOTHING_KNOWN
from evalbus.evaluator.isolation import Part, parts_after

WHOLE = Part(first=0, count=8)
SUSPECT = Part(first=0, count=8, is_suspect=True)


def lost(code: LossCode, *, done: int = 0, at_work: int = 0) -> ChildLost:
    progress = NOTHING_KNOWN._replace(rows_done=done, rows_at_work=at_work)
    return ChildLost(code, "took longer than 60 seconds", progress)


def test_rows_at_work_are_taken_one_by_one_and_what_was_done_before_is_not() -> None:
    assert parts_after(WHOLE, lost("crashed", done=2, at_work=3)) == [
        Part(first=0, count=2),
        Part(first=2, count=3, is_suspect=True),
        Part(first=5, count=3),
    ]


def test_a_child_that_comes_to_no_row_is_tried_once_more_with_single_rows() -> None:
    assert parts_after(WHOLE, lost("overran")) == [SUSPECT]


def test_a_child_that_dies_before_the_first_of_single_rows_gets_fewer_of_them() -> None:
    assert parts_after(SUSPECT, lost("out_of_memory")) == [
        Part(first=0, count=4, is_suspect=True),
        Part(first=4, count=4, is_suspect=True),
    ]


def test_a_plan_that_does_not_get_ready_in_time_is_no_fault_of_the_rows() -> None:
    with pytest.raises(TransientError, match="took longer than 60 seconds to get ready"):
        parts_after(SUSPECT, lost("overran"))
