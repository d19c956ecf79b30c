"""CloudEvents 1.0 in binary mode over AMQP 0-9-1: header names, and the types that exist."""

from typing import Final

SPECVERSION: Final = "1.0"
PREFIX: Final = "cloudEvents:"
ACCEPTED_PREFIXES: Final = (PREFIX, "cloudEvents_")

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

START_BENCHMARK: Final = "evalbus.benchmark.start.v1"
BENCHMARK_STARTED: Final = "evalbus.benchmark.started.v1"
BENCHMARK_COMPLETED: Final = "evalbus.benchmark.completed.v1"
BENCHMARK_FAILED: Final = "evalbus.benchmark.failed.v1"
BENCHMARK_CANCELLED: Final = "evalbus.benchmark.cancelled.v1"
BENCHMARK_REJECTED: Final = "evalbus.benchmark.rejected.v1"
CHUNK_REQUESTED: Final = "evalbus.chunk.requested.v1"
CHUNK_SCORED: Final = "evalbus.chunk.scored.v1"
CHUNK_PROGRESS: Final = "evalbus.chunk.progress.v1"
ANSWERS_GIVEN: Final = "evalbus.answers.given.v1"
MODEL_REQUEST: Final = "evalbus.model.request.v1"
MODEL_REPLY: Final = "evalbus.model.reply.v1"
METRIC_REQUEST: Final = "evalbus.metric.request.v1"
METRIC_REPLY: Final = "evalbus.metric.reply.v1"
RPC_REQUEST: Final = "evalbus.rpc.request.v1"
RPC_REPLY: Final = "evalbus.rpc.reply.v1"


def lifecycle_type(verb: str) -> str:
    return f"evalbus.benchmark.{verb}.v1"
