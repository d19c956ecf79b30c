"""One call of one method: asked on the right queue, repeated while a repeat is safe, answered in its type."""

import asyncio
from collections.abc import Mapping
from typing import TypeVar
from uuid import uuid4

from pydantic import BaseModel, JsonValue

from evalbus.bus.base import Outgoing
from evalbus.bus.codec import encode
from evalbus.bus.topology import RPC_COMMANDS, RPC_QUERIES
from evalbus.client.parameters import parameters
from evalbus.client.replies import answer_of
from evalbus.client.session import Session
from evalbus.errors import Unavailable, Unroutable, unknown
from evalbus_schemas import cloudevents
from evalbus_schemas.queries import METHODS, Method
from evalbus_schemas.rpc import RpcRequest

A = TypeVar("A", bound=BaseModel)

SOURCE = "evalbus/client"
REPEAT_PAUSE_SECONDS = 0.5


class Calls:
    """Asks the services. Every call ends within its timeout, with an answer or an EvalbusError."""

    def __init__(self, session: Session, *, timeout_seconds: float) -> None:
        self._session = session
        self._timeout_seconds = timeout_seconds

    async def call(
        self,
        method: str,
        params: BaseModel,
        answer: type[A],
        *,
        extra_seconds: float = 0.0,
    ) -> A:
        """Ask; `extra_seconds` is what the method itself is allowed to take on top of the usual timeout.

        A call whose reply was lost with the connection is repeated: queries change nothing, and commands carry an
        idempotency key or are the same when done twice.
        """
        known = METHODS[method]
        assert known.answer is answer, f"{method} answers {known.answer.__name__}"
        bus = await self._session.bus()
        timeout_seconds = self._timeout_seconds + extra_seconds
        request = _request(known, params)
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_seconds
        while True:
            left = deadline - clock()
            try:
                reply = await bus.ask(request, timeout_seconds=left)
            except Unroutable:
                raise Unavailable(
                    "nobody answers on this broker: start the services with `evalbus serve`"
                ) from None
            except Unavailable:
                if deadline - clock() <= REPEAT_PAUSE_SECONDS:
                    raise
                await asyncio.sleep(REPEAT_PAUSE_SECONDS)
                continue
            return answer_of(reply.body, answer)

    async def call_by_name(self, method: str, params: Mapping[str, JsonValue]) -> BaseModel:
        """Any method with its parameters as JSON, answered in that method's own model."""
        known = METHODS.get(method)
        if known is None:
            raise unknown("method", method, METHODS)
        return await self.call(method, parameters(known.params, params), known.answer)


def _request(method: Method, params: BaseModel) -> Outgoing:
    # What nobody gave is left out, so that a service that is older than this client is not told of fields it does
    # not know; what somebody gave is told, also where it is the default.
    request = RpcRequest(
        jsonrpc="2.0",
        method=method.name,
        params=params.model_dump(mode="json", exclude_unset=True),
        id=str(uuid4()),
    )
    is_command = method.kind == "command"
    message = encode(request, cloudevents.RPC_REQUEST, source=SOURCE, is_persistent=is_command)
    queue = RPC_COMMANDS if is_command else RPC_QUERIES
    return Outgoing(message=message, exchange=queue.exchange.name, key=queue.key)
