"""JSON-RPC 2.0 as spoken on the queue: envelope and error codes."""

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from evalbus_schemas.base import Closed, JsonObject, Open


class ErrorCode(IntEnum):
    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID = -32602
    INTERNAL = -32603
    NOT_ALLOWED = -32001
    NOT_FOUND = -32004
    CONFLICT = -32009
    OVER_LIMIT = -32010
    UNAVAILABLE = -32011


class RpcRequest(Closed):
    """One call; `params` is an object, checked against the method's own model."""

    jsonrpc: Literal["2.0"]
    method: Annotated[str, Field(max_length=128)]
    params: JsonObject = {}
    id: Annotated[str, Field(max_length=255)] | int | None = None


class RpcError(Open):
    """A refusal; `data` says what was wanted, what was found and what is known."""

    code: int
    message: str
    data: JsonObject | None = None


class RpcReply(Open):
    """The answer: exactly one of `result` and `error` is present."""

    jsonrpc: Literal["2.0"] = "2.0"
    id: str | int | None
    result: JsonValue = None
    error: RpcError | None = None
