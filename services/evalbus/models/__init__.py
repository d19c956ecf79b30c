"""The kinds of model; a new one is a file here and a line in the table."""

from typing import Final

from evalbus.models.amqp import Amqp
from evalbus.models.base import (
    OUTPUT_TEXT,
    SAMPLE_FIELDS,
    Call,
    CallFailed,
    LiveModel,
    Model,
    Price,
    Reach,
    RecordedModel,
    Reply,
    Respondent,
)
from evalbus.models.openai import OpenAI
from evalbus.models.recorded import Recorded
from evalbus.registry import Table, build
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.chunks import RowLimits

MODELS: Final = Table[Model](
    kind="model type",
    group="evalbus.models",
    base=Model,
    builtin={
        "amqp": Amqp,
        "openai": OpenAI,
        "recorded": Recorded,
    },
)


def build_model(plugin: Plugin, limits: RowLimits) -> Model:
    """The model that a benchmark names; raises Invalid."""
    return build(MODELS, plugin, limits=limits, where=f"model {plugin.name!r}")


__all__ = [
    "MODELS",
    "OUTPUT_TEXT",
    "SAMPLE_FIELDS",
    "Amqp",
    "Call",
    "CallFailed",
    "LiveModel",
    "Model",
    "OpenAI",
    "Price",
    "Reach",
    "Recorded",
    "RecordedModel",
    "Reply",
    "Respondent",
    "build_model",
]
