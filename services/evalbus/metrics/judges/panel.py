"""The models that judge: how they are written in a benchmark, and how all of them are asked the same."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Self, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from evalbus.errors import Invalid
from evalbus.metrics.base import NO_CANDIDATE, UNPARSABLE, Batch, Note
from evalbus.metrics.judges.parsers import Said
from evalbus.models import OUTPUT_TEXT, LiveModel, build_model
from evalbus.models.base import CacheMode
from evalbus.models.parameters import Inference, PriceParameters, PromptParameter
from evalbus.outside.secret_names import SecretName
from evalbus.templates import RowsFailed, Template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.names import Name

JUDGES_MAX = 16
RESPONSE_FORMAT: Final = "response_format"

OF_THE_METRIC: Final = ("prompt", "system_prompt")
"""Parameters of a model that a judge's model does not have: all judges are asked the same."""


class JudgeModel(BaseModel):
    """A live model as a benchmark writes it, but for its prompt; what is not known here is up to its type.

    What changes no value (price, cache, secret, names) is left out of the metric's signature.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)

    type: Annotated[str, Field(min_length=1, max_length=63, examples=["openai"])]
    name: Annotated[
        Name | None, Field(exclude=True, description="In remarks; by default judge-1, judge-2, …")
    ] = None
    inference: Annotated[
        Inference,
        Field(description="Temperature is 0 where nothing is said; null sends none."),
    ] = Inference(temperature=0.0)
    display_name: Annotated[str | None, Field(exclude=True)] = None
    api_key_secret: Annotated[SecretName | None, Field(exclude=True)] = None
    price: Annotated[PriceParameters | None, Field(exclude=True)] = None
    cache: Annotated[CacheMode | None, Field(exclude=True)] = None

    @field_validator("inference")
    @classmethod
    def _cold_by_default(cls, inference: Inference) -> Inference:
        if "temperature" in inference.model_fields_set:
            return inference
        return inference.model_copy(update={"temperature": 0.0})

    @model_validator(mode="after")
    def _has_no_prompt(self) -> Self:
        for name in OF_THE_METRIC:
            if name in (self.model_extra or {}):
                raise ValueError(f"{name} belongs to the metric, not to its model")
        return self

    def plugin(self, name: str, question: JsonObject, response_format: JsonObject | None) -> Plugin:
        """The model with what is asked, ready to be built."""
        inference = self.inference.fields
        if response_format is not None:
            inference = {RESPONSE_FORMAT: response_format, **inference}
        written = {
            "display_name": self.display_name,
            "api_key_secret": self.api_key_secret,
            "price": None if self.price is None else self.price.model_dump(mode="json"),
            "cache": self.cache,
        }
        return Plugin.model_validate(
            {
                **(self.model_extra or {}),
                **{key: value for key, value in written.items() if value is not None},
                **question,
                "inference": inference,
                "name": name,
                "type": self.type,
            }
        )


class PanelParameters(Closed):
    """The parameters that all judges share."""

    model: Annotated[JudgeModel | None, Field(description="The live model that judges.")] = None
    models: Annotated[
        Annotated[tuple[JudgeModel, ...], Field(min_length=1, max_length=JUDGES_MAX)] | None,
        Field(description="Instead of model: several that judge independently."),
    ] = None
    structured_output: Annotated[
        bool,
        Field(
            description="Send a JSON schema of the answer as `response_format`; false for endpoints that know none."
        ),
    ] = True

    @model_validator(mode="after")
    def _some_model(self) -> Self:
        if (self.model is None) == (self.models is None):
            raise ValueError("give either model or models")
        names = self.names
        if len(set(names)) < len(names):
            raise ValueError("two of the models have the same name")
        return self

    @property
    def judges(self) -> tuple[JudgeModel, ...]:
        return self.models or () if self.model is None else (self.model,)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(
            judge.name or f"judge-{number}" for number, judge in enumerate(self.judges, start=1)
        )


class Panel:
    """The judges of one metric; raises Invalid for a model that cannot be built, or cannot be asked."""

    def __init__(
        self,
        parameters: PanelParameters,
        limits: RowLimits,
        *,
        prompt: PromptParameter,
        system_prompt: str | None,
        answer_schema: JsonObject | None,
    ) -> None:
        question: JsonObject = {"prompt": _as_json(prompt)}
        if system_prompt is not None:
            question["system_prompt"] = system_prompt
        wanted = answer_schema if parameters.structured_output else None
        response_format = None if wanted is None else _response_format(wanted)
        self.names = parameters.names
        self.respondents = tuple(
            _live(judge.plugin(name, question, response_format), limits)
            for judge, name in zip(parameters.judges, self.names, strict=True)
        )

    def templates(self) -> Mapping[str, Template]:
        """Those of the question, which is the same for all."""
        return self.respondents[0].templates()

    def questions(
        self,
        items: Sequence[JsonObject],
        samples: Sequence[JsonObject],
        not_asked: Mapping[int, Note],
    ) -> list[list[JsonObject | None]]:
        """What to ask each judge about each row; raises RowsFailed for rows whose question cannot be rendered."""
        asked = [row for row in range(len(items)) if row not in not_asked]
        questions: list[list[JsonObject | None]] = [[] for _ in items]
        for respondent in self.respondents:
            requests = dict(zip(asked, _requests(respondent, items, samples, asked), strict=True))
            for row, of_row in enumerate(questions):
                of_row.append(requests.get(row))
        return questions

    def said(self, batch: Batch, row: int) -> list[Said] | Note:
        """What the judges answered, in their order; a note if not all of them did."""
        answers = batch.answers[row] if row < len(batch.answers) else ()
        texts = [None if answer is None else answer.get(OUTPUT_TEXT) for answer in answers]
        if len(texts) != len(self.names):
            return Note(code=UNPARSABLE, message="no judge was asked")
        said: list[Said] = []
        for name, text in zip(self.names, texts, strict=True):
            if not isinstance(text, str):
                return Note(code=UNPARSABLE, message=f"{name} gave no text")
            said.append(Said(text))
        return said


def silent_rows(batch: Batch) -> dict[int, Note]:
    """A note for every row whose model said nothing at all: there is nothing to judge, and no call is paid for."""
    return {
        row: Note(code=NO_CANDIDATE, message="there is nothing to judge: null")
        for row, sample in enumerate(batch.samples)
        if sample.get(OUTPUT_TEXT, "") is None
    }


def _requests(
    respondent: LiveModel,
    items: Sequence[JsonObject],
    samples: Sequence[JsonObject],
    asked: Sequence[int],
) -> list[JsonObject]:
    try:
        return respondent.requests([items[row] for row in asked], [samples[row] for row in asked])
    except RowsFailed as failed:
        raise RowsFailed({asked[place]: error for place, error in failed.errors.items()}) from None


def _live(plugin: Plugin, limits: RowLimits) -> LiveModel:
    model = build_model(plugin, limits)
    if not isinstance(model, LiveModel):
        raise Invalid(
            f"model {plugin.name!r}: {plugin.type} cannot be asked; a judge is a live model"
        )
    return model


def _as_json(prompt: PromptParameter) -> JsonValue:
    if isinstance(prompt, str):
        return prompt
    return [cast("JsonObject", message.model_dump(mode="json")) for message in prompt]


def _response_format(schema: JsonObject) -> JsonObject:
    """As OpenAI's API takes it, and those of others that speak as it does."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "verdict", "strict": True, "schema": schema},
    }
