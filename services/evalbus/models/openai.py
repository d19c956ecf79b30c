"""A model behind an HTTP endpoint that speaks as OpenAI's does: chat completions, or plain completions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import orjson
from pydantic import Field, JsonValue

from evalbus.errors import Invalid
from evalbus.models.answers import Garbage, tokens
from evalbus.models.base import OUTPUT_TEXT, Call, LiveModel, Reach, Reply
from evalbus.models.call_logs import logged_call, logged_object
from evalbus.models.http_service import HttpService, UrlText
from evalbus.models.parameters import LiveParameters
from evalbus.models.prompts import Prompt, as_messages, as_request
from evalbus.models.statuses import said_in
from evalbus.outside.secret_names import SecretName
from evalbus.templates import RowsFailed, Template, TemplateError
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits

SPEECHLESS = frozenset({"content", "tool_calls", "function_call", "refusal"})
"""A message with one of these may have no text: it was asked for tools, or would not answer."""

NO_TEXT = TemplateError("wrong_prompt", "prompt: a conversation, where api: completions wants text")

PATHS = {"chat": "/chat/completions", "completions": "/completions"}


class OpenAI(LiveModel):
    """Sends the rendered prompt, and takes the first choice of the answer.

    Its samples are `{"output_text": …, "response": …}`, the response being all that the endpoint said. Text that is
    null, as beside tool calls and refusals, is the empty text.
    """

    class Parameters(LiveParameters):
        url: Annotated[
            UrlText,
            Field(
                description="The base URL, to which /chat/completions or /completions is added.",
                examples=["http://127.0.0.1:8000/v1"],
            ),
        ]
        model: Annotated[str, Field(min_length=1, max_length=255)]
        api_key_secret: SecretName | None = None
        api: Literal["chat", "completions"] = "chat"

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._service = HttpService.at(
            parameters.url, path=PATHS[parameters.api], secret=parameters.api_key_secret
        )
        if parameters.api == "completions" and (
            parameters.system_prompt is not None or not isinstance(parameters.prompt, str)
        ):
            raise Invalid("api: completions takes a prompt that is one text, without roles")
        self._prompt = Prompt(parameters, limits)
        self._model = parameters.model
        self._api = parameters.api
        self._inference = parameters.inference.fields
        self.endpoint = self._service.endpoint
        self.price = None if parameters.price is None else parameters.price.price
        self.cache = parameters.cache_mode

    def templates(self) -> Mapping[str, Template]:
        return self._prompt.templates()

    def check(self, *, allow_private: bool) -> None:
        self._service.check(allow_private=allow_private)

    def requests(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject] | None = None
    ) -> list[JsonObject]:
        rendered = self._prompt.render_all(items, samples)
        if self._api == "chat":
            return [as_request(as_messages(prompt)) for prompt in rendered]
        conversations = {
            row: NO_TEXT for row, prompt in enumerate(rendered) if type(prompt) is not str
        }
        if conversations:
            raise RowsFailed(conversations)
        return [as_request(prompt) for prompt in rendered]

    def identity(self) -> JsonObject:
        return {
            "type": "openai",
            "url": self._service.url,
            "model": self._model,
            "inference": self._inference,
        }

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        body: JsonObject = {"model": self._model, **self._inference, **request}
        with logged_call(url=self._service.url, body=logged_object(body)) as log:
            response = await self._service.ask(body, call, reach, log)
            usage = response.get("usage")
            return Reply(
                sample={OUTPUT_TEXT: self._text(response), "response": response},
                input_tokens=tokens(usage, "prompt_tokens"),
                output_tokens=tokens(usage, "completion_tokens"),
                log=log,
            )

    def _text(self, response: JsonObject) -> str:
        match response:
            case {"choices": [{"message": dict(message)}, *_]} if self._api == "chat":
                text = _said(message)
            case {"choices": [{"text": str(found)}, *_]} if self._api == "completions":
                text = found
            case _:
                text = None
        if text is None:
            raise Garbage(
                f"{self._service.place} answered with no choice that has text in it: {said_in(orjson.dumps(response))}"
            )
        return text


def _said(message: JsonObject) -> str | None:
    """The text of a chat message, whole or in parts; None if there is neither text nor a reason to have none."""
    match message.get("content"):
        case str(text):
            return text
        case list(parts):
            return _joined(parts)
        case None if message.keys() & SPEECHLESS:
            return ""
        case _:
            return None


def _joined(parts: Sequence[JsonValue]) -> str | None:
    texts: list[str] = []
    for part in parts:
        match part:
            case {"text": str(text)}:
                texts.append(text)
            case {"type": str()}:
                pass  # what is no text stays in the response
            case _:
                return None
    return "".join(texts)
