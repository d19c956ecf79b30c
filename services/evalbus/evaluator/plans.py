"""A plan made ready to run: the model and metrics built once, however many chunks ask for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from evalbus.errors import Invalid
from evalbus.evaluator.pace import Pace
from evalbus.metrics import (
    METRICS,
    GroundTruth,
    LiveMetric,
    Metric,
    build_metric,
    ground_truths_of,
    signature_of,
)
from evalbus.models import LiveModel, Model, RecordedModel, Respondent, build_model
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.chunks import ChunkRequested, Plan, RowLimits
from evalbus_schemas.scores import Signature

PLANS_KEPT_MAX = 64

Answer = Callable[[Sequence[JsonObject]], list[JsonObject]]
"""One sample for each item; raises RowsFailed for those without one."""


@dataclass(frozen=True, kw_only=True)
class NamedMetric:
    name: str
    metric: Metric
    truths: tuple[GroundTruth, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadyPlan:
    """Stateless but for its pace, which says how fast rows of this plan were so far."""

    model_name: str
    model: Model
    metrics: tuple[NamedMetric, ...]
    signatures: tuple[Signature, ...]
    pace: Pace = field(default_factory=Pace)

    @property
    def n_columns(self) -> int:
        return sum(len(named.metric.scores) for named in self.metrics)

    @property
    def n_counted(self) -> int:
        return sum(bool(named.metric.corpus) for named in self.metrics)

    @property
    def n_truths(self) -> int:
        return sum(len(named.truths) for named in self.metrics)

    @property
    def answer(self) -> Answer:
        """What makes samples of items: a recorded model's answers, or what a live one would be asked.

        Raises Invalid for a live model with metrics: a metric must never take a request for an answer.
        """
        match self.model:
            case RecordedModel():
                return self.model.answer
            case LiveModel() as model if not self.metrics:
                return lambda items: model.requests(items)
            case _:
                raise Invalid(f"model {self.model_name!r} is asked before its rows are scored")


def ready(plan: Plan, limits: RowLimits) -> ReadyPlan:
    """Raises Invalid if this process cannot run the plan."""
    return _ready(plan.model_dump_json(), limits.model_dump_json())


def _model(model: Plugin, limits: RowLimits) -> Model:
    return _ready_model(model.model_dump_json(), limits.model_dump_json())


@lru_cache(maxsize=PLANS_KEPT_MAX)
def _ready(plan_json: str, limits_json: str) -> ReadyPlan:
    plan = Plan.model_validate_json(plan_json)
    limits = RowLimits.model_validate_json(limits_json)
    metrics = [_warm(plugin, limits) for plugin in plan.metrics]
    return ReadyPlan(
        model_name=plan.model.name,
        model=build_model(plan.model, limits),
        metrics=tuple(
            NamedMetric(
                name=plugin.name, metric=metric, truths=ground_truths_of(plugin, metric, limits)
            )
            for plugin, metric in zip(plan.metrics, metrics, strict=True)
        ),
        signatures=tuple(map(signature_of, plan.metrics, metrics)),
    )


def _warm(plugin: Plugin, limits: RowLimits) -> Metric:
    """Raises Invalid if it cannot be made ready to score."""
    metric = build_metric(plugin, limits)
    try:
        metric.warm_up()
    except (Exception, SystemExit) as error:
        # A stranger's code may raise anything; whatever it is, the plan cannot run here.
        raise Invalid(f"metric {plugin.name!r} cannot score here: {error!r}") from error
    return metric


@dataclass(frozen=True, kw_only=True)
class Questioned:
    """Somebody whom a metric asks, and the place among those that it asks."""

    metric: str
    place: int
    respondent: Respondent


@dataclass(frozen=True, kw_only=True)
class Live:
    """Whom a chunk has to wait for: its model, if that is live and has still to answer, and whom its metrics ask."""

    model: LiveModel | None
    questioned: tuple[Questioned, ...]

    @property
    def is_nobody(self) -> bool:
        return self.model is None and not self.questioned


def ready_live(request: ChunkRequested) -> Live:
    """Raises Invalid if this process cannot build one of them."""
    plan, limits = request.plan, request.limits
    model = None if request.samples == "given" else _model(plan.model, limits)
    return Live(
        model=model if isinstance(model, LiveModel) else None,
        questioned=_ready_questioned(plan.model_dump_json(), limits.model_dump_json()),
    )


@lru_cache(maxsize=PLANS_KEPT_MAX)
def _ready_questioned(plan_json: str, limits_json: str) -> tuple[Questioned, ...]:
    limits = RowLimits.model_validate_json(limits_json)
    return tuple(
        Questioned(metric=plugin.name, place=place, respondent=respondent)
        for plugin in Plan.model_validate_json(plan_json).metrics
        # Others are built where rows are scored, and nowhere else: building runs their code.
        if issubclass(METRICS.find(plugin.type), LiveMetric)
        for place, respondent in enumerate(_live(plugin, limits).respondents)
    )


def _live(plugin: Plugin, limits: RowLimits) -> LiveMetric:
    metric = build_metric(plugin, limits)
    assert isinstance(metric, LiveMetric), "its kind was looked at"
    return metric


@lru_cache(maxsize=PLANS_KEPT_MAX)
def _ready_model(model_json: str, limits_json: str) -> Model:
    return build_model(
        Plugin.model_validate_json(model_json), RowLimits.model_validate_json(limits_json)
    )
