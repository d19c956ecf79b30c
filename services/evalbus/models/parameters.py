"""What may be written about every live model, whatever it is reached by."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from evalbus.models.base import CacheMode, Price
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template


class PromptMessage(Closed):
    """One message of a prompt that is a conversation."""

    role: Annotated[str, Field(min_length=1, max_length=63, examples=["user"])]
    content: Template


def _text_or_messages(prompt: object) -> str:
    return "text" if isinstance(prompt, str) else "messages"


PromptParameter = Annotated[
    Annotated[Template, Tag("text")]
    | Annotated[tuple[PromptMessage, ...], Field(min_length=1, max_length=100), Tag("messages")],
    Discriminator(_text_or_messages),
]

SET_BY_US = ("messages", "model", "prompt", "stream")
"""Fields of a request that are not inference, whatever is written there."""


class Inference(BaseModel):
    """How the model shall answer; what is not known here is passed on as it is."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("give either max_tokens or max_completion_tokens")
        for name in SET_BY_US:
            if name in (self.model_extra or {}):
                raise ValueError(f"{name} is no matter of inference")
        return self

    @property
    def fields(self) -> JsonObject:
        """What goes into the request: all that was written, but for null."""
        written: JsonObject = self.model_dump(mode="json", exclude_unset=True)
        return {name: value for name, value in written.items() if value is not None}


PRICE_MAX = 1e12
"""What the most tokens cost at this price, over all rows that a job may have, is still a number."""

PricePerMillion = Annotated[float, Field(ge=0, le=PRICE_MAX)]


class PriceParameters(Closed):
    """What a million tokens cost, in a unit of the writer's choice."""

    input_per_million: PricePerMillion
    output_per_million: PricePerMillion

    @property
    def price(self) -> Price:
        return Price(
            input_per_million=self.input_per_million, output_per_million=self.output_per_million
        )


class LiveParameters(Closed):
    """The parameters that all live models share."""

    prompt: PromptParameter
    system_prompt: Template | None = None
    inference: Inference = Inference()
    display_name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    price: PriceParameters | None = None
    cache: Annotated[
        CacheMode | None,
        Field(
            description="Whether answers are kept for other jobs and taken from them; on at temperature 0."
        ),
    ] = None

    @property
    def cache_mode(self) -> CacheMode:
        """Where nothing is said, answers are shared if the same request is meant to give the same answer."""
        if self.cache is not None:
            return self.cache
        return "on" if self.inference.temperature == 0 else "off"
