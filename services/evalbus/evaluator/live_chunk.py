"""One chunk on its way: samples first, then what live metrics ask about them, then scores.

Whatever runs other people's templates or metrics runs in a scoring child; in between it is asked from here.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain

import orjson
from pydantic import JsonValue

from evalbus.bus import codec
from evalbus.evaluator.asking import Outcome, Question
from evalbus.evaluator.call_log import cut_logs
from evalbus.evaluator.given import (
    NoAnswer,
    WhyNot,
    answered_line,
    sampled_line,
    unsampled_line,
)
from evalbus.evaluator.plans import Live, Questioned
from evalbus.evaluator.rounds import Round, Rounds
from evalbus.evaluator.scorer import Scorer
from evalbus.evaluator.scoring import join_lines, split_lines
from evalbus.models import LiveModel
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Asked, ChunkRequested, ChunkScored, ScoreError

ENVELOPE_BYTES = 64 * 1024
"""Room in a message beside its body."""


class LiveChunk:
    """Holds what is known of one chunk's rows while it comes in."""

    def __init__(
        self,
        request: ChunkRequested,
        live: Live,
        items: Sequence[bytes],
        scorer: Scorer,
        rounds: Rounds,
    ) -> None:
        self._request = request
        self._live = live
        self._items = items
        self._scorer = scorer
        self._rounds = rounds
        self._outcomes: dict[int, Outcome] = {}
        """Of the model, where it is asked."""
        self._answers: dict[int, dict[str, list[JsonValue]]] = {}
        """Of metrics' respondents by row and metric, as the scoring child takes them."""
        self._asked_by_metrics: list[list[Asked]] = [[] for _ in items]

    async def scored(self, *, message_bytes_max: int) -> bytes:
        """The body of ChunkScored."""
        started = time.perf_counter()
        lines = await self._with_samples()
        if self._live.questioned:
            lines = await self._with_answers(lines)
        given = self._request.model_copy(update={"samples": "given"})
        body = await self._scorer.score(given, join_lines(given, lines))
        return self._with_asked(
            body, seconds=time.perf_counter() - started, bytes_max=message_bytes_max
        )

    async def _with_samples(self) -> list[bytes]:
        """A line with its sample for every row, or with the reason for which it has none."""
        if self._request.samples == "given":
            return list(self._items)
        # Without metrics a child only renders: a recorded model's samples, or what a live one is asked.
        errors, lines = await self._from_child(metrics=(), samples="asked", lines=self._items)
        if self._live.model is None:
            return [
                sampled_line(item, sample)
                if offset not in errors
                else unsampled_line(item, errors[offset].code, errors[offset].message)
                for offset, (item, sample) in enumerate(zip(self._items, lines, strict=True))
            ]
        for offset, error in errors.items():
            why_not = WhyNot(code=error.code, message=error.message)
            self._note(offset, Outcome(result=why_not, asked=Asked()))
        await self._ask_model(
            self._live.model,
            [
                self._question(offset, orjson.loads(line))
                for offset, line in enumerate(lines)
                if offset not in errors
            ],
        )
        return [
            _given_line(item, self._outcomes[offset]) for offset, item in enumerate(self._items)
        ]

    async def _ask_model(self, model: LiveModel, questions: Sequence[Question]) -> None:
        await self._rounds.hold(
            [Round(respondent=model, whose=(), questions=questions, note=self._note)]
        )

    def _note(self, offset: int, outcome: Outcome) -> None:
        self._outcomes[offset] = outcome
        self._rounds.advance.note_row()

    async def _with_answers(self, lines: Sequence[bytes]) -> list[bytes]:
        """The lines with what live metrics were answered about the samples."""
        names = {one.metric for one in self._live.questioned}
        metrics = tuple(plugin for plugin in self._request.plan.metrics if plugin.name in names)
        errors, asked = await self._from_child(metrics=metrics, samples="given", lines=lines)
        for offset, line in enumerate(asked):
            if offset not in errors:
                self._answers[offset] = {name: list(of) for name, of in orjson.loads(line).items()}
            elif errors[offset].metric is not None:
                # It could not be asked about: so its metric fails over it, as one that has raised.
                self._answers[offset] = _nothing_asked(errors[offset], self._live.questioned)
        await self._rounds.hold([self._round(one, errors) for one in self._live.questioned])
        return [
            answered_line(line, dict[str, JsonValue](self._answers[offset]))
            if offset in self._answers
            else line
            for offset, line in enumerate(lines)
        ]

    def _round(self, questioned: Questioned, errors: Mapping[int, ScoreError]) -> Round:
        """The questions to one respondent; each outcome takes the place of its question."""
        name, place = questioned.metric, questioned.place
        whose = (name, str(place))
        questions = [
            self._question(offset, request, *whose)
            for offset, by_metric in self._answers.items()
            if offset not in errors and isinstance(request := by_metric[name][place], dict)
        ]
        note = partial(self._note_answer, name, place)
        return Round(respondent=questioned.respondent, whose=whose, questions=questions, note=note)

    def _note_answer(self, metric: str, place: int, offset: int, outcome: Outcome) -> None:
        self._answers[offset][metric][place] = _answer(outcome)
        requests = tuple(entry | {"metric": metric} for entry in outcome.asked.requests)
        self._asked_by_metrics[offset].append(
            outcome.asked.model_copy(update={"requests": requests})
        )

    def _question(self, offset: int, request: JsonObject, *whose: str) -> Question:
        row = self._request.row_index(offset)
        plan = self._request.plan
        return Question(
            offset=offset,
            row=row,
            call_id=codec.stable_id(
                "call",
                self._request.job_id,
                self._request.dataset,
                plan.model.name,
                row,
                self._request.repeat,
                *whose,
            ),
            request=request,
        )

    async def _from_child(
        self, *, metrics: Sequence[object], samples: str, lines: Sequence[bytes]
    ) -> tuple[dict[int, ScoreError], list[bytes]]:
        """Rendered lines by a scoring child, and why there is none for some rows."""
        rendering = self._request.model_copy(
            update={
                "plan": self._request.plan.model_copy(update={"metrics": tuple(metrics)}),
                "samples": samples,
                "wanted": "questions" if metrics else "scores",
            }
        )
        body = await self._scorer.score(rendering, join_lines(rendering, lines))
        head, _, rendered = body.partition(b"\n")
        scored = ChunkScored.model_validate_json(head)
        errors = {error.row: error for error in scored.errors if error.failed}
        return errors, split_lines(rendered, self._request.n_rows)

    def _with_asked(self, body: bytes, *, seconds: float, bytes_max: int) -> bytes:
        """The same with what each row took; request logs get the room that the rest leaves."""
        head, _, samples = body.partition(b"\n")
        asked = [
            self._outcomes[offset].asked for offset in range(self._request.n_rows) if self._outcomes
        ]
        by_metrics = self._asked_by_metrics if self._live.questioned else []
        scored = ChunkScored.model_validate_json(head)
        header = scored.model_copy(update={"seconds": seconds} | _told(asked, by_metrics, room=0))
        size = len(header.model_dump_json().encode()) + len(samples) + ENVELOPE_BYTES
        whole = header.model_copy(update=_told(asked, by_metrics, room=bytes_max - size))
        return whole.model_dump_json().encode() + b"\n" + samples


def _told(
    asked: Sequence[Asked], by_metrics: Sequence[Sequence[Asked]], *, room: int
) -> dict[str, object]:
    """What was asked, for the header, with logs that fit into so many bytes."""
    cut = iter(cut_logs([*asked, *chain.from_iterable(by_metrics)], bytes_max=room))
    return {
        "asked": tuple(next(cut) for _ in asked),
        "asked_by_metrics": tuple(tuple(next(cut) for _ in of_row) for of_row in by_metrics),
    }


def _given_line(item: bytes, outcome: Outcome) -> bytes:
    match outcome.result:
        case WhyNot(code=code, message=message):
            return unsampled_line(item, code, message)
        case sample:
            # How long it took belongs to the sample, as its metrics see it; out of the cache it took no time.
            if outcome.asked.seconds is not None:
                sample = sample | {"latency_seconds": outcome.asked.seconds}
            return sampled_line(item, orjson.dumps(sample))


def _answer(outcome: Outcome) -> JsonObject:
    match outcome.result:
        case WhyNot(code=code, message=message):
            return NoAnswer(code=code, message=message, is_unanswered=True).as_json
        case sample:
            return {"sample": sample}


def _nothing_asked(
    error: ScoreError, questioned: Sequence[Questioned]
) -> dict[str, list[JsonValue]]:
    """Of every metric, for the one that failed fails the row, and so no other need ask about it."""
    why = NoAnswer(code=error.code, message=error.message, is_unanswered=False).as_json
    answers: dict[str, list[JsonValue]] = {one.metric: [] for one in questioned}
    for one in questioned:
        answers[one.metric].append(why if one.metric == error.metric else None)
    return answers
