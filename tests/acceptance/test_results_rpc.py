"""Results for a service that has nothing of ours: JSON-RPC as bare AMQP messages."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import aio_pika

from tests.system import System

ROWS = [{"terse": "a", "chatty": "b", "reference": "a"}, {"terse": "c", "reference": "d"}]

BENCHMARK: dict[str, Any] = {
    "name": "letters",
    "datasets": [{"name": "rows", "rows": ROWS}],
    "models": [
        {"name": "terse", "type": "recorded", "output": "{{ item.terse }}"},
        {"name": "chatty", "type": "recorded", "output": "{{ item.chatty }}"},
    ],
    "metrics": [{"name": "exact", "type": "exact-match", "reference": "{{ item.reference }}"}],
}


class Stranger:
    """A connection, a queue for replies, and requests as text."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self._channel = channel

    async def ask(self, key: str, method: str, params: dict[str, Any]) -> Any:
        """The reply as it came; key is `commands` or `queries`."""
        replies = await self._channel.declare_queue(exclusive=True)
        exchange = await self._channel.get_exchange("evalbus.rpc", ensure=False)
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        correlation_id = str(uuid4())
        await exchange.publish(
            aio_pika.Message(
                json.dumps(request).encode(),
                content_type="application/json",
                message_id=str(uuid4()),
                correlation_id=correlation_id,
                reply_to=replies.name,
            ),
            key,
        )
        async with asyncio.timeout(60), replies.iterator() as arriving:
            reply = await anext(arriving)
            await reply.ack()
        assert reply.correlation_id == correlation_id
        return json.loads(reply.body)

    async def answer(self, key: str, method: str, params: dict[str, Any]) -> Any:
        reply = await self.ask(key, method, params)
        assert reply["id"] == 7
        assert "error" not in reply, reply
        return reply["result"]


async def test_results_are_asked_for_without_our_client(services: System) -> None:
    connection = await aio_pika.connect(services.amqp_url)
    async with connection, connection.channel() as channel:
        stranger = Stranger(channel)
        await stranger.answer("commands", "jobs.start", {"benchmark": BENCHMARK, "job": "first"})
        waiting = {"job": "first", "timeout_seconds": 30}
        job = await stranger.answer("queries", "jobs.wait", waiting)

        listed = await stranger.answer(
            "queries",
            "results.list",
            {
                "filter": {"$and": [{"benchmark": "default/letters"}, {"rows": {"$gt": 1}}]},
                "search": {"name": "fir"},
                "aggregate_fields": ["mean"],
                "page": 1,
                "page_size": 5,
            },
        )
        compared = await stranger.answer("queries", "results.compare", {"columns": ["first"]})
        datapoints = await stranger.answer("queries", "results.datapoints", {"job": "first"})
        refused = await stranger.ask("queries", "results.list", {"filter": {"bench": "x"}})
        deleted = await stranger.answer("commands", "results.delete", {"result": "first"})
        again = await stranger.ask("commands", "results.delete", {"result": "first"})
        job_deleted = await stranger.answer("commands", "jobs.delete", {"job": "first"})

    assert job["status"] == "completed"
    (result,) = listed["data"]
    assert [(each["model"], each["scores"][0]["mean"]) for each in result["results"]] == [
        ("default/terse", 0.5),
        ("default/chatty", 0.0),
    ]
    assert listed["pagination"] == {
        "page": 1,
        "page_size": 5,
        "current_page_size": 1,
        "total_pages": 1,
        "total_results": 1,
    }
    (score,) = compared["scores"]
    baseline, other = score["cells"]
    assert [column["model"] for column in compared["columns"]] == [
        "default/terse",
        "default/chatty",
    ]
    assert (baseline["mean"], baseline["count"], baseline["n_failed"]) == (0.5, 2, 0)
    # The chatty model has no answer to the second row, so one row is left to compare.
    assert (other["mean"], other["count"], other["n_failed"]) == (0.0, 1, 1)
    assert (other["n_paired"], other["delta"], other["worse"]) == (1, -1.0, 1)
    assert datapoints["head"]["execution"]["name"] == "first"
    first, second = map(json.loads, datapoints["lines"].split("\n")[:-1])
    assert [first["item"], second["item"]] == ROWS
    assert [score["value"] for score in first["scores"]] == [1.0, 0.0]
    chatty = second["scores"][1]
    assert (chatty["model"], chatty["value"]) == ("default/chatty", None)
    assert chatty["error"].startswith("missing_field: ")
    assert refused["error"]["code"] == -32602
    assert "benchmark" in refused["error"]["data"]["known"]
    assert deleted["id"] == job_deleted["id"] == "default/first"
    assert again["error"]["code"] == -32004


WRONG: tuple[tuple[dict[str, Any], list[str]], ...] = (
    ({"page": 0}, ["page", "greater than or equal to 1"]),
    ({"page_size": 1001}, ["page_size", "1000"]),
    ({"sort": "size"}, ["sort", "created_at"]),
    ({"aggregate_fields": ["median"]}, ["aggregate_fields", "mean"]),
    ({"filter": "{"}, ["JSON"]),
    ({"filter": {"name": {"$regex": "x"}}}, ["$regex", "$like"]),
    ({"filter": {"name'; DROP TABLE result; --": "x"}}, ["unknown filter field"]),
    ({"filter": "(" * 10_000}, []),
    ({"surch": {}}, ["surch", "did you mean 'search'"]),
)


async def test_a_wrong_query_is_answered_with_what_was_wrong(empty_system: System) -> None:
    empty_system.start("results")
    connection = await aio_pika.connect(empty_system.amqp_url)
    async with connection, connection.channel() as channel:
        stranger = Stranger(channel)
        refusals = [
            (await stranger.ask("queries", "results.list", params))["error"] for params, _ in WRONG
        ]
        # The service lives on.
        listed = await stranger.answer("queries", "results.list", {})

    for (params, words), refusal in zip(WRONG, refusals, strict=True):
        assert refusal["code"] in (-32602, -32010), params
        for word in words:
            assert word in refusal["message"], params
    assert listed["data"] == []
