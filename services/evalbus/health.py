"""Is this process alive, is it ready, and what has it counted: three small pages for whoever runs it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import override

from evalbus.errors import WrongSettings
from evalbus.logs import get_logger
from evalbus.settings import Settings

log = get_logger(__name__)

CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[str | None]]
"""None if all is well, else what is not."""


def pages(checks: dict[str, Check]) -> Starlette:
    async def healthz(_: Request) -> JSONResponse:
        # Alive means that the loop turns, never that a server elsewhere answers: a restart would not mend that.
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> JSONResponse:
        wrong = {name: said for name, check in checks.items() if (said := await _asked(check))}
        return JSONResponse(
            {"status": "not ready" if wrong else "ready", "wrong": wrong},
            status_code=503 if wrong else 200,
        )

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )


async def _asked(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return "no answer in time"
    except Exception as error:  # whatever it is, it makes this process not ready
        return str(error)


class _Server(uvicorn.Server):
    """Without signal handlers of its own: the process has one owner for them."""

    @contextmanager
    @override
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def served(settings: Settings, checks: dict[str, Check]) -> AsyncGenerator[None]:
    """Serve the pages if a port is set; raises WrongSettings if it cannot be had."""
    if settings.http_port is None:
        yield
        return
    server = _Server(
        uvicorn.Config(
            pages(checks),
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
    )
    task = asyncio.create_task(_run(server), name="health pages")
    while not server.started:
        if task.done():
            raise WrongSettings(
                f"EVALBUS_HTTP_PORT: {settings.http_host}:{settings.http_port} cannot be had"
            )
        await asyncio.sleep(0.01)
    log.info("health.served", host=settings.http_host, port=settings.http_port)
    try:
        yield
    finally:
        server.should_exit = True
        with suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(task, timeout=CHECK_SECONDS)


async def _run(server: uvicorn.Server) -> None:
    with suppress(SystemExit):  # uvicorn's word for a port that is taken
        await server.serve()
