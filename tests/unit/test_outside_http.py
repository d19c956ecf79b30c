"""What becomes of a POST to somebody else's endpoint."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evalbus.errors import WrongSettings
from evalbus.outside.calls import CallFailed, HttpAnswer
from evalbus.outside.http import Http
from evalbus.outside.secrets import Secrets, parse_bindings
from evalbus.settings import load_settings
from evalbus_schemas.base import JsonObject
from tests.servers.openai_endpoint import (
    Act,
    OpenAIEndpoint,
    betrays,
    breaks_off,
    drops,
    fails,
    hangs,
    html,
    redirects,
    returns,
    says,
    throttles,
    unpacks_to,
)
from tests.servers.ports import free_ports
from tests.unit.test_outside_addresses import Answers

# With all that JSON, URLs and regular expressions escape.
CANARY = 'sk-canary/7f3a+"\\(=%'
BODY: JsonObject = {"messages": [{"role": "user", "content": "Who?"}]}


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint() as started:
        yield started


@asynccontextmanager
async def opened(
    *,
    secret: str = CANARY,
    bound: str = "",
    answer_bytes_max: int = 100_000,
    allow_private: bool = True,
    resolver: Answers | None = None,
) -> AsyncGenerator[Http]:
    secrets = Secrets(
        bindings=parse_bindings(bound),
        folder=Path("/nonexistent"),
        environment={"EVALBUS_SECRET_API_KEY": secret},
    )
    async with Http(
        secrets, answer_bytes_max=answer_bytes_max, allow_private=allow_private, resolver=resolver
    ) as http:
        yield http


async def posted(
    http: Http, url: str, *, secret: str | None = None, timeout_seconds: float = 20.0
) -> HttpAnswer:
    return await http.post(url, BODY, secret=secret, timeout_seconds=timeout_seconds)


async def failure(
    http: Http, url: str, *, secret: str | None = None, timeout_seconds: float = 20.0
) -> CallFailed:
    with pytest.raises(CallFailed) as raised:
        await posted(http, url, secret=secret, timeout_seconds=timeout_seconds)
    return raised.value


async def test_the_body_is_json_and_the_secret_a_bearer_token(endpoint: OpenAIEndpoint) -> None:
    # when
    async with opened() as http:
        answer = await posted(http, f"{endpoint.url}/chat/completions", secret="API_KEY")

    # then
    (asked,) = endpoint.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == BODY
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == f"Bearer {CANARY}"
    assert answer.status == 200
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "Who?"


async def test_without_a_secret_nothing_is_authorized(endpoint: OpenAIEndpoint) -> None:
    async with opened() as http:
        await posted(http, endpoint.url)

    assert "authorization" not in endpoint.asked[0].headers


@pytest.mark.parametrize("act", [throttles("3"), fails(500), fails(404), html()])
async def test_an_answer_of_any_status_is_an_answer(endpoint: OpenAIEndpoint, act: Act) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    async with opened() as http:
        answer = await posted(http, endpoint.url)

    # then
    assert (answer.status, answer.body) == (act.status, act.body)
    assert answer.headers.get("retry-after") == act.headers.get("Retry-After")


@pytest.mark.parametrize(
    ("act", "code"), [(hangs(), "timeout"), (drops(), "unreachable"), (breaks_off(), "broken_off")]
)
async def test_an_endpoint_that_does_not_answer_is_an_outage(
    endpoint: OpenAIEndpoint, act: Act, code: str
) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    async with opened() as http:
        failed = await failure(http, endpoint.url, timeout_seconds=0.3)

    # then
    assert (failed.code, failed.is_retryable, failed.is_outage) == (code, True, True)
    assert f"127.0.0.1:{endpoint.port}" in failed.message


async def test_an_endpoint_that_died_is_an_outage_until_it_is_back(
    endpoint: OpenAIEndpoint,
) -> None:
    async with opened() as http:
        # given
        await posted(http, endpoint.url)
        endpoint.stop()

        # when
        failures = [await failure(http, endpoint.url) for _ in range(3)]
        endpoint.start()
        answer = await posted(http, endpoint.url)

    # then
    assert all(failed.is_outage and failed.is_retryable for failed in failures)
    assert {failed.code for failed in failures} == {"unreachable"}
    assert answer.status == 200


@asynccontextmanager
async def speaking(words: bytes) -> AsyncGenerator[str]:
    """A server that answers every connection with these bytes; its URL."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The whole request, so that closing does not take the answer with it.
        await reader.readuntil(b"}]}")
        writer.write(words)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        OK + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello",
    ],
)
async def test_what_is_no_http_may_be_better_next_time(words: bytes) -> None:
    async with speaking(words) as url, opened() as http:
        failed = await failure(http, url)

    assert (failed.code, failed.is_retryable, failed.is_outage) == ("garbage", True, False)
    assert len(failed.message) < 500


async def test_a_connection_that_is_not_safe_is_not_tried_again(endpoint: OpenAIEndpoint) -> None:
    async with opened() as http:
        failed = await failure(http, f"https://127.0.0.1:{endpoint.port}/v1", secret="API_KEY")

    assert (failed.code, failed.is_retryable) == ("tls_failed", False)
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("/v2", "itself"),
        ("//10.0.0.1/x", "10.0.0.1"),
        ("http://[::1", "what is no address"),
        ("http://me:canary@evil.example/?canary", "evil.example"),
    ],
)
async def test_whatever_a_redirect_says_its_host_alone_is_told(location: str, host: str) -> None:
    # given
    redirect = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"

    # when
    async with speaking(redirect.encode()) as url, opened() as http:
        failed = await failure(http, url)

    # then
    assert failed.code == "redirected"
    assert f"to {host}, and" in failed.message


async def test_a_name_that_does_not_resolve_is_an_outage() -> None:
    async with opened() as http:
        failed = await failure(http, "http://nowhere.invalid/v1")

    assert (failed.code, failed.is_retryable, failed.is_outage) == ("unreachable", True, True)
    assert "nowhere.invalid" in failed.message


@pytest.mark.parametrize("act", [unpacks_to(32 * 1024 * 1024), says("a" * 200_000)])
async def test_an_answer_over_the_limit_fails_for_good_however_well_it_is_packed(
    endpoint: OpenAIEndpoint, act: Act
) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    async with opened() as http:
        failed = await failure(http, endpoint.url)

    # then
    assert (failed.code, failed.is_retryable) == ("answer_too_large", False)


async def test_an_answer_at_the_limit_is_whole(endpoint: OpenAIEndpoint) -> None:
    # given
    act = says("a" * 50_000)
    endpoint.behaviour = lambda _: act

    # when
    async with opened(answer_bytes_max=len(act.body)) as http:
        answer = await posted(http, endpoint.url)

    # then
    assert answer.body == act.body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_names_its_host_alone(
    endpoint: OpenAIEndpoint, status: int
) -> None:
    with OpenAIEndpoint() as other:
        # given
        target = f"http://127.0.0.1:{other.port}/latest?key={CANARY}"
        endpoint.behaviour = lambda _: redirects(target, status)

        # when
        async with opened() as http:
            failed = await failure(http, endpoint.url, secret="API_KEY")

        # then
        assert (failed.code, failed.is_retryable) == ("redirected", False)
        assert f"(status {status}) to 127.0.0.1," in failed.message
        assert "latest" not in failed.message
        assert "canary" not in failed.message
        assert other.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/v1",
        "http://[::ffff:127.0.0.1]:{port}/v1",
        "http://2130706433:{port}/v1",
        "http://localhost:{port}/v1",
        "http://me:password@8.8.8.8/v1",
        "ftp://8.8.8.8/v1",
    ],
)
async def test_a_private_address_is_refused_before_anything_is_sent(
    endpoint: OpenAIEndpoint, url: str
) -> None:
    # when
    async with opened(allow_private=False) as http:
        failed = await failure(http, url.format(port=endpoint.port), secret="API_KEY")

    # then
    assert (failed.code, failed.is_retryable) == ("address_refused", False)
    assert endpoint.asked == []


async def test_a_name_that_resolves_to_a_private_address_is_refused(
    endpoint: OpenAIEndpoint,
) -> None:
    # when
    async with opened(allow_private=False, resolver=Answers("127.0.0.1")) as http:
        failed = await failure(http, f"http://rebound.example:{endpoint.port}/v1")

    # then
    assert (failed.code, failed.is_retryable) == ("address_refused", False)
    assert "rebound.example lies at 127.0.0.1" in failed.message
    assert endpoint.asked == []


async def test_a_secret_that_is_not_set_is_named_and_nothing_is_sent(
    endpoint: OpenAIEndpoint,
) -> None:
    # when
    async with opened() as http:
        failed = await failure(http, endpoint.url, secret="OTHER_KEY")

    # then
    assert (failed.code, failed.is_retryable) == ("secret_missing", False)
    assert "secret OTHER_KEY is not set" in failed.message
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("bound", "name"),
    [("API_KEY=api.example", "API_KEY"), ("", "EVALBUS_DATABASE_URL"), ("", "PGPASSWORD")],
)
async def test_a_secret_that_belongs_elsewhere_is_not_sent(
    endpoint: OpenAIEndpoint, bound: str, name: str
) -> None:
    # when
    async with opened(bound=bound) as http:
        failed = await failure(http, endpoint.url, secret=name)

    # then
    assert (failed.code, failed.is_retryable) == ("secret_refused", False)
    assert endpoint.asked == []


@pytest.mark.parametrize("tail", ["\r\nX-Other: 1", "\u2026", "\x00-"])
async def test_a_secret_that_no_header_can_hold_is_refused_without_its_value(
    endpoint: OpenAIEndpoint, tail: str
) -> None:
    # when
    async with opened(secret=CANARY + tail) as http:
        failed = await failure(http, endpoint.url, secret="API_KEY")

    # then
    assert (failed.code, failed.is_retryable) == ("secret_refused", False)
    assert "secret API_KEY has characters" in failed.message
    assert "canary" not in failed.message
    assert endpoint.asked == []


async def test_a_secret_bound_to_this_host_is_sent(endpoint: OpenAIEndpoint) -> None:
    async with opened(bound=f"API_KEY=127.0.0.1:{endpoint.port}") as http:
        answer = await posted(http, endpoint.url, secret="API_KEY")

    assert answer.status == 200


async def test_a_secret_that_comes_back_in_headers_and_body_is_taken_out(
    endpoint: OpenAIEndpoint,
) -> None:
    # given
    endpoint.behaviour = betrays

    # when
    async with opened() as http:
        answer = await posted(http, endpoint.url, secret="API_KEY")

    # then
    assert answer.headers["x-given"] == "Bearer [API_KEY]"
    assert json.loads(answer.body)["error"]["message"] == "wrong key: Bearer [API_KEY]"


@pytest.mark.parametrize(
    "spelt",
    [
        json.dumps(CANARY),
        json.dumps(json.dumps(CANARY)),
        json.dumps(CANARY).replace("/", "\\/"),
        "".join(f"\\u{ord(c):04x}" for c in CANARY),
        "".join(f"\\u{ord(c):04X}" for c in CANARY),
        "".join(f"%{ord(c):02X}" for c in CANARY),
        CANARY * 3,
    ],
)
async def test_a_secret_is_taken_out_of_answers_however_it_is_escaped(
    endpoint: OpenAIEndpoint, spelt: str
) -> None:
    # given
    endpoint.behaviour = lambda _: Act(body=f"it is {spelt}!".encode())

    # when
    async with opened() as http:
        answer = await posted(http, endpoint.url, secret="API_KEY")

    # then
    left = answer.body.replace(b"[API_KEY]", b"").decode()
    assert left.replace('"', "").replace("\\", "") == "it is !"


async def test_an_answer_that_is_all_backslashes_is_read_in_one_go(
    endpoint: OpenAIEndpoint,
) -> None:
    # given
    endpoint.behaviour = lambda _: Act(body=b"\\" * 1_000_000)

    # when, then
    async with opened(answer_bytes_max=2_000_000) as http:
        answer = await posted(http, endpoint.url, secret="API_KEY", timeout_seconds=10.0)
        assert answer.status == 200


async def test_a_placeholder_for_a_key_does_not_change_what_a_model_says(
    endpoint: OpenAIEndpoint,
) -> None:
    # given
    endpoint.behaviour = lambda _: says("there are none")

    # when
    async with opened(secret="none") as http:
        answer = await posted(http, endpoint.url, secret="API_KEY")
        endpoint.behaviour = betrays
        error = await posted(http, endpoint.url, secret="API_KEY")

    # then
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "there are none"
    assert b"Bearer none" not in error.body


async def test_proxies_and_cookies_change_nothing(
    endpoint: OpenAIEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    (nobody,) = free_ports(1)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{nobody}")
    endpoint.behaviour = lambda _: Act(headers={"Set-Cookie": "who=you; Path=/"})

    # when
    async with opened() as http:
        await posted(http, endpoint.url)
        await posted(http, endpoint.url)

    # then
    assert len(endpoint.asked) == 2
    assert all("cookie" not in asked.headers for asked in endpoint.asked)


async def test_many_calls_are_under_way_at_once(endpoint: OpenAIEndpoint) -> None:
    # given
    endpoint.behaviour = lambda _: says("yes", seconds=0.5)

    # when
    async with opened() as http, asyncio.TaskGroup() as calls:
        for _ in range(150):
            calls.create_task(posted(http, endpoint.url))

    # then
    assert endpoint.most_at_once == 150


async def test_a_call_that_is_cancelled_ends_at_once(endpoint: OpenAIEndpoint) -> None:
    # given
    endpoint.behaviour = lambda _: hangs()

    # when, then
    async with opened() as http:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await posted(http, endpoint.url)


@pytest.mark.parametrize("act", [html(), betrays, drops(), breaks_off(), returns({}, status=500)])
async def test_the_canary_is_in_no_failure_and_no_log(
    endpoint: OpenAIEndpoint, act: Act, caplog: pytest.LogCaptureFixture
) -> None:
    # given
    endpoint.behaviour = act if callable(act) else lambda _: act
    caplog.set_level(logging.DEBUG)

    # when
    said = ""
    async with opened() as http:
        try:
            said = repr(await posted(http, endpoint.url, secret="API_KEY"))
        except CallFailed as failed:
            said = repr((failed, vars(failed), failed.__cause__))

    # then
    assert endpoint.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert "canary" not in said
    assert "canary" not in caplog.text


def test_bindings_that_make_no_sense_stop_whoever_starts() -> None:
    with pytest.raises(WrongSettings):
        Http.of(load_settings({"bound_secrets": "API_KEY"}))
