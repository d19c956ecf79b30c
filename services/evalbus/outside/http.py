"""HTTP as benchmarks may use it: one POST to a public host, a whole answer of bounded size, no secret in it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

import orjson
from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
)
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from evalbus.errors import NotAllowed, NotFound, Refused
from evalbus.outside.addresses import check_host, parse_url
from evalbus.outside.calls import CallFailed, HttpAnswer
from evalbus.outside.connector import guarded_connector
from evalbus.outside.redaction import Redaction
from evalbus.outside.secrets import Secrets
from evalbus.settings import Settings
from evalbus_schemas.base import JsonObject

READ_BYTES = 64 * 1024
REASON_CHARACTERS_MAX = 300


class Http:
    """The HTTP session of a process; an async context manager, to be used in the loop that entered it.

    It keeps no cookies, follows no redirects and asks no proxy: each of them would send a secret where nobody
    meant it to go.
    """

    def __init__(
        self,
        secrets: Secrets,
        *,
        answer_bytes_max: int,
        allow_private: bool,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._secrets = secrets
        self._answer_bytes_max = answer_bytes_max
        self._allow_private = allow_private
        self._resolver = resolver
        self._session: ClientSession | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises WrongSettings when the bindings of secrets make no sense."""
        return cls(
            Secrets.of(settings),
            answer_bytes_max=settings.answer_bytes_max,
            allow_private=settings.allow_private_endpoints,
        )

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            connector=guarded_connector(allow_private=self._allow_private, resolver=self._resolver),
            cookie_jar=DummyCookieJar(),
            headers={"Accept": "application/json", "User-Agent": "evalbus"},
            raise_for_status=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(
        self, url: str, body: JsonObject, *, secret: str | None, timeout_seconds: float
    ) -> HttpAnswer:
        """POST as JSON, with the named secret as bearer token; an answer of any status but a redirect.

        Everything else is CallFailed. What is about the endpoint (no connection, no answer in time) is an outage
        and may be tried again; what was refused before anything was sent, a redirect and an answer that is too
        large may not.
        """
        target = self._target(url)
        redaction, headers = self._authorization(target, secret)
        try:
            async with asyncio.timeout(timeout_seconds), self._posted(target, body, headers) as got:
                return await self._answer(got, target, redaction)
        except CallFailed:
            raise
        except NotAllowed as refusal:
            raise _refused("address_refused", refusal) from None
        except (TimeoutError, ClientError, OSError, UnicodeError) as error:
            raise _failure(error, target, timeout_seconds, redaction) from None

    def _target(self, url: str) -> URL:
        try:
            target = parse_url(url)
            check_host(target.raw_host or "", allow_private=self._allow_private)
        except Refused as refusal:
            raise _refused("address_refused", refusal) from None
        return target

    def _authorization(
        self, target: URL, secret: str | None
    ) -> tuple[Redaction | None, dict[str, str]]:
        if secret is None:
            return None, {}
        try:
            value = self._secrets.find(secret, host=target.raw_host or "", port=target.port or 0)
        except NotFound as refusal:
            raise _refused("secret_missing", refusal) from None
        except Refused as refusal:
            raise _refused("secret_refused", refusal) from None
        token = value.get_secret_value()
        if not (token.isascii() and token.isprintable()):
            raise CallFailed(
                "secret_refused",
                f"secret {secret} has characters in it that cannot be sent",
                is_retryable=False,
            )
        return Redaction(secret, value), {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def _posted(
        self, target: URL, body: JsonObject, headers: dict[str, str]
    ) -> AsyncGenerator[ClientResponse]:
        assert self._session is not None, "the session is open while it is used"
        async with self._session.post(
            target,
            data=orjson.dumps(body),
            headers={"Content-Type": "application/json", **headers},
            allow_redirects=False,
            # The whole attempt has its limit outside.
            timeout=ClientTimeout(total=None),
        ) as response:
            yield response

    async def _answer(
        self, response: ClientResponse, target: URL, redaction: Redaction | None
    ) -> HttpAnswer:
        if 300 <= response.status < 400:
            raise _redirected(response, target)
        body = bytearray()
        async for piece in response.content.iter_chunked(READ_BYTES):
            body += piece
            if len(body) > self._answer_bytes_max:
                # Closed, not read to its end: a few bytes on the wire can be gigabytes here.
                response.close()
                raise CallFailed(
                    "answer_too_large",
                    f"{_place(target)} answered with more than {self._answer_bytes_max} bytes",
                    is_retryable=False,
                )
        headers: dict[str, str] = {}
        for name, value in response.headers.items():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        answer = HttpAnswer(status=response.status, headers=headers, body=bytes(body))
        return answer if redaction is None else _redacted(answer, redaction)


def _redacted(answer: HttpAnswer, redaction: Redaction) -> HttpAnswer:
    is_success = 200 <= answer.status < 300
    return HttpAnswer(
        status=answer.status,
        headers={name: redaction.text(value) for name, value in answer.headers.items()},
        # What a model says must not be changed because somebody's key is called `none`.
        body=answer.body if redaction.is_ordinary and is_success else redaction.body(answer.body),
    )


def _refused(code: str, refusal: Refused) -> CallFailed:
    return CallFailed(code, refusal.message, is_retryable=False)


def _redirected(response: ClientResponse, target: URL) -> CallFailed:
    """Names the host alone: the rest of the address may repeat what was sent."""
    try:
        host = URL(response.headers.get("Location", "")).raw_host or "itself"
    except ValueError:
        host = "what is no address"
    return CallFailed(
        "redirected",
        f"{_place(target)} redirects (status {response.status}) to {host},"
        " and redirects are not followed: give the address that answers",
        is_retryable=False,
    )


def _failure(
    error: Exception, target: URL, timeout_seconds: float, redaction: Redaction | None
) -> CallFailed:
    """What became of a call that got no whole answer."""
    place = _place(target)
    why = _reason(error, redaction)
    match error:
        case TimeoutError():
            said = f"{place} did not answer within {timeout_seconds:g} s"
            return CallFailed("timeout", said, is_retryable=True, is_outage=True)
        case ClientConnectorDNSError():
            said = f"host {target.raw_host} cannot be resolved"
            return CallFailed("unreachable", said, is_retryable=True, is_outage=True)
        case ClientSSLError():
            said = f"no safe connection to {place}: {why}"
            return CallFailed("tls_failed", said, is_retryable=False)
        case ClientConnectorError() if isinstance(error.os_error, PermissionError):
            said = f"{place} may not be connected to: {why}"
            return CallFailed("address_refused", said, is_retryable=False)
        case InvalidURL():
            return CallFailed("address_refused", f"{place} is no address", is_retryable=False)
        case ClientPayloadError() if not isinstance(error.__cause__, ContentEncodingError):
            said = f"{place} broke off its answer: {why}"
            return CallFailed("broken_off", said, is_retryable=True, is_outage=True)
        case ClientPayloadError() | ClientResponseError():
            said = f"{place} answered with what is no HTTP: {why}"
            return CallFailed("garbage", said, is_retryable=True)
        case _:
            said = f"{place} cannot be reached: {why}"
            return CallFailed("unreachable", said, is_retryable=True, is_outage=True)


def _reason(error: Exception, redaction: Redaction | None) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if redaction is None else redaction.text(text))[:REASON_CHARACTERS_MAX]


def _place(target: URL) -> str:
    return f"{target.raw_host}:{target.port}"
