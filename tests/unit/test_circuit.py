"""When an endpoint is given up for the moment, who looks whether it is back, and who waits for that."""

import asyncio
from uuid import uuid4

import pytest

from evalbus.evaluator.circuit import (
    COOL_DOWN_SECONDS,
    COOL_DOWN_SECONDS_MAX,
    LAST_CALL_PATIENCE,
    OUTAGES_MAX,
    OUTAGES_MAX_ONCE_ANSWERED,
    Circuit,
    CircuitOpen,
    Circuits,
    Visitor,
)
from evalbus.models import CallFailed
from tests.fast_forward import fast_forward
from tests.parrot import ENDPOINT, outage, refused

PATIENCE = 120.0


def now() -> float:
    return asyncio.get_running_loop().time()


def a_circuit() -> Circuit:
    return Circuit(ENDPOINT, patience_seconds=PATIENCE)


async def call(
    circuit: Circuit,
    *,
    fails: CallFailed | None = None,
    takes: float = 0.0,
    since: float = 0.0,
    within: float = 1000.0,
    calls_left: int = 1,
    calls_made: int = 0,
) -> float:
    """One call of one row; when it was made."""
    visitor = Visitor(
        since=since, until=now() + within, calls_left=calls_left, calls_made=calls_made
    )
    leave = await circuit.enter(visitor)
    with circuit.judged(leave):
        made_at = now()
        await asyncio.sleep(takes)
        if fails is not None:
            raise fails
    return made_at


async def failed_call(circuit: Circuit, **named: float) -> float:
    """A call that meets an outage, or is not made; when it was over."""
    with pytest.raises((CallFailed, CircuitOpen)):
        await call(circuit, fails=outage(), **named)  # type: ignore[arg-type]  # only times are given
    return now()


async def answered_once() -> Circuit:
    circuit = a_circuit()
    await call(circuit)
    return circuit


async def opened(circuit: Circuit) -> Circuit:
    for _ in range(OUTAGES_MAX):
        if not circuit.is_open:
            await failed_call(circuit)
    assert circuit.is_open
    return circuit


@fast_forward
async def test_it_opens_after_ten_outages_in_a_row_and_not_before() -> None:
    # given
    circuit = a_circuit()

    # when
    for _ in range(OUTAGES_MAX - 1):
        await failed_call(circuit)
    before = circuit.is_open
    await failed_call(circuit)

    # then
    assert (before, circuit.is_open) == (False, True)


@fast_forward
async def test_it_opens_after_three_when_it_has_answered_before() -> None:
    # given
    circuit = await answered_once()

    # when
    for _ in range(OUTAGES_MAX_ONCE_ANSWERED - 1):
        await failed_call(circuit)
    before = circuit.is_open
    await failed_call(circuit)

    # then
    assert (before, circuit.is_open) == (False, True)


@fast_forward
async def test_a_row_keeps_its_last_retry_back_for_a_while_and_then_looks_all_the_same() -> None:
    # given
    circuit = await opened(await answered_once())
    started = now()

    # when
    made_at = await call(circuit, calls_left=1, calls_made=3)

    # then
    assert made_at - started == pytest.approx(PATIENCE * LAST_CALL_PATIENCE, abs=0.01)


@fast_forward
async def test_a_row_at_its_last_retry_goes_on_at_once_when_another_finds_the_endpoint_back() -> (
    None
):
    # given
    circuit = await opened(await answered_once())
    started = now()

    # when
    made_at = await asyncio.gather(
        call(circuit, calls_left=1, calls_made=3), call(circuit, calls_left=4)
    )

    # then
    assert made_at == pytest.approx([started + COOL_DOWN_SECONDS] * 2, abs=0.01)


@fast_forward
async def test_a_row_whose_time_is_short_uses_its_last_retry_within_it() -> None:
    # given
    circuit = await opened(await answered_once())
    started = now()

    # when
    made_at = await call(circuit, within=5.0, calls_left=1, calls_made=3)

    # then
    assert made_at - started == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize("answer", [None, refused()], ids=["an answer", "a refusal"])
@fast_forward
async def test_whatever_is_no_outage_starts_the_count_anew(answer: CallFailed | None) -> None:
    # given
    circuit = a_circuit()
    for _ in range(OUTAGES_MAX - 1):
        await failed_call(circuit)

    # when
    if answer is None:
        await call(circuit)
    else:
        with pytest.raises(CallFailed):
            await call(circuit, fails=answer)
    await failed_call(circuit)

    # then
    assert not circuit.is_open


@fast_forward
async def test_rows_of_an_endpoint_that_never_answered_give_up_at_once_with_the_cause() -> None:
    # given
    circuit = await opened(a_circuit())
    started = now()

    # when, then
    with pytest.raises(CircuitOpen, match="connection refused"):
        await call(circuit)
    assert now() == started


@fast_forward
async def test_rows_of_an_endpoint_that_answered_before_wait_and_go_on_when_it_is_back() -> None:
    # given
    circuit = await opened(await answered_once())
    started = now()

    # when
    made_at = await asyncio.gather(*(call(circuit, takes=0.25) for _ in range(5)))

    # then
    assert not circuit.is_open
    assert min(made_at) == pytest.approx(started + COOL_DOWN_SECONDS, abs=0.01)
    assert sorted(made_at)[1] == pytest.approx(started + COOL_DOWN_SECONDS + 0.25, abs=0.01)


@fast_forward
async def test_they_wait_no_longer_than_their_patience_since_it_opened() -> None:
    # given
    circuit = await opened(await answered_once())
    started = now()
    probing = asyncio.create_task(_probe_for_ever(circuit))

    # when
    with pytest.raises(CircuitOpen):
        await call(circuit, within=1000.0, calls_left=0)

    # then
    assert now() - started == pytest.approx(PATIENCE, abs=1.0)
    probing.cancel()


@fast_forward
async def test_they_wait_never_beyond_their_own_time() -> None:
    # given
    circuit = await opened(await answered_once())
    started = now()

    # when
    with pytest.raises(CircuitOpen):
        await call(circuit, within=0.5)

    # then
    assert now() - started == pytest.approx(0.5, abs=0.01)


@fast_forward
async def test_one_probe_at_a_time_goes_out_and_they_become_rarer() -> None:
    # given
    circuit = await opened(await answered_once())
    started = now()

    # when
    probed_at = [await failed_call(circuit, since=0.0) for _ in range(6)]

    # then
    pauses = [
        later - earlier for earlier, later in zip([started, *probed_at], probed_at, strict=False)
    ]
    assert pauses == pytest.approx(
        [1.0, 2.0, 4.0, 8.0, COOL_DOWN_SECONDS_MAX, COOL_DOWN_SECONDS_MAX], abs=0.01
    )


@fast_forward
async def test_while_a_probe_is_out_nobody_else_is_sent_and_nobody_gives_up() -> None:
    # given
    circuit = await opened(a_circuit())
    await asyncio.sleep(COOL_DOWN_SECONDS)

    # when
    made_at = await asyncio.gather(call(circuit, takes=5.0), call(circuit), call(circuit))

    # then
    assert made_at[1:] == pytest.approx([made_at[0] + 5.0] * 2, abs=0.01)


@fast_forward
async def test_the_row_that_has_most_calls_left_is_the_probe() -> None:
    # given
    circuit = await opened(await answered_once())

    # when
    last, first = await asyncio.gather(
        call(circuit, takes=1.0, calls_left=1), call(circuit, takes=1.0, calls_left=3)
    )

    # then
    assert first < last


@fast_forward
async def test_a_probe_that_is_cut_off_leaves_the_next_one_to_another_row() -> None:
    # given
    circuit = await opened(await answered_once())
    probe = asyncio.create_task(call(circuit, takes=1000.0, calls_left=2))
    await asyncio.sleep(COOL_DOWN_SECONDS * 2)
    waiting = asyncio.create_task(call(circuit))
    await asyncio.sleep(0)

    # when
    cut_at = now()
    probe.cancel()

    # then
    assert await waiting == pytest.approx(cut_at, abs=0.01)


@fast_forward
async def test_a_row_that_gives_up_waiting_does_not_take_the_probe_with_it() -> None:
    # given
    circuit = await opened(await answered_once())
    best = asyncio.create_task(call(circuit, calls_left=9))
    other = asyncio.create_task(call(circuit))
    await asyncio.sleep(0)

    # when
    best.cancel()

    # then
    assert await other > 0


@fast_forward
async def test_an_answer_to_a_call_that_was_out_already_closes_it() -> None:
    # given
    circuit = a_circuit()
    slow = asyncio.create_task(call(circuit, takes=0.5))
    await asyncio.sleep(0)
    await opened(circuit)

    # when
    await slow

    # then
    assert not circuit.is_open


@fast_forward
async def test_a_job_that_comes_later_looks_for_itself_before_it_gives_up() -> None:
    # given
    circuit = await opened(a_circuit())
    await asyncio.sleep(0.1)
    since = now()

    # when
    made_at = await asyncio.gather(*(call(circuit, since=since) for _ in range(3)))

    # then
    assert made_at == pytest.approx([since] * 3, abs=0.01)


@fast_forward
async def test_a_later_job_gives_up_as_well_when_its_own_probe_fails() -> None:
    # given
    circuit = await opened(a_circuit())
    await asyncio.sleep(0.1)
    since = now()

    # when
    await asyncio.gather(*(failed_call(circuit, since=since, takes=0.2) for _ in range(3)))

    # then
    assert now() - since == pytest.approx(0.2, abs=0.01)


@fast_forward
async def test_endpoints_do_not_share_their_outages() -> None:
    # given
    circuits = Circuits(patience_seconds=PATIENCE)

    # when
    await opened(circuits.of(ENDPOINT))

    # then
    assert circuits.of(ENDPOINT).is_open
    assert not circuits.of("http://other.example").is_open


@fast_forward
async def test_a_job_is_first_seen_once() -> None:
    # given
    circuits, job_id = Circuits(patience_seconds=PATIENCE), uuid4()
    first = circuits.first_seen(job_id)

    # when
    await asyncio.sleep(10)

    # then
    assert circuits.first_seen(job_id) == first
    assert circuits.first_seen(uuid4()) == first + 10


async def _probe_for_ever(circuit: Circuit) -> None:
    while True:
        await failed_call(circuit, calls_left=5)
        await asyncio.sleep(0.5)
