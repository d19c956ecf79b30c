"""Which bus a client asks on: that of running services, one in this process, or one that only reads a folder."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from evalbus.client.session import BusOpener
from evalbus.errors import WrongSettings
from evalbus.settings import Settings, load_settings

# What is imported inside functions brings the adapters with it: `import evalbus` must not wait for them, and an
# installation without the server's extras has only some.


def client_settings(*, amqp_url: str | None = None, data_dir: str | Path | None = None) -> Settings:
    """The environment's settings with what the caller gave in their place."""
    overrides: dict[str, object] = {}
    if amqp_url is not None:
        overrides["amqp_url"] = amqp_url
    if data_dir is not None:
        overrides["data_dir"] = Path(data_dir)
    return load_settings(overrides)


def distributed(settings: Settings) -> BusOpener:
    from evalbus.remote import connect

    return lambda: connect(settings)


def embedded(settings: Settings) -> BusOpener:
    with needs("embedded", "without EVALBUS_AMQP_URL everything runs in this process, which"):
        from evalbus.runtime import embedded as start

    return lambda: start(settings)


def reading(settings: Settings) -> BusOpener:
    with needs("embedded", "without EVALBUS_AMQP_URL this reads a private Postgres, which"):
        from evalbus.runtime import reading as read

    return lambda: read(settings)


def querying(settings: Settings) -> BusOpener:
    with needs("server", "asking the database without its broker"):
        from evalbus.runtime import querying as query

    return lambda: query(settings)


@contextmanager
def needs(extra: str, what: str) -> Generator[None, None, None]:
    """Raise WrongSettings, naming the extra to install, when a package is missing that only this extra has."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise WrongSettings(
            f"{what} needs packages that are not installed (no {error.name}): pip install 'evalbus[{extra}]'"
        ) from None
