"""What becomes of one row that a live model is asked for: calls, pauses between them, and giving up."""

import asyncio
from dataclasses import replace

import pytest

from evalbus.bus.base import Bus, BusHealth
from evalbus.bus.memory import MemoryBus
from evalbus.errors import Unavailable
from evalbus.evaluator.advance import Advance
from evalbus.evaluator.asking import CIRCUIT_OPEN_CODE, Asker, Outcome, Question
from evalbus.evaluator.circuit import OUTAGES_MAX, Circuit
from evalbus.evaluator.given import WhyNot
from evalbus.evaluator.retrying import PAUSE_SECONDS_MAX, pause_seconds
from evalbus.models import Call, CallFailed, Reach, Reply
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Asking, RowLimits
from tests.fast_forward import fast_forward
from tests.parrot import ENDPOINT, Endpoint, Parrot, never, outage, refused, throttled
from tests.scoring import JOB_ID


def now() -> float:
    return asyncio.get_running_loop().time()


class Losable(MemoryBus):
    """Says that it is connected until it is told otherwise."""

    is_away = False

    @property
    def health(self) -> BusHealth:
        return BusHealth(is_connected=not self.is_away, idle_subscriptions=())


def an_asker(
    endpoint: Endpoint,
    *,
    max_retries: int = 3,
    request_timeout: float = 30.0,
    row_timeout: float = 300.0,
    jitter: float = 0.5,
    is_priced: bool = False,
    circuit: Circuit | None = None,
    advance: Advance | None = None,
    bus: Bus | None = None,
) -> Asker:
    return Asker(
        respondent=Parrot(Parrot.Parameters(is_priced=is_priced), RowLimits()),
        circuit=circuit or Circuit(ENDPOINT, patience_seconds=120.0),
        reach=endpoint,
        asking=Asking(
            concurrency=1,
            max_retries=max_retries,
            request_timeout=request_timeout,
            row_timeout=row_timeout,
        ),
        advance=advance or Advance(),
        random=lambda: jitter,
        job="capitals-1",
        job_id=JOB_ID,
        job_seen_at=0.0,
        traceparent="00-trace",
        bus=bus or Losable(),
    )


def a_question(prompt: str = "Paris?") -> Question:
    return Question(offset=0, row=17, call_id="call-17", request={"prompt": prompt})


def reason(outcome: Outcome) -> tuple[str, str]:
    assert isinstance(outcome.result, WhyNot), "the row was answered"
    return outcome.result.code, outcome.result.message


@fast_forward
async def test_an_answer_carries_what_it_took() -> None:
    # given
    endpoint = Endpoint(seconds=0.25)

    # when
    outcome = await an_asker(endpoint, is_priced=True).ask(a_question("Rome"))

    # then
    assert outcome.result == {"output_text": "Rome"}
    assert (outcome.asked.calls, outcome.asked.retries) == (1, 0)
    assert (outcome.asked.input_tokens, outcome.asked.output_tokens) == (10, 5)
    assert outcome.asked.cost == pytest.approx(20e-6)
    assert outcome.asked.seconds == pytest.approx(0.25)
    assert outcome.asked.requests == ({"said": "Rome"},)


@fast_forward
async def test_a_model_without_a_price_has_no_cost() -> None:
    # when
    outcome = await an_asker(Endpoint()).ask(a_question())

    # then
    assert outcome.asked.cost is None


@fast_forward
async def test_every_attempt_says_for_which_job_and_row_it_is_under_the_same_id() -> None:
    # given
    endpoint = Endpoint(first=[throttled(), throttled()])

    # when
    await an_asker(endpoint, request_timeout=20, row_timeout=100).ask(a_question())

    # then
    assert [(call.id, call.job, call.row, call.traceparent) for call in endpoint.calls] == [
        ("call-17", "capitals-1", 17, "00-trace")
    ] * 3
    assert [call.timeout_seconds for call in endpoint.calls] == [20.0] * 3
    left = [call.expires_seconds for call in endpoint.calls]
    assert left == pytest.approx([100.0, 99.75, 99.25])


@fast_forward
async def test_a_failure_that_may_pass_is_followed_by_pauses_that_grow() -> None:
    # given
    endpoint = Endpoint(first=[throttled()] * 3)

    # when
    outcome = await an_asker(endpoint, jitter=0.5).ask(a_question("Rome"))

    # then
    pauses = [b - a for a, b in zip(endpoint.called_at, endpoint.called_at[1:], strict=False)]
    assert pauses == pytest.approx([0.25, 0.5, 1.0])
    assert outcome.result == {"output_text": "Rome"}
    assert (outcome.asked.calls, outcome.asked.retries) == (4, 3)
    assert len(outcome.asked.requests) == 4


@fast_forward
async def test_a_row_is_called_for_no_more_often_than_its_retries_allow() -> None:
    # given
    endpoint = Endpoint(down=throttled())

    # when
    outcome = await an_asker(endpoint, max_retries=2).ask(a_question())

    # then
    assert len(endpoint.calls) == 3
    assert reason(outcome) == ("http_429", "after 3 calls: too many")
    assert (outcome.asked.calls, outcome.asked.seconds, outcome.asked.cost) == (3, None, None)
    assert outcome.asked.requests == ({"error": "too many"},) * 3


@fast_forward
async def test_a_failure_that_will_not_pass_is_final() -> None:
    # given
    endpoint = Endpoint(down=refused())

    # when
    outcome = await an_asker(endpoint).ask(a_question())

    # then
    assert reason(outcome) == ("http_400", "after 1 call: no such model")
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize(("asked_for", "pause"), [(7.0, 7.0), (0.1, 0.25)])
@fast_forward
async def test_an_endpoint_that_wants_a_longer_pause_gets_it(
    asked_for: float, pause: float
) -> None:
    # given
    endpoint = Endpoint(first=[throttled(retry_after_seconds=asked_for)])

    # when
    await an_asker(endpoint, jitter=0.5).ask(a_question())

    # then
    assert endpoint.called_at[1] - endpoint.called_at[0] == pytest.approx(pause)


@fast_forward
async def test_a_pause_that_the_row_has_no_time_for_is_not_begun() -> None:
    # given
    endpoint = Endpoint(down=throttled(retry_after_seconds=60))
    started = now()

    # when
    outcome = await an_asker(endpoint, row_timeout=30).ask(a_question())

    # then
    assert reason(outcome)[0] == "http_429"
    assert now() == started


@fast_forward
async def test_an_attempt_that_outlasts_its_time_is_cut_off_and_followed_by_another() -> None:
    # given
    endpoint = Endpoint(first=[never()])

    # when
    outcome = await an_asker(endpoint, request_timeout=5).ask(a_question("Rome"))

    # then
    assert outcome.result == {"output_text": "Rome"}
    assert endpoint.called_at[1] - endpoint.called_at[0] == pytest.approx(5.75)


@fast_forward
async def test_all_attempts_together_keep_within_the_time_of_the_row() -> None:
    # given
    endpoint = Endpoint(first=[never()] * 20)
    started = now()

    # when
    outcome = await an_asker(endpoint, max_retries=20, request_timeout=8, row_timeout=20).ask(
        a_question()
    )

    # then
    assert reason(outcome)[0] == "timeout"
    assert outcome.asked.calls == 3
    assert now() - started <= 20.5


@fast_forward
async def test_a_model_that_raises_what_it_should_not_fails_its_row_without_telling_secrets() -> (
    None
):
    # given
    async def broken(*_: object) -> str:
        raise ValueError("the key is 12345")

    # when
    outcome = await an_asker(Endpoint(first=[broken])).ask(a_question())

    # then
    assert reason(outcome) == ("raised", "after 1 call: asking raised ValueError")


@fast_forward
async def test_a_row_gives_up_without_a_call_when_its_endpoint_never_answered_others() -> None:
    # given
    endpoint, circuit = Endpoint(down=outage()), Circuit(ENDPOINT, patience_seconds=120)
    asker = an_asker(endpoint, circuit=circuit, max_retries=0)
    for _ in range(OUTAGES_MAX):
        await asker.ask(a_question())

    # when
    outcome = await asker.ask(a_question())

    # then
    assert len(endpoint.calls) == OUTAGES_MAX
    code, message = reason(outcome)
    assert code == CIRCUIT_OPEN_CODE
    assert message == "after 0 calls: the endpoint does not answer: connection refused"
    assert outcome.asked.calls == 0


@fast_forward
async def test_waiting_for_an_endpoint_to_come_back_uses_up_no_call() -> None:
    # given
    endpoint, circuit = Endpoint(), Circuit(ENDPOINT, patience_seconds=120)
    asker = an_asker(endpoint, circuit=circuit, max_retries=0)
    await asker.ask(a_question())
    endpoint.down = outage()
    for _ in range(OUTAGES_MAX):
        await asker.ask(a_question())

    # when
    asyncio.get_running_loop().call_later(0.9, setattr, endpoint, "down", None)
    outcomes = await asyncio.gather(*(asker.ask(a_question(str(row))) for row in range(20)))

    # then
    assert [outcome.result for outcome in outcomes] == [
        {"output_text": str(row)} for row in range(20)
    ]
    assert all(outcome.asked.calls == 1 for outcome in outcomes)


@pytest.mark.parametrize("at_once", [1, 2, 4])
@pytest.mark.parametrize("down_seconds", [0.1, 1.0, 5.0, 25.0])
@fast_forward
async def test_few_rows_at_once_outlast_an_endpoint_that_is_down_for_a_while(
    at_once: int, down_seconds: float
) -> None:
    # given
    endpoint, circuit = Endpoint(), Circuit(ENDPOINT, patience_seconds=120)
    asker = an_asker(endpoint, circuit=circuit, max_retries=3)
    await asker.ask(a_question())
    endpoint.down = outage()
    asyncio.get_running_loop().call_later(down_seconds, setattr, endpoint, "down", None)
    rows = iter(range(10))

    # when
    async def ask_some() -> list[Outcome]:
        return [await asker.ask(a_question(str(row))) for row in rows]

    outcomes = [
        outcome
        for some in await asyncio.gather(*(ask_some() for _ in range(at_once)))
        for outcome in some
    ]

    # then
    assert len(outcomes) == 10
    assert not [outcome for outcome in outcomes if isinstance(outcome.result, WhyNot)]
    assert max(outcome.asked.calls for outcome in outcomes) <= 4


@fast_forward
async def test_what_holds_up_a_row_can_be_seen() -> None:
    # given
    endpoint, advance = Endpoint(first=[throttled(retry_after_seconds=10)], seconds=1), Advance()
    circuit = Circuit(ENDPOINT, patience_seconds=120)
    asker = an_asker(endpoint, circuit=circuit, advance=advance, max_retries=1)
    asking = asyncio.create_task(asker.ask(a_question()))

    # when
    seen = []
    for seconds in (0.5, 5, 6):
        await asyncio.sleep(seconds)
        seen.append(advance.waits_for)
    await asking
    endpoint.down = outage()
    await asyncio.gather(
        *(
            an_asker(endpoint, circuit=circuit, max_retries=0).ask(a_question())
            for _ in range(OUTAGES_MAX)
        )
    )
    waiting = asyncio.create_task(asker.ask(a_question()))
    await asyncio.sleep(0.5)
    seen.append(advance.waits_for)
    endpoint.down = None
    await waiting

    # then
    assert seen == [None, "retry_delay", None, "circuit_open"]
    assert advance.waits_for is None


@fast_forward
async def test_a_row_that_pauses_holds_up_nothing_while_another_is_answered() -> None:
    # given
    advance = Advance()

    # when, then
    with advance.pausing():
        assert advance.waits_for == "retry_delay"
        with advance.calling():
            assert advance.waits_for is None


@fast_forward
async def test_a_row_is_given_up_before_its_next_call_when_the_bus_has_gone_away() -> None:
    # given
    endpoint, bus = Endpoint(first=[throttled()]), Losable()
    asking = asyncio.create_task(an_asker(endpoint, bus=bus).ask(a_question()))
    await asyncio.sleep(0.1)

    # when
    bus.is_away = True
    with pytest.raises(Unavailable):
        await asking

    # then
    assert len(endpoint.calls) == 1


@fast_forward
async def test_a_row_that_is_cut_off_leaves_nothing_behind() -> None:
    # given
    endpoint, advance = Endpoint(first=[never()]), Advance()
    asking = asyncio.create_task(an_asker(endpoint, advance=advance).ask(a_question()))
    await asyncio.sleep(1)

    # when
    asking.cancel()
    await asyncio.wait([asking])

    # then
    assert asking.cancelled()
    assert (endpoint.at_work, advance.waits_for) == (0, None)


def test_pauses_are_spread_from_nothing_up_to_a_limit_that_doubles_to_half_a_minute() -> None:
    # when
    longest = [
        pause_seconds(failures, retry_after_seconds=None, random=lambda: 1.0)
        for failures in range(1, 10)
    ]
    shortest = pause_seconds(3, retry_after_seconds=None, random=lambda: 0.0)

    # then
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, *[PAUSE_SECONDS_MAX] * 3]
    assert shortest == 0.0


class Boastful(Parrot):
    """Says that it took less than no tokens."""

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        return replace(await super().ask(request, call, reach), input_tokens=-1)


@fast_forward
async def test_senseless_token_counts_cost_no_answer() -> None:
    # given
    model = Boastful(Parrot.Parameters(), RowLimits())

    # when
    outcome = await replace(an_asker(Endpoint()), respondent=model).ask(a_question())

    # then
    assert (outcome.asked.input_tokens, outcome.asked.output_tokens) == (None, 5)


class Garbled(Parrot):
    """Says why it failed with half of a character."""

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        raise CallFailed("odd", "half \ud83d", is_retryable=False)


@fast_forward
async def test_why_it_failed_can_be_written_down_whatever_it_was_put_together_from() -> None:
    # given
    model = Garbled(Parrot.Parameters(), RowLimits())

    # when
    outcome = await replace(an_asker(Endpoint()), respondent=model).ask(a_question())

    # then
    assert reason(outcome) == ("odd", "after 1 call: half \ufffd")
