"""What becomes of a message whose handler failed."""

import pytest

from evalbus.bus.policy import DETAIL_CHARACTERS_MAX, Pause, Retry, RetryPolicy, SetAside
from evalbus.bus.topology import DEAD_QUEUE, START_QUEUE, TIERS
from evalbus.errors import (
    Malformed,
    NotFound,
    PermanentError,
    SourceBroken,
    TransientError,
    Unavailable,
    UnknownJob,
    Unroutable,
)

POLICY = RetryPolicy(attempts_max=8)


@pytest.mark.parametrize(
    "error", [TransientError("busy"), Unroutable("no queue"), KeyError("bug"), TimeoutError()]
)
def test_what_may_help_is_tried_again_ever_later_and_then_set_aside(error: Exception) -> None:
    decisions = [
        POLICY.decide(error, attempt=attempt, queue=START_QUEUE) for attempt in range(1, 9)
    ]

    delays = [each.tier.seconds for each in decisions if isinstance(each, Retry)]
    assert delays == [1, 5, 30, 120, 600, 600, 600]
    assert isinstance(decisions[-1], SetAside)


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (Malformed("not_json", "line 1"), "not_json", "line 1"),
        (UnknownJob("nobody knows job 7"), "unknown_job", "nobody knows job 7"),
        (NotFound("no benchmark x"), "not_found", "no benchmark x"),
        (SourceBroken("undecodable", "a.csv line 3"), "source_broken", "a.csv line 3"),
        (PermanentError("no"), "permanent_error", "no"),
    ],
)
def test_what_cannot_help_is_set_aside_at_the_first_attempt(
    error: Exception, reason: str, detail: str
) -> None:
    decision = POLICY.decide(error, attempt=1, queue=START_QUEUE)

    assert decision == SetAside(reason=reason, detail=detail)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransientError("busy"), "attempts_exhausted"),
        (Unroutable("no queue"), "unroutable"),
        (KeyError("bug"), "handler_failed"),
    ],
)
def test_the_reason_after_the_last_attempt_says_what_it_was(error: Exception, reason: str) -> None:
    decision = POLICY.decide(error, attempt=8, queue=START_QUEUE)

    assert isinstance(decision, SetAside)
    assert decision.reason == reason


@pytest.mark.parametrize("attempt", [1, 8, 1000])
def test_a_server_that_is_away_never_makes_a_dead_letter(attempt: int) -> None:
    decision = POLICY.decide(Unavailable("Postgres"), attempt=attempt, queue=START_QUEUE)

    assert decision == Pause(tier=TIERS[0])


@pytest.mark.parametrize("error", [Malformed("invalid", "x"), TransientError("busy"), KeyError()])
def test_a_dead_letter_is_never_set_aside_again(error: Exception) -> None:
    decision = POLICY.decide(error, attempt=1000, queue=DEAD_QUEUE)

    assert decision == Retry(tier=TIERS[-1])


def test_a_detail_is_cut_to_what_a_header_holds() -> None:
    decision = POLICY.decide(Malformed("invalid", "x" * 5000), attempt=1, queue=START_QUEUE)

    assert isinstance(decision, SetAside)
    assert len(decision.detail) == DETAIL_CHARACTERS_MAX


@pytest.mark.parametrize("attempt", [-5, 0, 1])
def test_an_attempt_that_makes_no_sense_counts_as_the_first(attempt: int) -> None:
    decision = POLICY.decide(TransientError("busy"), attempt=attempt, queue=START_QUEUE)

    assert decision == Retry(tier=TIERS[0])
