"""What a model that is itself a service behind a queue is asked, and what it replies to the address in `reply_to`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalbus_schemas.base import JsonObject, Open


class ModelRequest(Open):
    """One row's question, as a text or as a conversation.

    The message id is the same at every attempt, so that a repeat can be recognised; the message expires with its row.
    The headers `evalbus-job` and `evalbus-row` say what it is for.
    """

    version: Literal[1] = 1
    model: str
    prompt: str | None = None
    messages: tuple[JsonObject, ...] | None = None
    inference: JsonObject = {}

    @model_validator(mode="after")
    def _one_question(self) -> "ModelRequest":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("either prompt or messages")
        return self


class TokenUsage(Open):
    input_tokens: Annotated[int, Field(ge=0)] | None = None
    output_tokens: Annotated[int, Field(ge=0)] | None = None


class ModelError(Open):
    """Why there is no answer; one that does not say whether asking again helps is taken to say no."""

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")]
    message: str = ""
    retryable: bool = False
    retry_after_s: float | None = None


class ModelReply(Open):
    """The answer, or the error."""

    output_text: str | None = None
    usage: TokenUsage | None = None
    error: ModelError | None = None
