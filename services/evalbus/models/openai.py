"""A model behind an HTTP endpoint that speaks as OpenAI's does: chat completions, or plain completions."""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import orjson
from pydantic import Field, JsonValue

from evalbus.errors import Invalid
from evalbus.models.answers import Garbage, json_object, logged_object, logged_text, tokens
from evalbus.models.base import OUTPUT_TEXT, Call, CallFailed, LiveModel, Reach, Reply
from evalbus.models.parameters import LiveParameters
from evalbus.models.prompts import Prompt, as_messages, as_request
from evalbus.models.statuses import failure_of, said_in
from evalbus.outside.addresses import check_url, parse_url
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
            str,
            Field(
                min_length=1,
                max_length=2048,
                description="The base URL, to which /chat/completions or /completions is added.",
                examples=["http://127.0.0.1:8000/v1"],
            ),
        ]
        model: Annotated[str, Field(min_length=1, max_length=255)]
        api_key_secret: SecretName | None = None
        api: Literal["chat", "completions"] = "chat"

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        try:
            target = parse_url(parameters.url)
        except Invalid as error:
            raise Invalid(f"url: {error.message}", error.data) from None
        if target.query_string or target.fragment:
            raise Invalid(
                "url: wanted a base URL without ? and #: what stands there would be kept with the benchmark"
            )
        if parameters.api == "completions" and (
            parameters.system_prompt is not None or not isinstance(parameters.prompt, str)
        ):
            raise Invalid("api: completions takes a prompt that is one text, without roles")
        self._prompt = Prompt(parameters, limits)
        self._url = f"{str(target).rstrip('/')}{PATHS[parameters.api]}"
        self._place = target.authority
        self._model = parameters.model
        self._api = parameters.api
        self._secret = parameters.api_key_secret
        self._inference = parameters.inference.fields
        self.endpoint = f"{target.scheme}://{target.host_subcomponent}:{target.port}"
        self.price = None if parameters.price is None else parameters.price.price
        self.cache = parameters.cache_mode

    def templates(self) -> Mapping[str, Template]:
        return self._prompt.templates()

    def check(self, *, allow_private: bool) -> None:
        check_url(self._url, allow_private=allow_private)

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
            "url": self._url,
            "model": self._model,
            "inference": self._inference,
        }

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        body: JsonObject = {"model": self._model, **self._inference, **request}
        log: JsonObject = {"url": self._url, "body": logged_object(body)}
        started = time.perf_counter()
        try:
            answer = await reach.post(
                self._url, body, secret=self._secret, timeout_seconds=call.timeout_seconds
            )
            log |= {"status": answer.status, "response": logged_text(answer.body)}
            if not 200 <= answer.status < 300:
                raise failure_of(answer, place=self._place)
            return self._reply(answer.body, log)
        except CallFailed as failure:
            log |= {"error": failure.message}
            failure.log = log
            raise
        finally:
            log |= {"seconds": round(time.perf_counter() - started, 6)}

    def _reply(self, body: bytes, log: JsonObject) -> Reply:
        response = json_object(body, place=self._place)
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
                f"{self._place} answered with no choice that has text in it: {said_in(orjson.dumps(response))}"
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
