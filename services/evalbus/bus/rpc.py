"""The answering half of JSON-RPC 2.0: one message in, one reply out, whatever the caller sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
from pydantic import BaseModel, ValidationError

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.replies import reply
from evalbus.errors import Refused, TransientError, unknown
from evalbus.logs import get_logger
from evalbus.validation import describe
from evalbus_schemas import cloudevents
from evalbus_schemas.base import JsonObject
from evalbus_schemas.queries import METHODS, Method
from evalbus_schemas.rpc import ErrorCode, RpcError, RpcReply, RpcRequest

log = get_logger(__name__)

BATCH_MAX = 20
RETRY_AFTER_SECONDS = 5
ANSWER_BYTES_MAX = 8 * 1024 * 1024

Answerer = Callable[[Any, Message], Awaitable[BaseModel]]
"""(params of the method's own model, the message that asked) → the method's answer."""


@dataclass(frozen=True, kw_only=True)
class RpcHandler:
    """Answers the methods it is given; everything else is an error in the reply, never a dead letter."""

    methods: Mapping[str, Answerer]
    source: str
    contracts: Mapping[str, Method] = field(default_factory=lambda: METHODS)

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        if message.body_bytes > len(message.body):
            text = (
                f"a request of {message.body_bytes} bytes is too large (EVALBUS_MESSAGE_BYTES_MAX)"
            )
            return rpc_reply(self.source, message, _error(None, ErrorCode.INVALID_REQUEST, text))
        try:
            body: object = orjson.loads(message.body)
        except orjson.JSONDecodeError as error:
            text = f"not JSON: {error}"
            return rpc_reply(self.source, message, _error(None, ErrorCode.PARSE_ERROR, text))
        if isinstance(body, list):
            return await self._batch(message, body)  # pyright: ignore[reportUnknownArgumentType]
        answer = await self._one(message, body)
        return [] if answer is None else _sent(self.source, message, answer)

    async def _batch(self, message: Message, calls: Sequence[object]) -> Sequence[Outgoing]:
        if not 1 <= len(calls) <= BATCH_MAX:
            text = f"a batch has 1 to {BATCH_MAX} calls, not {len(calls)}"
            return rpc_reply(self.source, message, _error(None, ErrorCode.INVALID_REQUEST, text))
        answers = [await self._one(message, call) for call in calls]
        given = [answer for answer in answers if answer is not None]
        if not given:
            return []
        return _sent(self.source, message, b"[" + b",".join(given) + b"]")

    async def _one(self, message: Message, call: object) -> bytes | None:
        """The reply; None for a notification."""
        try:
            request = RpcRequest.model_validate_json(orjson.dumps(call))
        except ValidationError as error:
            said = "; ".join(describe(error, RpcRequest))
            return _bytes(_error(None, ErrorCode.INVALID_REQUEST, said))
        answer = await self._answered(message, request)
        if "id" not in request.model_fields_set:
            return None
        if isinstance(answer, RpcReply):
            return _bytes(answer)
        written = _result(request.id, answer)
        if len(written) > ANSWER_BYTES_MAX:
            # Beyond this nobody would receive it; the caller would only see time pass.
            text = f"the answer is larger than {ANSWER_BYTES_MAX} bytes: ask for less at once"
            return _bytes(_error(request.id, ErrorCode.OVER_LIMIT, text))
        return written

    async def _answered(self, message: Message, request: RpcRequest) -> BaseModel:
        """The method's own answer, or a reply that says why there is none."""
        answerer = self.methods.get(request.method)
        if answerer is None:
            refusal = unknown("method", request.method, self.methods)
            return _error(request.id, ErrorCode.METHOD_NOT_FOUND, refusal.message, refusal.data)
        wanted = self.contracts[request.method].params
        try:
            params = wanted.model_validate_json(orjson.dumps(request.params))
        except ValidationError as error:
            return _error(request.id, ErrorCode.INVALID, "; ".join(describe(error, wanted)))
        try:
            return await answerer(params, message)
        except Refused as refusal:
            return _error(request.id, refusal.code, refusal.message, refusal.data)
        except TransientError as error:
            data: JsonObject = {"retry_after_s": RETRY_AFTER_SECONDS}
            return _error(request.id, ErrorCode.UNAVAILABLE, str(error), data)
        except Exception:
            log.exception("rpc.failed", method=request.method)
            return _error(request.id, ErrorCode.INTERNAL, "internal error; the log says more")


def rpc_reply(source: str, message: Message, answer: RpcReply) -> Sequence[Outgoing]:
    """The answer on its way to whoever asked; nothing if nobody did."""
    return _sent(source, message, _bytes(answer))


def refusal_reply(id: str | int | None, refusal: Refused) -> RpcReply:
    return _error(id, refusal.code, refusal.message, refusal.data)


def _error(id: str | int | None, code: int, text: str, data: JsonObject | None = None) -> RpcReply:
    return RpcReply(id=id, error=RpcError(code=code, message=text, data=data or None))


def _bytes(answer: RpcReply) -> bytes:
    absent = {"result"} if answer.error else {"error"}
    return answer.model_dump_json(exclude=absent).encode()


def _result(id: str | int | None, answer: BaseModel) -> bytes:
    """A large answer is written once, and not taken apart and checked again on its way into the envelope."""
    envelope = RpcReply(id=id).model_dump_json(include={"jsonrpc", "id"}).encode()
    return envelope[:-1] + b',"result":' + answer.model_dump_json().encode() + b"}"


def _sent(source: str, message: Message, body: bytes) -> Sequence[Outgoing]:
    answer = Message(
        body=body,
        id=str(uuid4()),
        type=cloudevents.RPC_REPLY,
        content_type=cloudevents.JSON,
        source=source,
        traceparent=message.traceparent,
        is_persistent=False,
    )
    outgoing = reply(message, answer)
    return [] if outgoing is None else [outgoing]
