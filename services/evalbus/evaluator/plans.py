"""A plan made ready to run: the model and metrics built once, however many chunks ask for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from evalbus.errors import Invalid
from evalbus.evaluator.pace import Pace
from evalbus.metrics import Metric, build_metric
from evalbus.models import LiveModel, Model, RecordedModel, build_model
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.chunks import Plan, RowLimits

PLANS_KEPT_MAX = 64

Answer = Callable[[Sequence[JsonObject]], list[JsonObject]]
"""One sample for each item; raises RowsFailed for those without one."""


@dataclass(frozen=True, kw_only=True)
class NamedMetric:
    name: str
    metric: Metric


@dataclass(frozen=True, kw_only=True)
class ReadyPlan:
    """Stateless but for its pace, which says how fast rows of this plan were so far."""

    model_name: str
    model: Model
    metrics: tuple[NamedMetric, ...]
    pace: Pace = field(default_factory=Pace)

    @property
    def n_columns(self) -> int:
        return sum(len(named.metric.scores) for named in self.metrics)

    @property
    def answer(self) -> Answer:
        """What makes samples of items: a recorded model's answers, or what a live one would be asked.

        Raises Invalid for a live model with metrics: a metric must never take a request for an answer.
        """
        match self.model:
            case RecordedModel():
                return self.model.answer
            case LiveModel() if not self.metrics:
                return self.model.requests
            case _:
                raise Invalid(f"model {self.model_name!r} is asked before its rows are scored")


def ready(plan: Plan, limits: RowLimits) -> ReadyPlan:
    """Raises Invalid if this process cannot run the plan."""
    return _ready(plan.model_dump_json(), limits.model_dump_json())


def ready_model(model: Plugin, limits: RowLimits) -> Model:
    """The plan's model alone; raises Invalid if this process cannot build it."""
    return _ready_model(model.model_dump_json(), limits.model_dump_json())


@lru_cache(maxsize=PLANS_KEPT_MAX)
def _ready(plan_json: str, limits_json: str) -> ReadyPlan:
    plan = Plan.model_validate_json(plan_json)
    limits = RowLimits.model_validate_json(limits_json)
    return ReadyPlan(
        model_name=plan.model.name,
        model=build_model(plan.model, limits),
        metrics=tuple(
            NamedMetric(name=metric.name, metric=build_metric(metric, limits))
            for metric in plan.metrics
        ),
    )


@lru_cache(maxsize=PLANS_KEPT_MAX)
def _ready_model(model_json: str, limits_json: str) -> Model:
    return build_model(
        Plugin.model_validate_json(model_json), RowLimits.model_validate_json(limits_json)
    )
