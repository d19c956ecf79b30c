"""A model behind a queue, as a process of its own that can be killed in the middle of an answer.

`python -m tests.servers.queue_model OPTIONS`, the options as JSON.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from tests.servers.deadline import wait_until

START_SECONDS = 30.0
STOP_SECONDS = 10.0

Manner = Literal["echo", "throttled", "refuses", "garbage", "silent"]
"""How it answers: with the prompt, with an error that is worth another try, with one that is not, with no JSON, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Options:
    amqp_url: str
    queue: str
    notes: str
    manner: Manner = "echo"
    """Of the first answers to each message; after `times` of them, by this process, it echoes."""
    times: int | None = None
    """None: always."""
    seconds: float = 0.0
    """Before each answer."""
    retry_after_s: float | None = None
    prefetch: int = 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, as it arrived."""

    message_id: str
    headers: Mapping[str, Any]
    expiration_seconds: float | None
    body: Mapping[str, Any]
    at: float
    """By time.monotonic(), which is the same for all processes."""
    is_redelivered: bool

    @property
    def prompt(self) -> str:
        messages = self.body.get("messages")
        return str(messages[-1]["content"] if messages else self.body["prompt"])

    @property
    def row(self) -> str:
        return str(self.headers["evalbus-row"])


class QueueModel:
    """One consumer of a queue; several on the same queue compete. A context manager.

    The queue is declared by whoever comes first, and stays when the process is gone.
    """

    def __init__(self, amqp_url: str, queue: str, folder: Path, **options: Any) -> None:
        """`folder` keeps its notes; for `options` see Options."""
        self.queue = queue
        self._notes = folder / f"queue-model-{uuid4().hex}.jsonl"
        self._options = Options(amqp_url=amqp_url, queue=queue, notes=str(self._notes), **options)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def asked(self) -> Sequence[Asked]:
        """What it has been asked so far, in order, over all its starts."""
        return [Asked(**line["asked"]) for line in self._lines() if "asked" in line]

    @property
    def answered(self) -> int:
        """How many replies it has sent."""
        return sum("answered" in line for line in self._lines())

    def start(self) -> None:
        """Return when it consumes. Safe twice."""
        if self._process is not None:
            return
        starts = self._starts()
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(asdict(self._options))],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
        )
        wait_until(
            lambda: self._starts() > starts or process.poll() is not None,
            timeout_seconds=START_SECONDS,
            otherwise=lambda: f"no consumer on {self.queue!r}",
        )
        if process.poll() is not None:
            raise RuntimeError(f"the model ended at its start with {process.returncode}")

    def kill(self) -> None:
        """As a crash would: what it has in hand goes back to the queue. Safe twice."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Safe twice."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(STOP_SECONDS)

    def _starts(self) -> int:
        return sum("started" in line for line in self._lines())

    def _lines(self) -> list[dict[str, Any]]:
        if not self._notes.exists():
            return []
        # A line may be half written, by a process that is being killed for instance.
        whole = self._notes.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]


class _Consumer:
    """The process's own side."""

    def __init__(self, options: Options, channel: AbstractChannel) -> None:
        self._options = options
        self._channel = channel
        self._notes = Path(options.notes)
        self._times = Counter[str]()

    async def handle(self, message: AbstractIncomingMessage) -> None:
        asked = Asked(
            message_id=message.message_id or "",
            headers={
                name: value if isinstance(value, str | int | float) else str(value)
                for name, value in message.headers.items()
            },
            expiration_seconds=_seconds(message.expiration),
            body=json.loads(message.body),
            at=time.monotonic(),
            is_redelivered=bool(message.redelivered),
        )
        before = self._times[asked.message_id]
        self._times[asked.message_id] += 1
        self._note(asked=asdict(asked))
        await asyncio.sleep(self._options.seconds)
        reply = self._reply(
            asked, is_back=self._options.times is not None and before >= self._options.times
        )
        if reply is not None and message.reply_to:
            await self._channel.default_exchange.publish(
                aio_pika.Message(reply, correlation_id=message.correlation_id),
                routing_key=message.reply_to,
            )
        await message.ack()
        self._note(answered=asked.message_id)

    def note_start(self) -> None:
        self._note(started=True)

    def _reply(self, asked: Asked, *, is_back: bool) -> bytes | None:
        match "echo" if is_back else self._options.manner:
            case "echo":
                usage = {"input_tokens": 7, "output_tokens": 3}
                return _json({"output_text": asked.prompt, "usage": usage})
            case "throttled":
                pause = self._options.retry_after_s
                return _error("busy", "come back later", retryable=True, retry_after_s=pause)
            case "refuses":
                return _error("too_long", "this is too long", retryable=False)
            case "garbage":
                return b"<html>"
            case "silent":
                return None

    def _note(self, **fact: Any) -> None:
        with self._notes.open("a") as notes:
            notes.write(json.dumps(fact) + "\n")


def _error(code: str, message: str, **more: Any) -> bytes:
    return _json({"error": {"code": code, "message": message, **more}})


def _json(answer: object) -> bytes:
    return json.dumps(answer).encode()


def _seconds(expiration: object) -> float | None:
    return float(expiration) if isinstance(expiration, int | float) else None


async def main(options: Options) -> None:
    """Answer until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    connection = await aio_pika.connect(options.amqp_url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=options.prefetch)
        queue = await channel.declare_queue(options.queue, durable=True)
        consumer = _Consumer(options, channel)
        await queue.consume(consumer.handle)
        consumer.note_start()
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(Options(**json.loads(sys.argv[1]))))
