"""What a reply says: the answer in its type, or the error that the service raised."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from evalbus.errors import (
    Conflict,
    EvalbusError,
    Invalid,
    Malformed,
    NotAllowed,
    NotFound,
    OverLimit,
    Refused,
    Unavailable,
)
from evalbus.validation import describe
from evalbus_schemas.base import Open
from evalbus_schemas.rpc import ErrorCode, RpcError

A = TypeVar("A", bound=BaseModel)

_REFUSALS: dict[int, type[Refused]] = {
    kind.code: kind for kind in (Invalid, NotAllowed, NotFound, Conflict, OverLimit)
}


class _Reply(Open, Generic[A]):
    """The envelope with its result already in the answer's type, so that the body is parsed once."""

    id: str | int | None = None
    result: A | None = None
    error: RpcError | None = None


def answer_of(body: bytes, answer: type[A]) -> A:
    """The result; raises the error that the reply carries, Malformed when it carries neither."""
    contract: type[_Reply[A]] = _Reply[answer]  # type: ignore[valid-type]  # known at run time only
    try:
        reply = contract.model_validate_json(body)
    except ValidationError as error:
        raise Malformed("bad_reply", "; ".join(describe(error, contract))) from None
    if reply.error is not None:
        raise error_of(reply.error)
    if not isinstance(reply.result, answer):
        raise Malformed("bad_reply", "neither a result nor an error")
    return reply.result


def error_of(error: RpcError) -> EvalbusError:
    """The error of this side that means the same as the reply's."""
    if error.code == ErrorCode.UNAVAILABLE:
        return Unavailable(error.message)
    return _REFUSALS.get(error.code, Refused)(error.message, error.data)
