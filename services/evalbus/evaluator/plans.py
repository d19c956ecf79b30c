"""A plan made ready to run: the model and metrics built once, however many chunks ask for them."""

from dataclasses import dataclass, field
from functools import lru_cache

from evalbus.errors import Invalid
from evalbus.evaluator.pace import Pace
from evalbus.metrics import Metric, build_metric
from evalbus.models import RecordedModel, build_model
from evalbus_schemas.chunks import Plan, RowLimits

PLANS_KEPT_MAX = 64


@dataclass(frozen=True, kw_only=True)
class NamedMetric:
    name: str
    metric: Metric


@dataclass(frozen=True, kw_only=True)
class ReadyPlan:
    """Stateless but for its pace, which says how fast rows of this plan were so far."""

    model_name: str
    model: RecordedModel
    metrics: tuple[NamedMetric, ...]
    pace: Pace = field(default_factory=Pace)

    @property
    def n_columns(self) -> int:
        return sum(len(named.metric.scores) for named in self.metrics)


def ready(plan: Plan, limits: RowLimits) -> ReadyPlan:
    """Raises Invalid if this process cannot run the plan."""
    return _ready(plan.model_dump_json(), limits.model_dump_json())


@lru_cache(maxsize=PLANS_KEPT_MAX)
def _ready(plan_json: str, limits_json: str) -> ReadyPlan:
    plan = Plan.model_validate_json(plan_json)
    limits = RowLimits.model_validate_json(limits_json)
    model = build_model(plan.model, limits)
    if not isinstance(model, RecordedModel):
        raise Invalid(
            f"model {plan.model.name!r} is not recorded: it is asked before rows are scored"
        )
    return ReadyPlan(
        model_name=plan.model.name,
        model=model,
        metrics=tuple(
            NamedMetric(name=metric.name, metric=build_metric(metric, limits))
            for metric in plan.metrics
        ),
    )
