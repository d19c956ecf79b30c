"""Which bus a client asks on: that of running services, one in this process, or one that only reads a folder."""

from pathlib import Path

from evalbus.client.session import BusOpener
from evalbus.settings import Settings, load_settings

# runtime is imported inside the functions: it brings the adapters with it, which `import evalbus` must not wait for
# and which an installation without the server's extras does not have.


def client_settings(*, amqp_url: str | None = None, data_dir: str | Path | None = None) -> Settings:
    """The environment's settings with what the caller gave in their place."""
    overrides: dict[str, object] = {}
    if amqp_url is not None:
        overrides["amqp_url"] = amqp_url
    if data_dir is not None:
        overrides["data_dir"] = Path(data_dir)
    return load_settings(overrides)


def distributed(settings: Settings) -> BusOpener:
    from evalbus.runtime import connect

    return lambda: connect(settings)


def embedded(settings: Settings) -> BusOpener:
    from evalbus.runtime import embedded as start

    return lambda: start(settings)


def reading(settings: Settings) -> BusOpener:
    from evalbus.runtime import reading as read

    return lambda: read(settings)
