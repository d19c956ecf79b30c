"""The bus inside one process: the promises of the port without a broker, nothing kept beyond the process.

Publishing to a full queue waits. What comes back (a retry, the message of a cancelled handler) and what is set
aside always finds room: it was let in once, and whoever holds it must be able to put it down.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from getpass import getuser
from typing import Self
from uuid import uuid4

from evalbus.bus.arrival import arrived
from evalbus.bus.backoff import Backoff
from evalbus.bus.base import BusHealth, Handler, Message, Outgoing
from evalbus.bus.policy import Pause, RetryPolicy
from evalbus.bus.replies import is_reply_address
from evalbus.bus.settling import Settler
from evalbus.bus.tasks import Tasks
from evalbus.bus.topology import DEAD, EVENTS, EXCHANGES, QUEUES, TIERS, DelayTier, Queue
from evalbus.errors import PermanentError, Unavailable, Unroutable
from evalbus.logs import get_logger

log = get_logger(__name__)

LISTENER_MESSAGES_MAX = 10_000
"""A listener that is further behind loses the oldest, as on RabbitMQ."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waiting:
    """A message in a queue; two of them are never the same one."""

    message: Message
    key: str
    expires_at: float | None
    """In the event loop's time."""


class _MemoryQueue:
    """Holds the messages that wait for a consumer, and those who wait for a message or for room."""

    def __init__(self, *, capacity: int) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._room = asyncio.Semaphore(capacity)
        self._filled = asyncio.Semaphore(0)
        self._roomless = 0
        """How many were let in without asking for room."""

    async def put(self, waiting: _Waiting) -> None:
        """Return when it is in; waits for room."""
        await self._room.acquire()
        self._waiting.append(waiting)
        self._filled.release()

    def put_back(self, waiting: _Waiting) -> None:
        """Let in what was in before, room or not."""
        self._roomless += 1
        self._waiting.append(waiting)
        self._filled.release()

    async def take(self) -> _Waiting:
        await self._filled.acquire()
        if self._roomless:
            self._roomless -= 1
        else:
            self._room.release()
        return self._waiting.popleft()


class _Listener:
    """Holds the events that one listener has not read yet."""

    def __init__(self, pattern: str) -> None:
        self._pattern = topic_pattern(pattern)
        self._events: deque[Message] = deque(maxlen=LISTENER_MESSAGES_MAX)
        self._arrived = asyncio.Event()

    def wants(self, key: str) -> bool:
        return self._pattern.fullmatch(key) is not None

    def tell(self, event: Message) -> None:
        self._events.append(event)
        self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()


class MemoryBus:
    """Holds every queue, listener and unanswered question of one process."""

    def __init__(
        self,
        *,
        policy: RetryPolicy | None = None,
        capacity: int = 64,
        message_bytes_max: int = 8 * 1024 * 1024,
        publish_seconds_max: float = 60.0,
    ) -> None:
        self._policy = policy or RetryPolicy()
        self._message_bytes_max = message_bytes_max
        self._publish_seconds_max = publish_seconds_max
        self._queues = {queue.name: _MemoryQueue(capacity=capacity) for queue in QUEUES}
        self._routes = {(queue.exchange.name, queue.key): queue.name for queue in QUEUES}
        self._tiers = {tier.name: tier for tier in (*TIERS, *self._policy.tiers)}
        self._delays: set[asyncio.TimerHandle] = set()
        self._listeners: list[_Listener] = []
        self._questions: dict[str, asyncio.Future[Message]] = {}
        self._subscriptions: set[_MemorySubscription] = set()
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_open = False
        for delay in self._delays:
            delay.cancel()
        self._delays.clear()

    async def publish(self, *outgoing: Outgoing) -> None:
        """Return when all are in their queues; when one cannot be, the others are all the same."""
        refused: Unroutable | None = None
        try:
            async with asyncio.timeout(self._publish_seconds_max):
                for one in outgoing:
                    try:
                        await self._publish_one(one)
                    except Unroutable as error:
                        refused = refused or error
        except TimeoutError:
            raise Unavailable(
                f"no room on the bus within {self._publish_seconds_max:g} s"
            ) from None
        if refused is not None:
            raise refused

    @asynccontextmanager
    async def subscribe(
        self, queue: Queue, handler: Handler, *, prefetch: int
    ) -> AsyncGenerator["_MemorySubscription", None]:
        subscription = _MemorySubscription(
            queue=queue,
            source=self._queues[queue.name],
            settler=Settler(
                queue=queue, handler=handler, policy=self._policy, publish=self.publish
            ),
            prefetch=prefetch,
            message_bytes_max=self._message_bytes_max,
        )
        self._subscriptions.add(subscription)
        subscription.open()
        try:
            yield subscription
        finally:
            await subscription.drain(0.0)
            self._subscriptions.discard(subscription)

    async def ask(self, request: Outgoing, *, timeout_seconds: float) -> Message:
        address = f"evalbus.reply.{uuid4()}"
        message = replace(
            request.message,
            reply_to=address,
            # Whoever asks in this process is whoever runs it.
            sender=getuser(),
            correlation_id=request.message.correlation_id or str(uuid4()),
            expires_seconds=request.message.expires_seconds or timeout_seconds,
        )
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._questions[address] = answer
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._publish_one(replace(request, message=message))
                return await answer
        except TimeoutError:
            raise Unavailable(f"no answer within {timeout_seconds:g} s") from None
        finally:
            del self._questions[address]

    @asynccontextmanager
    async def listen(self, pattern: str) -> AsyncGenerator[AsyncIterator[Message], None]:
        listener = _Listener(pattern)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    @property
    def health(self) -> BusHealth:
        idle = tuple(sorted(s.queue.name for s in self._subscriptions if not s.is_consuming))
        return BusHealth(is_connected=self._is_open, idle_subscriptions=idle)

    async def _publish_one(self, outgoing: Outgoing) -> None:
        if not self._is_open:
            raise PermanentError("the bus is closed")
        if (tier := self._tiers.get(outgoing.exchange)) is not None:
            self._delay(outgoing, tier)
        elif outgoing.exchange == "":
            self._answer(outgoing)
        elif outgoing.exchange == EVENTS.name:
            self._tell(outgoing)
        elif outgoing.exchange == DEAD.name:
            self._queues[self._routes[DEAD.name, ""]].put_back(_waiting(outgoing))
        elif (name := self._routes.get((outgoing.exchange, outgoing.key))) is not None:
            await self._queues[name].put(_waiting(outgoing))
        elif outgoing.is_mandatory or outgoing.exchange not in _EXCHANGE_NAMES:
            raise Unroutable(f"nobody receives {outgoing.exchange!r} with key {outgoing.key!r}")

    def _delay(self, outgoing: Outgoing, tier: DelayTier) -> None:
        if outgoing.key not in self._queues:
            raise Unroutable(f"no queue {outgoing.key!r} to come back to")

        def come_back() -> None:
            self._delays.discard(delay)
            self._queues[outgoing.key].put_back(_waiting(outgoing))

        delay = asyncio.get_running_loop().call_later(tier.seconds, come_back)
        self._delays.add(delay)

    def _answer(self, outgoing: Outgoing) -> None:
        question = self._questions.get(outgoing.key)
        if question is not None and is_reply_address(outgoing.key):
            if not question.done():
                question.set_result(replace(outgoing.message, routing_key=outgoing.key))
        elif outgoing.is_mandatory:
            raise Unroutable(f"nobody waits for an answer at {outgoing.key!r}")

    def _tell(self, outgoing: Outgoing) -> None:
        listeners = [one for one in self._listeners if one.wants(outgoing.key)]
        if outgoing.is_mandatory and not listeners:
            raise Unroutable(f"nobody listens to {outgoing.key!r}")
        message = outgoing.message
        for listener in listeners:
            listener.tell(replace(message, routing_key=outgoing.key, body_bytes=len(message.body)))


class _MemorySubscription:
    """Takes messages off one queue, at most `prefetch` at once, and rests while a server is away."""

    def __init__(
        self,
        *,
        queue: Queue,
        source: _MemoryQueue,
        settler: Settler,
        prefetch: int,
        message_bytes_max: int,
    ) -> None:
        self.queue = queue
        self._source = source
        self._settler = settler
        self._hands = asyncio.Semaphore(prefetch)
        self._message_bytes_max = message_bytes_max
        self._in_hand = Tasks()
        self._unsettled: set[_Waiting] = set()
        """Taken off the queue and not done with; a task that is cancelled before it began cannot say so."""
        self._pump: asyncio.Task[None] | None = None
        self._rest = Backoff(first_seconds=1.0, most_seconds=5.0)
        self._rest_until = 0.0

    @property
    def is_consuming(self) -> bool:
        return self._pump is not None and not self._rest_seconds()

    def open(self) -> None:
        self._pump = asyncio.create_task(self._take(), name=f"take {self.queue.name}")

    async def drain(self, timeout_seconds: float) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])
        if timeout_seconds > 0:
            await self._in_hand.wait(timeout_seconds)
        await self._in_hand.cancel()
        for waiting in self._unsettled:
            self._source.put_back(waiting)
        self._unsettled.clear()

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._hands.acquire()
            waiting = await self._source.take()
            if waiting.expires_at is not None and waiting.expires_at < loop.time():
                self._hands.release()
                continue
            self._unsettled.add(waiting)
            while seconds := self._rest_seconds():  # noqa: ASYNC110  # it waits for a time
                await asyncio.sleep(seconds)
            self._in_hand.start(self._settle(waiting), name=f"handle {waiting.message.id}")

    async def _settle(self, waiting: _Waiting) -> None:
        message = arrived(
            waiting.message,
            self.queue,
            key=waiting.key,
            body_bytes_max=self._message_bytes_max,
        )
        try:
            self._note(await self._settler.settle(message))
        except BaseException:
            self._source.put_back(waiting)
            raise
        finally:
            self._unsettled.discard(waiting)
            self._hands.release()

    def _note(self, pause: Pause | None) -> None:
        if pause is None:
            self._rest.reset()
        elif not self._rest_seconds():
            seconds = self._rest.next_seconds()
            self._rest_until = asyncio.get_running_loop().time() + seconds
            log.warning("subscription.paused", queue=self.queue.name, seconds=round(seconds, 1))

    def _rest_seconds(self) -> float:
        return max(0.0, self._rest_until - asyncio.get_running_loop().time())


_EXCHANGE_NAMES = frozenset(exchange.name for exchange in EXCHANGES)


def _waiting(outgoing: Outgoing) -> _Waiting:
    expires = outgoing.message.expires_seconds
    return _Waiting(
        message=outgoing.message,
        key=outgoing.key,
        expires_at=None if expires is None else asyncio.get_running_loop().time() + expires,
    )


@lru_cache(maxsize=256)
def topic_pattern(pattern: str) -> re.Pattern[str]:
    """A topic pattern as AMQP means it: `*` is one word, `#` any number of words, none too."""
    text = r"\.".join(
        "(?:#)" if word == "#" else r"[^.]*" if word == "*" else re.escape(word)
        for word in pattern.split(".")
    )
    # A `#` takes the dot beside it with it, for it may stand for no word at all.
    text = text.replace(r"\.(?:#)", r"(?:\..*)?").replace(r"(?:#)\.", r"(?:.*\.)?")
    return re.compile(text.replace("(?:#)", ".*"))
