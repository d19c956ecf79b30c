"""The states of a job and the ways between them."""

import pytest

from evalbus_schemas.jobs import TERMINAL, TRANSITIONS, JobStatus

UNFINISHED = sorted(set(JobStatus) - TERMINAL)


def reachable(start: JobStatus) -> set[JobStatus]:
    found, open_ends = {start}, [start]
    while open_ends:
        following = TRANSITIONS[open_ends.pop()] - found
        found |= following
        open_ends += following
    return found


def test_every_state_says_what_may_follow() -> None:
    assert set(TRANSITIONS) == set(JobStatus)


def test_every_state_can_be_reached_from_the_first() -> None:
    assert reachable(JobStatus.CREATED) == set(JobStatus)


def test_nothing_follows_an_end() -> None:
    assert {status for status, following in TRANSITIONS.items() if not following} == TERMINAL


@pytest.mark.parametrize("status", UNFINISHED)
def test_every_other_state_can_come_to_every_end_but_one_that_is_ending(status: JobStatus) -> None:
    ends = reachable(status) & TERMINAL

    if status is JobStatus.CANCELLING:
        assert ends == {JobStatus.CANCELLED, JobStatus.ERROR}
    else:
        assert ends == TERMINAL


@pytest.mark.parametrize("status", UNFINISHED)
def test_every_job_that_has_not_ended_can_be_cancelled_and_can_fail(status: JobStatus) -> None:
    assert {JobStatus.CANCELLED, JobStatus.ERROR} <= TRANSITIONS[status]


def test_a_paused_job_does_not_complete_before_it_is_resumed() -> None:
    assert JobStatus.COMPLETED not in TRANSITIONS[JobStatus.PAUSED]
    assert JobStatus.COMPLETED not in TRANSITIONS[JobStatus.PAUSING]


@pytest.mark.parametrize("status", UNFINISHED)
def test_no_state_follows_itself(status: JobStatus) -> None:
    assert status not in TRANSITIONS[status]
