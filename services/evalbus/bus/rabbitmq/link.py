"""A connection to RabbitMQ that comes back by itself, the same way each time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    ProbableAuthenticationError,
)
from yarl import URL

from evalbus.bus.backoff import Backoff
from evalbus.bus.rabbitmq.guard import GuardedConnection
from evalbus.bus.tasks import Tasks
from evalbus.errors import PermanentError, Unavailable, WrongSettings
from evalbus.logs import get_logger

log = get_logger(__name__)

HEARTBEAT_SECONDS = 10
"""A frozen broker is noticed after about three of these; with the library's 60 it takes three minutes."""
ATTEMPT_SECONDS_MAX = 15.0
CLOSE_SECONDS_MAX = 5.0

CONNECTION_ERRORS = (AMQPError, ChannelInvalidStateError, OSError, RuntimeError, TimeoutError)
"""All that the library lets out when a connection or channel is not what it was a moment ago."""

Prepare = Callable[[AbstractConnection], Awaitable[None]]


class Link:
    """Holds one connection, and replaces it when it is lost.

    Plain connections, not the library's robust ones: those restore queues and consumers before we can look
    whether the broker still has what it had.
    """

    def __init__(
        self, url: str, *, name: str, prepare: Prepare, heartbeat_seconds: int = HEARTBEAT_SECONDS
    ) -> None:
        self._url = URL(url)
        self._name = name
        self._prepare = prepare
        self._heartbeat_seconds = heartbeat_seconds
        self._connection: AbstractConnection | None = None
        self._latest: AbstractConnection | None = None
        self._is_up = asyncio.Event()
        self._is_lost = asyncio.Event()
        self._tasks = Tasks()
        self._backoff = Backoff(first_seconds=0.2, most_seconds=5.0)
        self.detail = "not connected yet"
        """Why it is down, in words, while it is."""

    @property
    def is_up(self) -> bool:
        return self._is_up.is_set()

    @property
    def place(self) -> str:
        """Where the broker is, without the password."""
        return f"{self._url.host}:{self._url.port or 5672}"

    async def open(self, *, deadline: float) -> None:
        """Return when connected and prepared; raises Unavailable at the deadline (the event loop's time).

        What will not get better by waiting is raised at once, as WrongSettings.
        """
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)
        logging.getLogger("aio_pika").setLevel(logging.CRITICAL)
        loop = asyncio.get_running_loop()
        while not await self._try_once(deadline=deadline):
            wait = self._backoff.next_seconds()
            if loop.time() + wait >= deadline:
                raise Unavailable(f"RabbitMQ at {self.place} cannot be reached: {self.detail}")
            await asyncio.sleep(wait)
        self._tasks.start(self._keep_up(), name=f"keep {self._name} up")

    async def close(self) -> None:
        """Never longer than CLOSE_SECONDS_MAX, however the broker does. Safe twice."""
        await self._tasks.cancel()
        self._is_up.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            await close_quietly(connection)

    @property
    def user(self) -> str | None:
        """Whom the broker takes us for."""
        return self._url.user

    @property
    def server_version(self) -> str:
        """As the broker said it when it was greeted; empty while there is no connection."""
        if self._connection is None or self._connection.transport is None:
            return ""
        found = self._connection.transport.connection.server_properties.get("version", "")
        return found.decode() if isinstance(found, bytes | bytearray) else str(found)

    async def connection(self) -> AbstractConnection:
        """The connection that is up; waits for it."""
        while self._connection is None or not self._is_up.is_set():
            await self._is_up.wait()
        return self._connection

    async def _keep_up(self) -> None:
        while True:
            await self._is_lost.wait()
            self._is_up.clear()
            lost, self._connection = self._connection, None
            log.warning("bus.disconnected", connection=self._name, detail=self.detail)
            if lost is not None:
                await close_quietly(lost)
            while not await self._try_again():  # noqa: ASYNC110  # it tries, it does not wait for an event
                await asyncio.sleep(self._backoff.next_seconds())

    async def _try_again(self) -> bool:
        loop = asyncio.get_running_loop()
        try:
            return await self._try_once(deadline=loop.time() + 2 * ATTEMPT_SECONDS_MAX)
        except PermanentError as error:
            # Somebody may be mending the broker right now; who is running already waits for that.
            self.detail = str(error)
            log.error("bus.refused", connection=self._name, detail=self.detail)
            return False
        except Exception as error:
            # A bug in what is to be done on each connection must not leave us without one for ever.
            self.detail = in_words(error)
            log.error("bus.not_prepared", connection=self._name, exc_info=error)
            return False

    async def _try_once(self, *, deadline: float) -> bool:
        """Whether it is up now; why not stands in `detail`."""
        connection = GuardedConnection(
            self._url.update_query(heartbeat=self._heartbeat_seconds),
            client_properties={"connection_name": self._name},
        )
        connection.close_callbacks.add(partial(self._on_close, connection))
        self._latest = connection
        self._is_lost.clear()
        before = cancellations()
        try:
            async with asyncio.timeout_at(deadline):
                await connection.connect(timeout=ATTEMPT_SECONDS_MAX)
                await self._prepare(connection)
        except asyncio.CancelledError:
            await close_quietly(connection)
            if cancellations() > before:
                raise
            self.detail = "the connection was lost while it was made ready"
            return False
        except (*CONNECTION_ERRORS, Unavailable) as error:
            await close_quietly(connection)
            self._raise_if_hopeless(error, connection.last_words)
            # That the time was over says less than what an earlier try was told.
            if not (isinstance(error, TimeoutError) and self.detail):
                self.detail = connection.last_words or in_words(error)
            return False
        except BaseException:
            await close_quietly(connection)
            raise
        self._connection = connection
        self._backoff.reset()
        self.detail = ""
        if not self._is_lost.is_set():
            self._is_up.set()
            log.info("bus.connected", connection=self._name, place=self.place)
        return True

    def _on_close(
        self, closed: AbstractConnection, _: AbstractConnection | None, error: BaseException | None
    ) -> None:
        # An earlier one may take its time to close; that says nothing about this one.
        if closed is not self._latest:
            return
        self.detail = in_words(error) if error else "the connection was closed"
        self._is_up.clear()
        self._is_lost.set()

    def _raise_if_hopeless(self, error: BaseException, last_words: str) -> None:
        match error:
            case AuthenticationError() | ProbableAuthenticationError():
                raise WrongSettings(
                    f"RabbitMQ at {self.place} refuses user {self._url.user!r} and its password"
                ) from None
            case AMQPError() if last_words.startswith("NOT_ALLOWED"):
                raise WrongSettings(
                    f"RabbitMQ at {self.place} has no virtual host"
                    f" {self._url.path.removeprefix('/') or '/'!r}"
                    f" for user {self._url.user!r}: {last_words}"
                ) from None
            case _:
                return


async def close_quietly(closable: AbstractConnection | AbstractChannel) -> None:
    """Close what may be broken already: it is only the courtesy that can fail."""
    before = cancellations()
    try:
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await closable.close()
    except asyncio.CancelledError:
        if cancellations() > before:
            raise
    except Exception as error:
        log.debug("close.failed", error=in_words(error))


def in_words(error: BaseException) -> str:
    """One line that names the kind when the text alone says nothing."""
    text = " ".join(str(part) for part in error.args) if error.args else ""
    return text.splitlines()[0][:300] if text.strip() else type(error).__name__


def cancellations() -> int:
    """How often the running task was told to end.

    A connection that dies lets out CancelledError as well; only one that raised this number is meant for us.
    """
    task = asyncio.current_task()
    assert task is not None, "a coroutine that runs is run by a task"
    return task.cancelling()
