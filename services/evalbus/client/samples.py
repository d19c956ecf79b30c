"""A benchmark as its samples: what a program of one's own gives to an agent, and what it judges the agent by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from evalbus.errors import PermanentError

DEFAULT_SPLIT = "All"


class WrongSamples(PermanentError, ValueError):
    """What was read is not what this class of benchmark is made of; the text names field and sample, or file and line."""


def _new_id() -> str:
    return uuid4().hex


def _nothing() -> dict[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a benchmark: `agent_inputs` is for the agent, `extras` for whoever judges its answer."""

    benchmark_id: str = "default"
    id: str = field(default_factory=_new_id)
    split: str = DEFAULT_SPLIT
    agent_inputs: dict[str, object] = field(default_factory=_nothing)
    extras: dict[str, object] = field(default_factory=_nothing)
    serialized_simulation_config: dict[str, object] = field(default_factory=_nothing)


def split_of(item: Mapping[str, object]) -> str:
    """Which split a row says that it belongs to, in the one spelling: `TEST` is `Test`; All when it says nothing."""
    split = item.get("split")
    return split.capitalize() if isinstance(split, str) and split else DEFAULT_SPLIT
