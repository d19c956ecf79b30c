"""A chunk for a live model: rendered by a child, asked from here, scored by a child; its handler."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from evalbus.bus import codec
from evalbus.bus.base import Bus, Message, Outgoing
from evalbus.errors import Invalid, Malformed, Unavailable
from evalbus.evaluator.advance import Advance, SignsOfLife
from evalbus.evaluator.answers import ChunkAnswers
from evalbus.evaluator.asking import Asker, Outcome, Question
from evalbus.evaluator.call_log import cut_logs
from evalbus.evaluator.child_process import CannotRun
from evalbus.evaluator.circuit import Circuits
from evalbus.evaluator.given import WhyNot, sampled_line, unsampled_line
from evalbus.evaluator.journal import AnswerJournal
from evalbus.evaluator.plans import ready_model
from evalbus.evaluator.retrying import Random
from evalbus.evaluator.scorer import Scorer, scored_message
from evalbus.evaluator.scoring import join_lines, split_lines
from evalbus.evaluator.single_flight import SingleFlight
from evalbus.models import LiveModel, Reach
from evalbus_schemas import cloudevents
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Asked, ChunkRequested, ChunkScored

ENVELOPE_BYTES = 64 * 1024
"""Room in a message beside its body."""


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
        signs = SignsOfLife(
            bus=self.bus,
            evaluator=self.scorer.evaluator,
            heartbeat_seconds=self.heartbeat_seconds,
        )
        model = _live_model(request)
        async with signs.given(request) as advance:
            if model is None:
                body = await self.scorer.score(request, message.body, note_rows=advance.note_rows)
            else:
                items = split_lines(lines, request.n_rows)
                work = _Chunk(self, request, model, items, advance, message.traceparent)
                body = await work.scored()
        return [scored_message(body, request, message)]


class _Chunk:
    """Holds the outcomes of one chunk's rows while they come in."""

    def __init__(
        self,
        tools: AskAndScoreChunk,
        request: ChunkRequested,
        model: LiveModel,
        items: Sequence[bytes],
        advance: Advance,
        traceparent: str | None,
    ) -> None:
        self._tools = tools
        self._request = request
        self._model = model
        self._items = items
        self._advance = advance
        self._traceparent = traceparent
        self._answers = ChunkAnswers(request=request, model=model)
        self._outcomes: dict[int, Outcome] = {}

    async def scored(self) -> bytes:
        """The body of ChunkScored."""
        started = time.perf_counter()
        questions = await self._rendered()
        await self._recall(questions)
        await self._ask([one for one in questions if one.offset not in self._outcomes])
        body = await self._score()
        return self._with_asked(body, seconds=time.perf_counter() - started)

    async def _rendered(self) -> list[Question]:
        """What to ask; a row that cannot be asked for has its outcome at once."""
        request = self._request
        plan = request.plan.model_copy(update={"metrics": ()})
        rendering = request.model_copy(update={"plan": plan})
        body = await self._tools.scorer.score(rendering, join_lines(rendering, self._items))
        head, _, lines = body.partition(b"\n")
        rendered = ChunkScored.model_validate_json(head)
        for error in rendered.errors:
            why_not = WhyNot(code=error.code, message=error.message)
            self._note(error.row, Outcome(result=why_not, asked=Asked()))
        return [
            self._question(offset, line)
            for offset, line in enumerate(split_lines(lines, request.n_rows))
            if offset not in self._outcomes
        ]

    def _question(self, offset: int, line: bytes) -> Question:
        request = self._request
        row = request.row_index(offset)
        return Question(
            offset=offset,
            row=row,
            call_id=codec.stable_id(
                "call",
                request.job_id,
                request.dataset,
                request.plan.model.name,
                row,
                request.repeat,
            ),
            request=orjson.loads(line),
        )

    async def _recall(self, questions: Sequence[Question]) -> None:
        known = await self._answers.known(
            questions, self._tools.bus, timeout_seconds=self._tools.rpc_seconds
        )
        for offset, outcome in known.items():
            self._note(offset, outcome)

    async def _ask(self, questions: Sequence[Question]) -> None:
        """All of them, so many at once as the chunk may; each answer is kept as it comes.

        Raises Unavailable when the bus went away; answers to calls that were out by then are kept all the same.
        """
        asking = self._request.asking
        assert asking is not None, "looked at before anything was done"
        asker = Asker(
            model=self._model,
            circuit=self._tools.circuits.of(self._model.endpoint),
            reach=self._tools.reach,
            asking=asking,
            advance=self._advance,
            random=self._tools.random,
            job=self._request.job,
            job_id=self._request.job_id,
            job_seen_at=self._tools.circuits.first_seen(self._request.job_id),
            traceparent=self._traceparent,
            bus=self._tools.bus,
        )
        waiting = iter(questions)
        given_up: list[Unavailable] = []

        async def ask_some() -> None:
            for question in waiting:
                try:
                    outcome = await asker.ask(question)
                except Unavailable as error:
                    # Raised later: calls for other rows are out, and will have to be paid for.
                    given_up.append(error)
                    return
                self._note(question.offset, outcome)
                if not isinstance(outcome.result, WhyNot):
                    self._keep(question, outcome.result, outcome.asked)

        async with asyncio.TaskGroup() as callers:
            for _ in range(min(asking.concurrency, len(questions))):
                callers.create_task(ask_some())
        if given_up:
            raise given_up[0]

    def _keep(self, question: Question, sample: JsonObject, asked: Asked) -> None:
        for answer in self._answers.given(question, sample, asked):
            self._tools.journal.note(answer)

    def _note(self, offset: int, outcome: Outcome) -> None:
        self._outcomes[offset] = outcome
        self._advance.note_row()

    async def _score(self) -> bytes:
        given = self._request.model_copy(update={"samples": "given"})
        lines = [
            _given_line(item, self._outcomes[offset]) for offset, item in enumerate(self._items)
        ]
        return await self._tools.scorer.score(given, join_lines(given, lines))

    def _with_asked(self, body: bytes, *, seconds: float) -> bytes:
        """The same with what each row took; request logs get the room that the rest leaves."""
        head, _, samples = body.partition(b"\n")
        asked = [self._outcomes[offset].asked for offset in range(self._request.n_rows)]
        bare = [row.model_copy(update={"requests": ()}) for row in asked]
        scored = ChunkScored.model_validate_json(head)
        header = scored.model_copy(update={"asked": tuple(bare), "seconds": seconds})
        size = len(header.model_dump_json().encode()) + len(samples) + ENVELOPE_BYTES
        room = self._tools.message_bytes_max - size
        whole = header.model_copy(update={"asked": cut_logs(asked, bytes_max=room)})
        return whole.model_dump_json().encode() + b"\n" + samples


def _live_model(request: ChunkRequested) -> LiveModel | None:
    """The model that is to be asked, if one is.

    Raises CannotRun for a kind that is not installed here, Malformed when it is not said how to ask.
    """
    if request.samples == "given":
        return None
    try:
        model = ready_model(request.plan.model, request.limits)
    except Invalid as error:
        raise CannotRun(error.message) from error
    if not isinstance(model, LiveModel):
        return None
    if request.asking is None:
        raise Malformed("invalid", "a chunk for a live model does not say how to ask it")
    return model


def _given_line(item: bytes, outcome: Outcome) -> bytes:
    match outcome.result:
        case WhyNot(code=code, message=message):
            return unsampled_line(code, message)
        case sample:
            return sampled_line(item, sample)
