"""`evalbus serve`: the services, each alone or all in one process."""

from enum import Enum
from typing import Annotated, Literal

import typer

from evalbus.cli import loop
from evalbus.cli.exits import Stopped
from evalbus.cli.modes import embedded_banner, server_settings
from evalbus.cli.output import note
from evalbus.client.opening import needs
from evalbus.settings import Settings, load_settings

ServiceRole = Literal["producer", "evaluator", "results"]


class Role(Enum):
    PRODUCER = "producer"
    EVALUATOR = "evaluator"
    RESULTS = "results"
    ALL = "all"


ROLES: dict[Role, tuple[ServiceRole, ...]] = {
    Role.PRODUCER: ("producer",),
    Role.EVALUATOR: ("evaluator",),
    Role.RESULTS: ("results",),
    Role.ALL: ("producer", "evaluator", "results"),
}


def serve(
    role: Annotated[Role, typer.Argument(help="Which service.")],
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Scoring children of an evaluator (EVALBUS_WORKERS)."),
    ] = None,
) -> None:
    """Run a service until SIGINT or SIGTERM; `all` without servers runs everything in this process."""
    settings = _settings(role)
    if workers is not None:
        settings = settings.model_copy(update={"workers": workers})
    from evalbus import logs  # structlog takes time to load

    logs.configure(settings)
    if settings.is_embedded:
        note(embedded_banner(settings))
    # It ends because of a signal and in no other way, and says which.
    raise Stopped(loop.run(lambda: _serve(role, settings)))


def _settings(role: Role) -> Settings:
    settings = load_settings()
    if role is Role.ALL and settings.is_embedded:
        return settings
    # An evaluator reaches the broker and nothing else.
    return server_settings(f"serve {role.value}", needs_database=role is not Role.EVALUATOR)


async def _serve(role: Role, settings: Settings) -> int:
    with needs("server", f"serve {role.value}"):
        from evalbus.runtime import serve as serve_roles  # the adapters come with it

    return await serve_roles(ROLES[role], settings)
