"""A chunk whose answers never fit ends its job with the reason, instead of being sent for ever."""

import asyncio
import json
from uuid import uuid4

import aio_pika

from evalbus.client import Client
from evalbus_schemas.jobs import Job
from tests.system import System, write_benchmark


async def answer_with_nonsense(amqp_url: str, until: asyncio.Event) -> None:
    """An evaluator of another make: it takes every chunk and gives it far too many columns."""
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        work = await channel.get_queue("evalbus.work.recorded")
        scored = await channel.get_exchange("evalbus.scored")
        while not until.is_set():
            message = await work.get(no_ack=True, fail=False)
            if message is None:
                await asyncio.sleep(0.05)
                continue
            await scored.publish(nonsense_for(message.body), "scored")


def nonsense_for(body: bytes) -> aio_pika.Message:
    asked = json.loads(body.partition(b"\n")[0])
    head = {
        **{name: asked[name] for name in ("job_id", "job", "workspace", "chunk", "n_rows")},
        "scores": [[1.0] * asked["n_rows"]] * 9,
        "seconds": 0.1,
        "evaluator": "of another make",
    }
    return aio_pika.Message(
        json.dumps(head).encode() + b"\n{}" * asked["n_rows"],
        headers={
            "cloudEvents:type": "evalbus.chunk.scored.v1",
            "cloudEvents:id": str(uuid4()),
        },
    )


async def test_it_ends_the_job_with_the_reason(empty_system: System) -> None:
    await asyncio.to_thread(empty_system.start, "producer", "results")
    file = write_benchmark(empty_system.folder, [{"output": "a", "reference": "a"}])
    over = asyncio.Event()

    def run() -> Job:
        with Client(amqp_url=empty_system.amqp_url) as client:
            return client.jobs.wait(client.jobs.start(file).name, timeout_seconds=60)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer_with_nonsense(empty_system.amqp_url, over))
        job = await asyncio.to_thread(run)
        over.set()

    assert job.error is not None, job
    assert job.error.code == "chunk_set_aside"
    assert "misfit" in job.error.message
