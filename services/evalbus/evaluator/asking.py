"""One row's answer out of a live model, or of whom a metric asks: its calls, the pauses between them, and the moment to give up."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from uuid import UUID

import orjson

from evalbus.bus.base import Bus
from evalbus.errors import Unavailable
from evalbus.evaluator.advance import Advance
from evalbus.evaluator.call_log import cut_log
from evalbus.evaluator.circuit import Circuit, CircuitOpen, Pass, Visitor
from evalbus.evaluator.given import WhyNot
from evalbus.evaluator.retrying import Random, pause_seconds
from evalbus.logs import get_logger
from evalbus.models import Call, CallFailed, Reach, Reply, Respondent
from evalbus.telemetry import CALLS, endpoint_host
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Asked, Asking

log = get_logger(__name__)

CIRCUIT_OPEN_CODE = "circuit_open"

GRACE_SECONDS = 0.5
"""A model ends its calls in time by itself, and knows best what it was waiting for; this is for one that does not."""
CALL_SECONDS_MIN = 1.0
"""With less time left a call is not made: its failure would say nothing about the endpoint."""
TOKENS_MAX = 2**31 - 1
LOG_BYTES_MAX = 256 * 1024
"""What the request log of one row may take."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked for one row."""

    offset: int
    """Within the chunk."""
    row: int
    """Within the dataset."""
    call_id: str
    request: JsonObject


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A sample, or the reason for which there is none; and what it took either way."""

    result: JsonObject | WhyNot
    asked: Asked


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Asks one respondent for the rows of one chunk. A row that cannot be answered is an outcome.

    Raises Unavailable, and nothing else but cancellation, instead of beginning a call while the bus is away.
    """

    respondent: Respondent
    circuit: Circuit
    reach: Reach
    asking: Asking
    advance: Advance
    random: Random
    job: str
    job_id: UUID
    job_seen_at: float
    traceparent: str | None
    bus: Bus

    async def ask(self, question: Question) -> Outcome:
        return await _Row(self, question).outcome()


class _Row:
    """Counts the calls of one row."""

    def __init__(self, asker: Asker, question: Question) -> None:
        self._asker = asker
        self._question = question
        self._calls = 0
        self._log: list[JsonObject] = []
        self._ends = _now() + asker.asking.row_timeout

    async def outcome(self) -> Outcome:
        while True:
            try:
                leave = await self._leave()
            except CircuitOpen as barred:
                return self._failed(CIRCUIT_OPEN_CODE, f"the endpoint does not answer: {barred}")
            try:
                return await self._answered(leave)
            except CallFailed as failed:
                self._log.append(_readable(failed.log) or {"error": failed.message})
                pause = self._pause(failed)
                if pause is None:
                    return self._failed(failed.code, failed.message)
                with self._asker.advance.pausing():
                    await asyncio.sleep(pause)

    async def _leave(self) -> Pass:
        asker = self._asker
        visitor = Visitor(
            since=asker.job_seen_at,
            until=self._ends - self._call_seconds_min,
            calls_left=self._calls_left,
            calls_made=self._calls,
        )
        with asker.advance.barred() if asker.circuit.is_open else nullcontext():
            return await asker.circuit.enter(visitor)

    async def _answered(self, leave: Pass) -> Outcome:
        asker = self._asker
        started = _now()
        with asker.circuit.judged(leave), asker.advance.calling():
            if not asker.bus.health.is_connected:
                # Whoever has the chunk by now asks for this row as well.
                raise Unavailable("the bus went away while a chunk was being asked")
            self._calls += 1
            reply = await self._reply(self._ends - started)
        seconds = _now() - started
        self._log.append(reply.log)
        price = asker.respondent.price
        cost = None if price is None else price.of(reply.input_tokens, reply.output_tokens)
        return Outcome(
            result=reply.sample,
            asked=Asked(
                calls=self._calls,
                input_tokens=reply.input_tokens,
                output_tokens=reply.output_tokens,
                cost=cost,
                seconds=seconds,
                requests=cut_log(self._log, bytes_max=LOG_BYTES_MAX),
            ),
        )

    async def _reply(self, seconds_left: float) -> Reply:
        """One attempt, counted by what came of it; raises CallFailed and nothing else."""
        asker = self._asker
        call = Call(
            id=self._question.call_id,
            job=asker.job,
            row=self._question.row,
            timeout_seconds=min(asker.asking.request_timeout, seconds_left),
            expires_seconds=seconds_left,
            traceparent=asker.traceparent,
        )
        outcome = "cut_off"
        try:
            async with asyncio.timeout(call.timeout_seconds + GRACE_SECONDS):
                reply = await asker.respondent.ask(self._question.request, call, asker.reach)
            reply = _as_json(reply)
            outcome = "answered"
        except CallFailed as failed:
            outcome = _kind(failed)
            raise
        except TimeoutError:
            outcome = "outage"
            raise CallFailed(
                "timeout",
                f"no answer within {call.timeout_seconds:g} s",
                is_retryable=True,
                is_outage=True,
            ) from None
        except Exception as error:
            # It may be somebody else's code. Its words are left out: they may hold a secret.
            outcome = "refused"
            name = type(error).__name__
            log.warning("asking.raised", job_id=str(asker.job_id), error=name)
            raise CallFailed("raised", f"asking raised {name}", is_retryable=False) from None
        finally:
            CALLS.labels(endpoint_host(asker.respondent.endpoint), outcome).inc()
        return reply

    def _pause(self, failed: CallFailed) -> float | None:
        """In seconds; None when the row is not to be asked for again."""
        if not failed.is_retryable or self._calls_left == 0:
            return None
        pause = pause_seconds(
            self._calls,
            retry_after_seconds=failed.retry_after_seconds,
            random=self._asker.random,
        )
        is_in_time = _now() + pause + self._call_seconds_min <= self._ends
        return pause if is_in_time else None

    def _failed(self, code: str, message: str) -> Outcome:
        calls = f"{self._calls} call" if self._calls == 1 else f"{self._calls} calls"
        return Outcome(
            result=WhyNot(code=code, message=f"after {calls}: {message}"),
            asked=Asked(calls=self._calls, requests=cut_log(self._log, bytes_max=LOG_BYTES_MAX)),
        )

    @property
    def _calls_left(self) -> int:
        return 1 + self._asker.asking.max_retries - self._calls

    @property
    def _call_seconds_min(self) -> float:
        asking = self._asker.asking
        return min(CALL_SECONDS_MIN, asking.request_timeout, asking.row_timeout / 2)


def _as_json(reply: Reply) -> Reply:
    """With everything in it as it will be read again; raises TypeError for what JSON cannot say."""
    return Reply(
        sample=orjson.loads(orjson.dumps(reply.sample)),
        input_tokens=_count(reply.input_tokens),
        output_tokens=_count(reply.output_tokens),
        log=orjson.loads(orjson.dumps(reply.log)),
    )


def _count(tokens: int | None) -> int | None:
    """As the model said; None for a number that makes no sense, which is no reason to lose its answer."""
    return tokens if tokens is not None and 0 <= tokens <= TOKENS_MAX else None


def _kind(failed: CallFailed) -> str:
    """One of a few words: codes may be a stranger's, and each would be a time series of its own."""
    if failed.is_outage:
        return "outage"
    return "put_off" if failed.is_retryable else "refused"


def _readable(entry: JsonObject) -> JsonObject:
    try:
        readable: JsonObject = orjson.loads(orjson.dumps(entry))
    except TypeError:
        return {}
    return readable


def _now() -> float:
    return asyncio.get_running_loop().time()
