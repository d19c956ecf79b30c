"""The handler of chunks that wait for somebody outside: a live model that answers, or whoever live metrics ask."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from evalbus.bus import codec
from evalbus.bus.base import Bus, Message, Outgoing
from evalbus.errors import Invalid, Malformed
from evalbus.evaluator.advance import SignsOfLife
from evalbus.evaluator.child_process import CannotRun
from evalbus.evaluator.circuit import Circuits
from evalbus.evaluator.journal import AnswerJournal
from evalbus.evaluator.live_chunk import LiveChunk
from evalbus.evaluator.plans import ready_live
from evalbus.evaluator.retrying import Random
from evalbus.evaluator.rounds import Rounds
from evalbus.evaluator.scorer import Scorer, scored_message
from evalbus.evaluator.scoring import split_lines
from evalbus.evaluator.single_flight import SingleFlight
from evalbus.models import Reach
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkRequested


@dataclass(frozen=True, kw_only=True)
class AskAndScoreChunk:
    """The handler of live chunks. Safe to repeat: answers that were kept are not asked for again.

    A chunk that comes again while it is worked on here (the broker sends it anew when a connection is lost, and
    handlers go on) waits for the same answer. One that is worked on while the bus is away is given up, for the
    broker gives it to another.
    """

    scorer: Scorer
    bus: Bus
    reach: Reach
    circuits: Circuits
    journal: AnswerJournal
    random: Random
    heartbeat_seconds: float
    rpc_seconds: float
    message_bytes_max: int
    in_flight: SingleFlight[Sequence[Outgoing]] = field(
        default_factory=SingleFlight[Sequence[Outgoing]]
    )

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        request, lines = codec.parse_lines(
            message, ChunkRequested, type=cloudevents.CHUNK_REQUESTED
        )
        return await self.in_flight.do(
            (request.job_id, request.chunk), lambda: self._scored(message, request, lines)
        )

    async def _scored(
        self, message: Message, request: ChunkRequested, lines: bytes
    ) -> Sequence[Outgoing]:
        """Raises CannotRun for a kind that is not installed here, Malformed when it is not said how to ask."""
        signs = SignsOfLife(
            bus=self.bus,
            evaluator=self.scorer.evaluator,
            heartbeat_seconds=self.heartbeat_seconds,
        )
        try:
            live = ready_live(request)
        except Invalid as error:
            raise CannotRun(error.message) from error
        async with signs.given(request) as advance:
            if live.is_nobody:
                body = await self.scorer.score(request, message.body, note_rows=advance.note_rows)
            elif request.asking is None:
                raise Malformed("invalid", "a chunk that somebody is asked about does not say how")
            else:
                rounds = Rounds(
                    request=request,
                    asking=request.asking,
                    bus=self.bus,
                    reach=self.reach,
                    circuits=self.circuits,
                    journal=self.journal,
                    random=self.random,
                    rpc_seconds=self.rpc_seconds,
                    advance=advance,
                    traceparent=message.traceparent,
                )
                items = split_lines(lines, request.n_rows)
                chunk = LiveChunk(request, live, items, self.scorer, rounds)
                body = await chunk.scored(message_bytes_max=self.message_bytes_max)
        return [scored_message(body, request, message)]
