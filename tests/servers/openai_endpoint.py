"""An OpenAI-compatible endpoint on a loopback port, that answers as a test wants it to and notes what it was asked."""

import asyncio
import gzip
import json
import threading
import time
from asyncio import Transport
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self, TypeVar

from aiohttp import web

from tests.servers.ports import free_ports

T = TypeVar("T")

STEP_SECONDS_MAX = 30.0
FOREVER_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, as it arrived."""

    path: str
    prompt: str
    """The last message, or the prompt of a plain completion: what tells the rows of a test apart."""
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float
    """By time.monotonic()."""
    number: int
    """1 for the first request with this prompt, 2 for its repeat."""

    @property
    def model(self) -> str:
        """Who is asked, where several models are served here."""
        return str(self.body.get("model", ""))


@dataclass(frozen=True, kw_only=True)
class Act:
    """What the endpoint does about one request."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    """Before it answers."""
    cut_at: int | None = None
    """So many bytes of the body are sent, then the connection is torn; 0 for no answer at all."""


Behaviour = Callable[[Asked], Act]


def says(text: str | None, *, seconds: float = 0.0, usage: object = None, **message: Any) -> Act:
    """A chat completion, and a plain one at the same time; 7 tokens in, 3 out unless `usage` says otherwise."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}}
    answer = {
        "id": "answer-1",
        "choices": [{**choice, "text": text, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3} if usage is None else usage,
    }
    return returns(answer, seconds=seconds)


def returns(answer: object, *, status: int = HTTPStatus.OK, seconds: float = 0.0) -> Act:
    """Any JSON."""
    headers = {"Content-Type": "application/json"}
    return Act(status=status, body=json.dumps(answer).encode(), headers=headers, seconds=seconds)


def fails(
    status: int,
    message: str = "no",
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = 0.0,
) -> Act:
    """An error as such endpoints write it."""
    act = returns({"error": {"message": message, "type": "error"}}, status=status)
    return Act(
        status=status, body=act.body, headers={**act.headers, **(headers or {})}, seconds=seconds
    )


def throttles(retry_after: str | None = None) -> Act:
    """429, with Retry-After as it is given."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return fails(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", headers=headers)


def hangs() -> Act:
    return Act(seconds=FOREVER_SECONDS)


def drops() -> Act:
    """Closes the connection without a word."""
    return Act(cut_at=0)


def breaks_off() -> Act:
    """Closes it in the middle of the answer."""
    act = says("half of an answer")
    return Act(body=act.body, headers=act.headers, cut_at=len(act.body) // 2)


def html() -> Act:
    page = b"<!doctype html><html><title>Welcome</title></html>"
    return Act(body=page, headers={"Content-Type": "text/html"})


def unpacks_to(size: int) -> Act:
    """A gzip bomb: a chat completion whose text has so many characters, in a thousandth of the bytes."""
    packed = gzip.compress(says("a" * size).body)
    return Act(
        body=packed, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
    )


def redirects(location: str, status: int = HTTPStatus.TEMPORARY_REDIRECT) -> Act:
    return Act(status=status, headers={"Location": location})


def echo(asked: Asked) -> Act:
    """Answers every question with itself."""
    return says(asked.prompt)


def judges(*, seconds: float = 0.0, **scores: object) -> Act:
    """A verdict as a judge is told to write it."""
    verdict = {"explanation": "I have looked at it.", **scores}
    return says(json.dumps(verdict), seconds=seconds)


def rambles() -> Act:
    """An essay in the place of a verdict: with numbers and labels in it, and none of them meant."""
    return says(
        "What is a good answer? Some would give it 5 of 5, others 1. " * 40
        + "As a language model I would rather not decide."
    )


def betrays(asked: Asked) -> Act:
    """Repeats the Authorization header in its error, as careless endpoints do."""
    given = asked.headers.get("authorization", "")
    return fails(HTTPStatus.UNAUTHORIZED, f"wrong key: {given}", headers={"X-Given": given})


class OpenAIEndpoint:
    """Answers by `behaviour`, which may be set to another one at any time; a context manager.

    It runs on a thread of its own. It may be stopped and started again, and keeps its port and its notes.
    """

    def __init__(self, behaviour: Behaviour = echo) -> None:
        self.behaviour = behaviour
        (self.port,) = free_ports(1)
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._seen: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        self._transports: set[Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="openai-endpoint", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The base URL for benchmark files."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def times_asked(self) -> Mapping[str, int]:
        """How often each prompt came."""
        return Counter(asked.prompt for asked in list(self.asked))

    def times_asked_of(self, model: str) -> Mapping[str, int]:
        """The same of one of the models that are served here."""
        return Counter(asked.prompt for asked in list(self.asked) if asked.model == model)

    def start(self) -> None:
        """Return when it listens. Safe twice."""
        if self._runner is None:
            self._run(self._start())

    def stop(self) -> None:
        """Die: connections are torn, not closed, and the port refuses new ones. Safe twice."""
        if self._runner is not None:
            self._run(self._stop())

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
        self._runner = runner

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        assert runner is not None, "it was started"
        for site in list(runner.sites):
            await site.stop()
        for transport in list(self._transports):
            transport.abort()
        await runner.cleanup()
        self._transports.clear()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert isinstance(transport, Transport), "a request comes over a connection"
        self._transports.add(transport)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            act = self.behaviour(await self._noted(request))
            await asyncio.sleep(act.seconds)
            return await self._answer(request, transport, act)
        finally:
            self._at_once -= 1
            if transport.is_closing():
                self._transports.discard(transport)

    async def _noted(self, request: web.Request) -> Asked:
        raw = await request.read()
        body: dict[str, Any] = {}
        with suppress(ValueError):
            body = json.loads(raw)
        prompt = _prompt_of(body)
        self._seen[prompt] += 1
        asked = Asked(
            path=request.path,
            prompt=prompt,
            body=body,
            headers={name.lower(): value for name, value in request.headers.items()},
            at=time.monotonic(),
            number=self._seen[prompt],
        )
        self.asked.append(asked)
        return asked

    async def _answer(
        self, request: web.Request, transport: Transport, act: Act
    ) -> web.StreamResponse:
        if act.cut_at is None:
            return web.Response(status=act.status, body=act.body, headers=act.headers)
        response = web.StreamResponse(status=act.status, headers=act.headers)
        if act.cut_at:
            response.content_length = len(act.body)
            await response.prepare(request)
            await response.write(act.body[: act.cut_at])
        # Closed, so that what was written arrives; aborted, it might not.
        transport.close()
        return response

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STEP_SECONDS_MAX)


def _prompt_of(body: Mapping[str, Any]) -> str:
    messages = body.get("messages")
    found = messages[-1].get("content") if messages else body.get("prompt", "")
    return found if isinstance(found, str) else json.dumps(found)
