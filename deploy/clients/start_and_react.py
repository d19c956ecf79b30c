"""Start a benchmark and react to its end, with nothing but aio-pika; EVALBUS_AMQP_URL says where."""

import asyncio
import json
import os
import uuid

import aio_pika

BENCHMARK = {
    "name": "capitals",
    "datasets": [{"name": "two", "rows": [{"said": "Paris", "true": "Paris"}, {"said": "Sydney", "true": "Canberra"}]}],
    "models": [{"name": "recorded", "type": "recorded", "output": "{{ item.said }}"}],
    "metrics": [{"name": "exact-match", "type": "exact-match", "reference": "{{ item.true }}"}],
}  # fmt: skip


async def main() -> None:
    async with await aio_pika.connect(os.environ["EVALBUS_AMQP_URL"]) as connection:
        channel = await connection.channel()
        # Listen first, then start: an event is told once, to whoever listens at that moment.
        queue = await channel.declare_queue(exclusive=True)
        for verb in ("completed", "failed", "cancelled", "rejected"):
            await queue.bind("evalbus.events", f"benchmark.{verb}.#")
        ours = str(uuid.uuid4())
        command = aio_pika.Message(json.dumps({"benchmark": BENCHMARK}).encode(), message_id=ours, correlation_id=ours, content_type="application/json", delivery_mode=2)  # fmt: skip
        commands = await channel.get_exchange("evalbus.commands")
        await commands.publish(command, "benchmark.start")
        async with queue.iterator(no_ack=True, timeout=60) as messages:
            async for message in messages:
                event = json.loads(message.body)
                if event["correlation_id"] == ours:
                    print(event["job"], event["status"], event["error"] or "")
                    for each in event["results"]:
                        print(each["model"], each["metric"], each["score"], each["mean"])
                    return


asyncio.run(main())
