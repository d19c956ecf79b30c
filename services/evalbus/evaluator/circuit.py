"""Whether an endpoint is worth a call: after a run of outages single probes go out, and everybody else waits for them."""

import asyncio
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from evalbus.errors import EvalbusError
from evalbus.logs import get_logger
from evalbus.models import CallFailed
from evalbus.telemetry import CIRCUIT_OPEN, endpoint_host

log = get_logger(__name__)

OUTAGES_MAX = 10
"""So many in a row open the circuit of an endpoint that never answered: its rows fail then without a call."""
OUTAGES_MAX_ONCE_ANSWERED = 3
"""Of one that has answered: its rows then wait, and must not have used up their calls before. With the usual three
retries a row alone with its endpoint opens it with a call to spare."""
LAST_CALL_PATIENCE = 0.25
"""The part of the patience after which a row's last retry is used to see whether an endpoint is back: longer than most
restarts take, and when it is back before, no more than that is lost."""
COOL_DOWN_SECONDS = 1.0
"""Before the first probe; twice as long after each that fails."""
COOL_DOWN_SECONDS_MAX = 15.0

CIRCUITS_KEPT_MAX = 1024
JOBS_KEPT_MAX = 4096


class CircuitOpen(EvalbusError):
    """The endpoint does not answer, and this row has waited for it as long as it may; the text is the last cause."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Visitor:
    """A row that wants to make a call; times are those of the event loop."""

    since: float
    """When its job was first seen here: an older outage says nothing about what it would find."""
    until: float
    """It waits no longer."""
    calls_left: int
    calls_made: int = 0

    @property
    def is_at_its_last_retry(self) -> bool:
        """It has waited for the endpoint before, and would fail with the next outage."""
        return self.calls_left == 1 and self.calls_made > 0


@dataclass(kw_only=True, eq=False)
class _Opening:
    """The time from the outage that opened the circuit to the answer that closes it."""

    since: float
    probe_at: float
    cool_down_seconds: float = COOL_DOWN_SECONDS
    is_probing: bool = False


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Leave to make one call."""

    at: float
    probes: _Opening | None


class Circuit:
    """What this process knows of one endpoint."""

    def __init__(self, endpoint: str, *, patience_seconds: float) -> None:
        self._endpoint = endpoint
        self._patience_seconds = patience_seconds
        self._opening: _Opening | None = None
        self._has_answered = False
        self._outages = 0
        self._outage_at = float("-inf")
        """When the latest call that met an outage was made."""
        self._cause = ""
        self._visitors: set[Visitor] = set()
        self._changed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return self._opening is not None

    @property
    def is_idle(self) -> bool:
        """True: nothing is lost by forgetting it but that it has answered."""
        return self._opening is None and not self._outages and not self._visitors

    async def enter(self, visitor: Visitor) -> Pass:
        """Return when a call may be made; raises CircuitOpen.

        The caller makes it within `judged`, at once. Waiting is for endpoints that have answered before, and for
        the outcome of a probe; where neither is so, nobody's time is wasted.
        """
        self._visitors.add(visitor)
        try:
            while (opening := self._opening) is not None:
                now = _now()
                if self._may_probe(visitor, opening, now):
                    opening.is_probing = True
                    return Pass(at=now, probes=opening)
                ends = self._patience_ends(visitor, opening)
                if now >= ends:
                    raise CircuitOpen(self._cause)
                probe_at = self._probe_at(visitor, opening)
                wake_at = probe_at if probe_at > now else ends
                await self._change(min(wake_at, ends) - now)
        finally:
            self._visitors.discard(visitor)
            self._pass_on_the_probe()
        return Pass(at=_now(), probes=None)

    @contextmanager
    def judged(self, leave: Pass) -> Generator[None]:
        """Learn from the call that is made in here; one that is cut off says nothing."""
        try:
            yield
        except CallFailed as failed:
            if failed.is_outage:
                self._note_outage(leave, failed)
            else:
                self._note_answer()
            raise
        else:
            self._note_answer()
        finally:
            if leave.probes is not None:
                leave.probes.is_probing = False
                self._tell()

    def _may_probe(self, visitor: Visitor, opening: _Opening, now: float) -> bool:
        if opening.is_probing:
            return False
        if self._outage_at < visitor.since:
            return True
        # A probe is likely to fail: whoever has most calls left can bear it best.
        most = max(other.calls_left for other in self._visitors)
        return now >= self._probe_at(visitor, opening) and visitor.calls_left == most

    def _probe_at(self, visitor: Visitor, opening: _Opening) -> float:
        """When this one may look, if nobody does who can bear it better."""
        if not (self._has_answered and visitor.is_at_its_last_retry):
            return opening.probe_at
        held_back = opening.since + self._patience_seconds * LAST_CALL_PATIENCE
        return max(opening.probe_at, min(held_back, visitor.until))

    def _patience_ends(self, visitor: Visitor, opening: _Opening) -> float:
        if opening.is_probing or _now() >= opening.probe_at:
            return visitor.until
        patience = self._patience_seconds if self._has_answered else 0.0
        return min(opening.since + patience, visitor.until)

    def _pass_on_the_probe(self) -> None:
        """Whoever has left may have been the one that the others left a probe to."""
        opening = self._opening
        if opening is not None and not opening.is_probing and _now() >= opening.probe_at:
            self._tell()

    def _note_answer(self) -> None:
        self._has_answered = True
        self._outages = 0
        if self._opening is not None:
            log.info("circuit.closed", endpoint=self._endpoint)
            CIRCUIT_OPEN.labels(endpoint_host(self._endpoint)).set(0)
            self._opening = None
            self._tell()

    def _note_outage(self, leave: Pass, failed: CallFailed) -> None:
        now = _now()
        self._outages += 1
        self._outage_at = max(self._outage_at, leave.at)
        self._cause = failed.message
        most = OUTAGES_MAX_ONCE_ANSWERED if self._has_answered else OUTAGES_MAX
        if self._opening is None and self._outages >= most:
            self._opening = _Opening(since=now, probe_at=now + COOL_DOWN_SECONDS)
            log.warning("circuit.opened", endpoint=self._endpoint, code=failed.code)
            CIRCUIT_OPEN.labels(endpoint_host(self._endpoint)).set(1)
            self._tell()
        elif self._opening is not None and leave.probes is self._opening:
            opening = self._opening
            opening.cool_down_seconds = min(2 * opening.cool_down_seconds, COOL_DOWN_SECONDS_MAX)
            opening.probe_at = now + opening.cool_down_seconds

    async def _change(self, seconds: float) -> None:
        changed = self._changed
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Circuits:
    """One circuit for each endpoint, shared by all jobs of this process."""

    def __init__(self, *, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._circuits: dict[str, Circuit] = {}
        self._first_seen: OrderedDict[UUID, float] = OrderedDict()

    def of(self, endpoint: str) -> Circuit:
        circuit = self._circuits.get(endpoint)
        if circuit is None:
            if len(self._circuits) >= CIRCUITS_KEPT_MAX:
                self._circuits = {
                    name: kept for name, kept in self._circuits.items() if not kept.is_idle
                }
            circuit = Circuit(endpoint, patience_seconds=self._patience_seconds)
            self._circuits[endpoint] = circuit
        return circuit

    def first_seen(self, job_id: UUID) -> float:
        """When the first chunk of this job came here, which may be now."""
        seen = self._first_seen.setdefault(job_id, _now())
        self._first_seen.move_to_end(job_id)
        if len(self._first_seen) > JOBS_KEPT_MAX:
            self._first_seen.popitem(last=False)
        return seen


def _now() -> float:
    return asyncio.get_running_loop().time()
