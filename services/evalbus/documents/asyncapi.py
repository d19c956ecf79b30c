"""What flows over the broker as an AsyncAPI 3.0 document: channels from the topology, messages from the contracts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, JsonValue

from evalbus.bus import topology
from evalbus.bus.topology import Exchange, Queue
from evalbus_schemas import cloudevents
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import StartBenchmark
from evalbus_schemas.chunks import AnswersGiven, ChunkProgress, ChunkRequested, ChunkScored
from evalbus_schemas.events import BenchmarkEvent
from evalbus_schemas.metric_service import MetricReply, MetricRequest
from evalbus_schemas.model_service import ModelReply, ModelRequest
from evalbus_schemas.openrpc import CONTRACT_VERSION, schemas_of
from evalbus_schemas.rpc import RpcReply, RpcRequest

BINDING_VERSION: Final = "0.3.0"
EVENTS_CHANNEL: Final = "evalbus.events"
REPLIES_CHANNEL: Final = "replies"
MODELS_CHANNEL: Final = "a model's queue"
METRICS_CHANNEL: Final = "a metric's queue"

Action = Literal["send", "receive"]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A message: its CloudEvents type, what is in it, and one sentence."""

    name: str
    model: type[BaseModel]
    summary: str
    content_type: str = cloudevents.JSON


START = Contract(name=cloudevents.START_BENCHMARK, model=StartBenchmark, summary="Run a benchmark.")
LIFECYCLE = (
    Contract(
        name=cloudevents.BENCHMARK_STARTED,
        model=BenchmarkEvent,
        summary="A job's rows are being sent out.",
    ),
    Contract(
        name=cloudevents.BENCHMARK_COMPLETED,
        model=BenchmarkEvent,
        summary="Every row is scored, and the result stands.",
    ),
    Contract(
        name=cloudevents.BENCHMARK_FAILED,
        model=BenchmarkEvent,
        summary="A job ended in error; the rows scored so far are kept.",
    ),
    Contract(
        name=cloudevents.BENCHMARK_CANCELLED,
        model=BenchmarkEvent,
        summary="A job was cancelled; the rows scored so far are kept.",
    ),
    Contract(
        name=cloudevents.BENCHMARK_REJECTED,
        model=BenchmarkEvent,
        summary="A command was refused; `error` says why.",
    ),
)
REQUESTED = Contract(
    name=cloudevents.CHUNK_REQUESTED,
    model=ChunkRequested,
    summary="Line 1 is this model, each further line one item as it was read.",
    content_type=cloudevents.NDJSON,
)
SCORED = Contract(
    name=cloudevents.CHUNK_SCORED,
    model=ChunkScored,
    summary="Line 1 is this model, each further line one row's sample.",
    content_type=cloudevents.NDJSON,
)
PROGRESS = Contract(
    name=cloudevents.CHUNK_PROGRESS,
    model=ChunkProgress,
    summary="A chunk is still being worked on.",
)
ANSWERS = Contract(
    name=cloudevents.ANSWERS_GIVEN,
    model=AnswersGiven,
    summary="Answers of live models, before their chunk is whole.",
)
REQUEST = Contract(
    name=cloudevents.RPC_REQUEST,
    model=RpcRequest,
    summary="One call of a method; the OpenRPC document lists them.",
)
REPLY = Contract(name=cloudevents.RPC_REPLY, model=RpcReply, summary="The answer, or the error.")

MODEL_REQUEST = Contract(
    name=cloudevents.MODEL_REQUEST,
    model=ModelRequest,
    summary="A row's question to a model that is a service behind a queue of its own.",
)
MODEL_REPLY = Contract(
    name=cloudevents.MODEL_REPLY, model=ModelReply, summary="Its answer; no CloudEvents headers."
)
METRIC_REQUEST = Contract(
    name=cloudevents.METRIC_REQUEST,
    model=MetricRequest,
    summary="A row for a metric that is a service behind a queue of its own.",
)
METRIC_REPLY = Contract(
    name=cloudevents.METRIC_REPLY, model=MetricReply, summary="Its scores; no CloudEvents headers."
)

CONTRACTS: Final = (
    START,
    *LIFECYCLE,
    REQUESTED,
    SCORED,
    PROGRESS,
    ANSWERS,
    REQUEST,
    REPLY,
    MODEL_REQUEST,
    MODEL_REPLY,
    METRIC_REQUEST,
    METRIC_REPLY,
)

CARRIED: Final[dict[Queue, tuple[Contract, ...]]] = {
    topology.START_QUEUE: (START,),
    topology.WORK_RECORDED: (REQUESTED,),
    topology.WORK_LIVE: (REQUESTED,),
    topology.SCORED_QUEUE: (SCORED,),
    topology.PROGRESS_QUEUE: (PROGRESS,),
    topology.ANSWERS_QUEUE: (ANSWERS,),
    topology.ANSWERS_ASKED: (REQUEST,),
    topology.RPC_COMMANDS: (REQUEST,),
    topology.RPC_QUERIES: (REQUEST,),
    topology.DEAD_QUEUE: (),
}
ANSWERED: Final = (
    topology.START_QUEUE,
    topology.RPC_COMMANDS,
    topology.RPC_QUERIES,
    topology.ANSWERS_ASKED,
)


def asyncapi_document() -> JsonObject:
    """Seen from evalbus: it receives commands and requests, and sends events and replies."""
    channels: JsonObject = {queue.name: _queue_channel(queue) for queue in topology.QUEUES}
    channels[EVENTS_CHANNEL] = _events_channel()
    channels[REPLIES_CHANNEL] = _replies_channel()
    channels[MODELS_CHANNEL] = _service_channel("model", MODEL_REQUEST)
    channels[METRICS_CHANNEL] = _service_channel("metric", METRIC_REQUEST)
    operations: JsonObject = {
        f"receive {queue.name}": _operation("receive", queue.name, is_answered=queue in ANSWERED)
        for queue in topology.QUEUES
        if CARRIED[queue]
    }
    for channel in (MODELS_CHANNEL, METRICS_CHANNEL):
        operations[f"send {channel}"] = _operation("send", channel, is_answered=True)
    operations[f"send {EVENTS_CHANNEL}"] = _operation("send", EVENTS_CHANNEL, is_answered=False)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "evalbus",
            "version": CONTRACT_VERSION,
            "description": (
                "CloudEvents 1.0 in binary mode over AMQP 0-9-1. Other services publish StartBenchmark, bind a queue"
                " of their own to evalbus.events, and ask by JSON-RPC; the chunk messages are between our services."
            ),
        },
        "defaultContentType": cloudevents.JSON,
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {contract.name: _message(contract) for contract in CONTRACTS},
            "schemas": {
                "CloudEventHeaders": _headers(),
                **schemas_of({contract.model for contract in CONTRACTS}),
            },
        },
    }


def _queue_channel(queue: Queue) -> JsonObject:
    return {
        "address": queue.key or queue.name,
        "description": _queue_description(queue),
        "messages": _messages_of(CARRIED[queue]),
        "bindings": _routing_binding(queue.exchange),
        "x-queue": {"name": queue.name, "type": "quorum" if queue.is_quorum else "classic"},
    }


def _queue_description(queue: Queue) -> str:
    if queue is topology.DEAD_QUEUE:
        return "Messages of any kind that were set aside; the headers evalbus-* say from where and why."
    return f"Published to {queue.exchange.name} with this key, and kept in the queue {queue.name}."


def _events_channel() -> JsonObject:
    verbs: list[JsonValue] = [contract.name.split(".")[2] for contract in LIFECYCLE]
    return {
        "address": "benchmark.{verb}.{workspace}",
        "description": "Bind a queue of your own with a pattern such as benchmark.completed.#",
        "parameters": {
            "verb": {"enum": verbs, "description": "What happened."},
            "workspace": {"description": "Where; a workspace's name may contain dots."},
        },
        "messages": _messages_of(LIFECYCLE),
        "bindings": _routing_binding(topology.EVENTS),
    }


def _replies_channel() -> JsonObject:
    return {
        "address": None,
        "description": f"The queue that the request named in reply_to; it must match {topology.REPLY_TO_PATTERN}",
        "messages": _messages_of((REPLY, MODEL_REPLY, METRIC_REPLY)),
    }


def _service_channel(kind: str, request: Contract) -> JsonObject:
    return {
        "address": "{queue}",
        "description": f"Published through the default exchange to the queue that a {kind} of type amqp names.",
        "parameters": {"queue": {"description": "Neither evalbus.* nor amq.*."}},
        "messages": _messages_of((request,)),
    }


def _routing_binding(exchange: Exchange) -> JsonObject:
    return {
        "amqp": {
            "is": "routingKey",
            "exchange": {
                "name": exchange.name,
                "type": exchange.type,
                "durable": True,
                "autoDelete": False,
            },
            "bindingVersion": BINDING_VERSION,
        }
    }


def _messages_of(contracts: Sequence[Contract]) -> JsonObject:
    return {each.name: {"$ref": f"#/components/messages/{each.name}"} for each in contracts}


def _operation(action: Action, channel: str, *, is_answered: bool) -> JsonObject:
    operation: JsonObject = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
    if is_answered:
        operation["reply"] = {
            "address": {"location": "$message.header#/reply_to"},
            "channel": {"$ref": f"#/channels/{REPLIES_CHANNEL}"},
        }
    return operation


def _message(contract: Contract) -> JsonObject:
    return {
        "name": contract.name,
        "title": contract.model.__name__,
        "summary": contract.summary,
        "contentType": contract.content_type,
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": {"$ref": f"#/components/schemas/{contract.model.__name__}"},
    }


def _headers() -> JsonObject:
    text: JsonObject = {"type": "string"}
    names = ("id", "source", "type", "subject", "time")
    prefix = cloudevents.PREFIX
    properties: JsonObject = {f"{prefix}{name}": text for name in names}
    properties[f"{prefix}specversion"] = {"const": cloudevents.SPECVERSION}
    properties["traceparent"] = text
    return {
        "description": "Left out by a caller, the type follows from the routing key and the id from message_id.",
        "type": "object",
        "properties": properties,
    }
