"""Asking for many rows at once: what is known already is not asked for, and each answer is kept as it comes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalbus.bus.base import Bus
from evalbus.errors import Unavailable
from evalbus.evaluator.advance import Advance
from evalbus.evaluator.answers import RowAnswers
from evalbus.evaluator.asking import Asker, Outcome, Question
from evalbus.evaluator.circuit import Circuits
from evalbus.evaluator.given import WhyNot
from evalbus.evaluator.journal import AnswerJournal
from evalbus.evaluator.retrying import Random
from evalbus.models import Reach, Respondent
from evalbus_schemas.chunks import Asking, ChunkRequested

Note = Callable[[int, Outcome], None]
"""Told of the outcome for a row, by its offset within the chunk."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """The questions of one chunk to one respondent; `whose` tells those of metrics from those to the model."""

    respondent: Respondent
    whose: tuple[str, ...]
    questions: Sequence[Question]
    note: Note


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Asks on behalf of one chunk, never for more rows at once than it was allotted."""

    request: ChunkRequested
    asking: Asking
    bus: Bus
    reach: Reach
    circuits: Circuits
    journal: AnswerJournal
    random: Random
    rpc_seconds: float
    advance: Advance
    traceparent: str | None

    async def hold(self, rounds: Sequence[Round]) -> None:
        """Note an outcome for every question.

        Raises TransientError if nobody can tell what is known, and Unavailable when the bus went away; answers to
        calls that were out by then are kept all the same.
        """
        asked: list[tuple[Asker, RowAnswers, Round, Question]] = []
        for one in rounds:
            answers = RowAnswers(request=self.request, respondent=one.respondent, whose=one.whose)
            known = await answers.known(one.questions, self.bus, timeout_seconds=self.rpc_seconds)
            for offset, outcome in known.items():
                one.note(offset, outcome)
            asker = self._asker(one.respondent)
            asked += [
                (asker, answers, one, question)
                for question in one.questions
                if question.offset not in known
            ]
        await self._ask(asked)

    async def _ask(self, asked: Sequence[tuple[Asker, RowAnswers, Round, Question]]) -> None:
        waiting = iter(asked)
        given_up: list[Unavailable] = []

        async def ask_some() -> None:
            for asker, answers, one, question in waiting:
                try:
                    outcome = await asker.ask(question)
                except Unavailable as error:
                    # Raised later: other calls are out, and will have to be paid for.
                    given_up.append(error)
                    return
                one.note(question.offset, outcome)
                if not isinstance(outcome.result, WhyNot):
                    for answer in answers.given(question, outcome.result, outcome.asked):
                        self.journal.note(answer)

        async with asyncio.TaskGroup() as callers:
            for _ in range(min(self.asking.concurrency, len(asked))):
                callers.create_task(ask_some())
        if given_up:
            raise given_up[0]

    def _asker(self, respondent: Respondent) -> Asker:
        return Asker(
            respondent=respondent,
            circuit=self.circuits.of(respondent.endpoint),
            reach=self.reach,
            asking=self.asking,
            advance=self.advance,
            random=self.random,
            job=self.request.job,
            job_id=self.request.job_id,
            job_seen_at=self.circuits.first_seen(self.request.job_id),
            traceparent=self.traceparent,
            bus=self.bus,
        )
