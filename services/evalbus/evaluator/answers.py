"""Answers that were given before: under which keys they are kept, how they are asked for, and what they cost now."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import orjson
from pydantic import ValidationError

from evalbus.bus import codec
from evalbus.bus.base import Bus, Outgoing
from evalbus.bus.topology import ANSWERS_ASKED
from evalbus.errors import OverLimit, TransientError, Unavailable, Unroutable
from evalbus.evaluator.advance import SOURCE
from evalbus.evaluator.asking import Outcome, Question
from evalbus.models import Respondent
from evalbus.telemetry import ANSWERS_KNOWN
from evalbus_schemas import cloudevents
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Answer, Asked, ChunkRequested
from evalbus_schemas.queries import ANSWERS_FIND, AnswersFound, FindAnswers
from evalbus_schemas.rpc import ErrorCode, RpcError, RpcReply, RpcRequest

METHOD = ANSWERS_FIND.name
KEYS_MAX = 256
"""In one question."""


@dataclass(frozen=True, kw_only=True)
class RowKeys:
    """Where the answer to one row's question may lie: for this job alone, for the one that it is derived from alone,
    and for whoever asks the same."""

    private: str
    source: str | None
    shared: str


@dataclass(frozen=True, kw_only=True)
class RowAnswers:
    """Old and new answers of one respondent for the rows of one chunk; `whose` is empty for the model's own.

    An answer of this very row of this very job was paid for before its evaluator died: it counts as it was given.
    Any other is a hit, which costs nothing: also what the job that this one is derived from had paid for before it
    ended, and has no score for.
    """

    request: ChunkRequested
    respondent: Respondent
    whose: tuple[str, ...] = ()

    async def known(
        self, questions: Sequence[Question], bus: Bus, *, timeout_seconds: float
    ) -> dict[int, Outcome]:
        """Outcomes by offset, of the rows that need not be asked for; raises TransientError if nobody can tell."""
        keys = {question.offset: self._keys(question) for question in questions}
        wanted = {row.private for row in keys.values()}
        wanted |= {row.source for row in keys.values() if row.source is not None}
        if self._reads:
            wanted |= {row.shared for row in keys.values()}
        found: dict[str, Answer] = {}
        for some in _batches(sorted(wanted)):
            found |= await _find(some, bus, timeout_seconds=timeout_seconds)
        outcomes: dict[int, Outcome] = {}
        for question in questions:
            outcome = self._outcome(question, keys[question.offset], found)
            if outcome is not None:
                outcomes[question.offset] = outcome
        return outcomes

    def given(self, question: Question, sample: JsonObject, asked: Asked) -> list[Answer]:
        """A new answer, as it is to be kept: where others find it if they may, and where this job will in any case."""
        keys = self._keys(question)
        places: dict[str, bool] = {}
        if self.respondent.cache in ("write", "on"):
            places[keys.shared] = True
        if not (places and self._reads):
            places[keys.private] = False
        return [
            Answer(
                key=key,
                job_id=self.request.job_id,
                row=self._row(question),
                is_shared=is_shared,
                sample=sample,
                asked=asked,
            )
            for key, is_shared in places.items()
        ]

    @property
    def _reads(self) -> bool:
        """Whether answers that others paid for will do."""
        return self.respondent.cache in ("read", "on")

    def _outcome(
        self, question: Question, keys: RowKeys, found: Mapping[str, Answer]
    ) -> Outcome | None:
        shared = found.get(keys.shared)
        own = found.get(keys.private)
        if own is None and shared is not None and self._is_own(shared, question):
            own = shared
        if own is not None:
            ANSWERS_KNOWN.labels("this_job").inc()
            return Outcome(result=own.sample, asked=own.asked)
        hit = shared if keys.source is None else found.get(keys.source, shared)
        if hit is None:
            return None
        ANSWERS_KNOWN.labels("cache").inc()
        cost = None if self.respondent.price is None else 0.0
        return Outcome(result=hit.sample, asked=Asked(is_cached=True, cost=cost))

    def _is_own(self, answer: Answer, question: Question) -> bool:
        return answer.job_id == self.request.job_id and answer.row == self._row(question)

    def _keys(self, question: Question) -> RowKeys:
        request, source = self.request, self.request.source_job_id
        shared = _digest(
            "shared",
            request.workspace,
            self.respondent.identity(),
            question.request,
            request.repeat,
        )
        return RowKeys(
            private=self._private_key(question, request.job_id),
            source=None if source is None else self._private_key(question, source),
            shared=shared,
        )

    def _private_key(self, question: Question, job_id: UUID) -> str:
        request = self.request
        return _digest(
            "private",
            str(job_id),
            request.plan.model.name,
            self.respondent.identity(),
            question.request,
            request.dataset,
            question.row,
            request.repeat,
            *self.whose,
        )

    def _row(self, question: Question) -> str:
        request = self.request
        parts = (request.dataset, request.plan.model.name, question.row, request.repeat)
        return "/".join(map(str, (*parts, *self.whose)))


def _digest(*parts: object) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _batches(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[first : first + KEYS_MAX] for first in range(0, len(keys), KEYS_MAX))


async def _find(keys: Sequence[str], bus: Bus, *, timeout_seconds: float) -> dict[str, Answer]:
    """The answers by key. Those that are too large for one reply are asked for apart."""
    try:
        found = await _ask(FindAnswers(keys=tuple(keys)), bus, timeout_seconds=timeout_seconds)
    except OverLimit:
        if len(keys) == 1:
            return {}  # larger than any reply: it has to be given again
        middle = len(keys) // 2
        halves = keys[:middle], keys[middle:]
        return {
            key: answer
            for half in halves
            for key, answer in (await _find(half, bus, timeout_seconds=timeout_seconds)).items()
        }
    return {answer.key: answer for answer in found.answers}


async def _ask(params: FindAnswers, bus: Bus, *, timeout_seconds: float) -> AnswersFound:
    request = RpcRequest(
        jsonrpc="2.0", method=METHOD, params=params.model_dump(mode="json"), id=str(uuid4())
    )
    message = codec.encode(request, cloudevents.RPC_REQUEST, source=SOURCE, is_persistent=False)
    question = Outgoing(
        message=message, exchange=ANSWERS_ASKED.exchange.name, key=ANSWERS_ASKED.key
    )
    try:
        answer = await bus.ask(question, timeout_seconds=timeout_seconds)
    except Unroutable as error:
        raise Unavailable(f"nobody can be asked for known answers: {error}") from None
    try:
        reply = RpcReply.model_validate_json(answer.body)
        if reply.error is None:
            return AnswersFound.model_validate_json(orjson.dumps(reply.result))
    except ValidationError as error:
        raise TransientError(f"{METHOD} was answered with something else: {error}") from None
    raise _meaning(reply.error)


def _meaning(error: RpcError) -> Exception:
    match error.code:
        case ErrorCode.OVER_LIMIT:
            return OverLimit(error.message)
        case ErrorCode.UNAVAILABLE:
            return Unavailable(error.message)
        case _:
            return TransientError(f"{METHOD}: {error.message}")
