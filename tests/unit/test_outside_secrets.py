"""Where secrets come from, and where they may go."""

from pathlib import Path

import pytest

from evalbus.errors import Invalid, NotAllowed, NotFound, Refused, WrongSettings
from evalbus.outside.secrets import Secrets, parse_bindings
from evalbus.settings import load_settings

CANARY = "sk-canary-7f3a"
HOST = "api.example"


def value(secrets: Secrets, name: str = "API_KEY", *, host: str = HOST, port: int = 443) -> str:
    return secrets.find(name, host=host, port=port).get_secret_value()


def a_file(folder: Path, content: str | bytes, name: str = "API_KEY") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_comes_before_a_variable(tmp_path: Path) -> None:
    # given
    a_file(tmp_path, f"{CANARY}\n")
    secrets = Secrets(folder=tmp_path, environment={"EVALBUS_SECRET_API_KEY": "other"})

    # when, then
    assert value(secrets) == CANARY


def test_a_variable_with_the_prefix_is_a_secret_everywhere(tmp_path: Path) -> None:
    secrets = Secrets(folder=tmp_path, environment={"EVALBUS_SECRET_API_KEY": CANARY})

    assert value(secrets) == CANARY


def test_a_bare_variable_is_a_secret_only_in_embedded_mode(tmp_path: Path) -> None:
    environment = {"API_KEY": CANARY}

    assert value(Secrets(folder=tmp_path, environment=environment, is_embedded=True)) == CANARY
    with pytest.raises(NotFound):
        value(Secrets(folder=tmp_path, environment=environment))


def test_a_secret_that_was_replaced_is_seen_without_a_restart(tmp_path: Path) -> None:
    # given
    secrets = Secrets(folder=tmp_path, environment={})
    a_file(tmp_path, "first-value")
    value(secrets)

    # when
    a_file(tmp_path, "second-value")

    # then
    assert value(secrets) == "second-value"


def test_a_missing_secret_is_named_with_the_places_where_it_was_looked_for(tmp_path: Path) -> None:
    # given
    a_file(tmp_path, f"{CANARY}", name="OTHER_KEY")
    secrets = Secrets(
        folder=tmp_path, environment={"EVALBUS_SECRET_OTHER_KEY": CANARY}, is_embedded=True
    )

    # when
    with pytest.raises(NotFound) as raised:
        value(secrets)

    # then
    places = f"{tmp_path / 'API_KEY'}, EVALBUS_SECRET_API_KEY, API_KEY"
    assert str(raised.value) == f"secret API_KEY is not set (looked for {places})"


@pytest.mark.parametrize("blank", ["", "  \n"])
def test_an_empty_secret_is_a_missing_one(tmp_path: Path, blank: str) -> None:
    with pytest.raises(NotFound):
        value(Secrets(folder=tmp_path, environment={"EVALBUS_SECRET_API_KEY": blank}))


@pytest.mark.parametrize(
    "name",
    [
        "EVALBUS_AMQP_URL",
        "EVALBUS_DATABASE_URL",
        "EVALBUS_SECRET_API_KEY",
        "PGPASSWORD",
        "PG",
        "../../etc/shadow",
        "api_key",
        "API-KEY",
        "API_KEY\n",
        "",
        "A" * 64,
    ],
)
def test_a_name_of_the_system_is_never_a_secret(tmp_path: Path, name: str) -> None:
    # given
    environment = {name: CANARY, f"EVALBUS_SECRET_{name}": CANARY}
    secrets = Secrets(folder=tmp_path, environment=environment, is_embedded=True)

    # when, then
    with pytest.raises(NotAllowed):
        value(secrets, name)


def test_a_secret_may_have_several_lines(tmp_path: Path) -> None:
    # given
    a_file(tmp_path, '{\n  "type": "service_account"\n}\n')

    # when, then
    assert value(Secrets(folder=tmp_path, environment={})) == '{\n  "type": "service_account"\n}'


def test_a_secret_that_is_too_large_is_refused(tmp_path: Path) -> None:
    # given
    a_file(tmp_path, "a" * 100_000)
    environment = {"EVALBUS_SECRET_OTHER": "a" * 100_000}

    # when, then
    for name in ("API_KEY", "OTHER"):
        with pytest.raises(Invalid, match=f"secret {name} has more than 16384 characters"):
            value(Secrets(folder=tmp_path, environment=environment), name)


def test_a_file_that_is_no_text_or_no_file_is_refused_by_its_path(tmp_path: Path) -> None:
    # given
    a_file(tmp_path, b"\xff\xfe\x00", name="NO_TEXT")
    (tmp_path / "FOLDER").mkdir()
    secrets = Secrets(folder=tmp_path, environment={})

    # when, then
    for name in ("NO_TEXT", "FOLDER"):
        with pytest.raises(Refused, match=str(tmp_path / name)):
            value(secrets, name)


@pytest.mark.parametrize(
    ("host", "port"),
    [("api.example", 443), ("API.example.", 443), ("eu.api.example", 8443), ("::1", 8000)],
)
def test_a_bound_secret_goes_to_its_hosts(tmp_path: Path, host: str, port: int) -> None:
    # given
    bindings = parse_bindings("API_KEY = api.example, eu.api.example:8443, [::1]:8000;")
    environment = {"EVALBUS_SECRET_API_KEY": CANARY}

    # when, then
    secrets = Secrets(bindings=bindings, folder=tmp_path, environment=environment)
    assert value(secrets, host=host, port=port) == CANARY


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("evil.example", 443),
        ("api.example.evil.example", 443),
        ("evil-api.example", 443),
        ("eu.api.example", 443),
        ("sub.api.example", 443),
    ],
)
def test_a_bound_secret_goes_nowhere_else(tmp_path: Path, host: str, port: int) -> None:
    # given
    bindings = parse_bindings("API_KEY=api.example,eu.api.example:8443")
    environment = {"EVALBUS_SECRET_API_KEY": CANARY, "EVALBUS_SECRET_OTHER": "other-value"}
    secrets = Secrets(bindings=bindings, folder=tmp_path, environment=environment)

    # when
    with pytest.raises(NotAllowed) as raised:
        value(secrets, host=host, port=port)

    # then
    assert "API_KEY may be sent to api.example, eu.api.example:8443 only" in str(raised.value)
    assert CANARY not in str(raised.value)
    assert value(secrets, "OTHER", host=host, port=port) == "other-value"


@pytest.mark.parametrize(
    "text",
    [
        f"API_KEY={CANARY}/x",
        "API_KEY",
        "API_KEY=",
        "=api.example",
        "API_KEY=https://api.example",
        "API_KEY=api.example:0",
        "API_KEY=api.example:70000",
        "API_KEY=a,,b",
        "api_key=api.example",
        "PGPASSWORD=api.example",
        "API_KEY=a; API_KEY=b",
    ],
)
def test_bindings_that_make_no_sense_are_wrong_settings_without_what_stands_there(
    text: str,
) -> None:
    # when
    with pytest.raises(WrongSettings, match=r"EVALBUS_BOUND_SECRETS: entry \d") as raised:
        Secrets.of(load_settings({"bound_secrets": text}))

    # then
    assert CANARY not in str(raised.value)


def test_no_bindings_bind_nothing() -> None:
    assert parse_bindings("") == {}
    assert parse_bindings(" ; ") == {}
