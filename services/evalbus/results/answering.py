"""Answers of live models: kept as they come, and told to evaluators before they ask a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from evalbus.bus import codec
from evalbus.bus.base import Message, Outgoing
from evalbus.bus.rpc import RpcHandler
from evalbus.results.relaying import SOURCE
from evalbus.store.ports import AnswerStore
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import AnswersGiven
from evalbus_schemas.queries import ANSWERS_FIND, AnswersFound, FindAnswers


@dataclass(frozen=True, kw_only=True)
class KeepAnswers:
    """Safe to repeat: the first answer to a request stays."""

    answers: AnswerStore

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        given = codec.parse(message, AnswersGiven, type=cloudevents.ANSWERS_GIVEN)
        await self.answers.keep(given.answers)
        return []


def tell_answers(answers: AnswerStore) -> RpcHandler:
    """The handler of the evaluators' questions."""

    async def find(query: FindAnswers, _: Message) -> BaseModel:
        return AnswersFound(answers=tuple(await answers.find(query.keys)))

    return RpcHandler(
        methods={ANSWERS_FIND.name: find},
        contracts={ANSWERS_FIND.name: ANSWERS_FIND},
        source=SOURCE,
    )
