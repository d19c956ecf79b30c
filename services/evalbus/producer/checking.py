"""Are the parts of a benchmark what they should be? Everything that can be known without reading a row."""

from collections.abc import Sequence
from dataclasses import dataclass

from evalbus.datasets import TemplateUse, template_uses
from evalbus.datasets.formats import how_written
from evalbus.datasets.row_id import row_id_from
from evalbus.datasets.shaping import shape_from
from evalbus.errors import Invalid, Refused
from evalbus.metrics import LiveMetric, Metric, build_metric, ground_truths_of, layout_of
from evalbus.models import LiveModel, Model, Respondent, build_model
from evalbus.producer.sample_fields import check_samples, sure_fields
from evalbus.producer.slicing import parsed
from evalbus.store.ports import ModelFacts
from evalbus_schemas.benchmark import (
    ROW_SECONDS_MAX,
    Benchmark,
    Dataset,
    MetricPlugin,
    Params,
    Plugin,
)
from evalbus_schemas.chunks import RowLimits


@dataclass(frozen=True, kw_only=True)
class PartChecks:
    """Each raises Invalid, or NotAllowed, that begins with the part's name."""

    limits: RowLimits
    allow_private: bool
    """Whether models and metrics may lie at private and loopback addresses."""
    has_broker: bool = True
    """False in embedded mode, whose bus no foreign service can be reached on."""

    def dataset(self, dataset: Dataset) -> None:
        where = f"dataset {dataset.name!r}"
        try:
            row_id_from(dataset.id)
        except Invalid as error:
            raise Invalid(f"{where}, id: {error.message}", error.data) from None
        try:
            shape_from(dataset.fields, typed=dataset.typed)
        except Invalid as error:
            raise Invalid(f"{where}: {error.message}", error.data) from None
        if dataset.format is not None:
            how_written("", dataset.format, where=where)

    def model(self, plugin: Plugin) -> Model:
        model = build_model(plugin, self.limits)
        if isinstance(model, LiveModel):
            self._respondent(model, where=f"model {plugin.name!r}")
        return model

    def metric(self, plugin: MetricPlugin) -> Metric:
        metric = build_metric(plugin, self.limits)
        ground_truths_of(plugin, metric, self.limits)
        if isinstance(metric, LiveMetric):
            for respondent in metric.respondents:
                self._respondent(respondent, where=f"metric {plugin.name!r}")
        return metric

    def _respondent(self, respondent: Respondent, *, where: str) -> None:
        if respondent.needs_broker and not self.has_broker:
            raise Invalid(
                f"{where}: who is behind a queue can only be asked over RabbitMQ:"
                " set EVALBUS_AMQP_URL and EVALBUS_DATABASE_URL"
            )
        try:
            respondent.check(allow_private=self.allow_private)
        except Refused as refusal:
            raise type(refusal)(f"{where}: {refusal.message}", refusal.data) from None

    def benchmark(self, benchmark: Benchmark) -> list[TemplateUse]:
        """Check every part; what its templates will ask of the rows."""
        for dataset in benchmark.datasets:
            self.dataset(dataset)
        for declared in benchmark.slices:
            parsed(declared)
        models = [self.model(model) for model in benchmark.models]
        metrics = [self.metric(metric) for metric in benchmark.metrics]
        if any(isinstance(model, LiveModel) for model in models) and any(
            isinstance(metric, LiveMetric) and metric.respondents for metric in metrics
        ):
            _waits_twice_in_time(benchmark.params)
        uses = [
            template_uses(model, where=f"model {plugin.name!r}")
            for plugin, model in zip(benchmark.models, models, strict=True)
        ]
        return [use for of_one in uses for use in of_one] + self._uses(benchmark, models, metrics)

    def metrics(self, benchmark: Benchmark) -> list[TemplateUse]:
        """The same of the metrics alone, for samples that are there already."""
        models = [build_model(model, self.limits) for model in benchmark.models]
        metrics = [self.metric(metric) for metric in benchmark.metrics]
        return self._uses(benchmark, models, metrics)

    def _uses(
        self, benchmark: Benchmark, models: Sequence[Model], metrics: Sequence[Metric]
    ) -> list[TemplateUse]:
        """What the metrics and their ground truths ask of the rows; raises Invalid for what no sample has."""
        sure = sure_fields(models)
        uses: list[TemplateUse] = []
        for plugin, metric in zip(benchmark.metrics, metrics, strict=True):
            where = f"metric {plugin.name!r}"
            uses += template_uses(metric, where=where, sample_fields=sure)
            uses += [
                TemplateUse(
                    where=f"{where}, {truth.place}", text=truth.template.text, sample_fields=sure
                )
                for truth in ground_truths_of(plugin, metric, self.limits)
            ]
        names = [model.name for model in benchmark.models]
        check_samples(dict(zip(names, models, strict=True)), uses)
        return uses

    def facts(self, plugin: Plugin) -> ModelFacts:
        """What dispatching must know of a model that was checked before."""
        model = self.model(plugin)
        if isinstance(model, LiveModel):
            return ModelFacts(is_live=True, endpoint=model.endpoint)
        return ModelFacts(is_live=False)

    def metric_endpoints(self, benchmark: Benchmark) -> tuple[str, ...]:
        """The same of whom its metrics ask, once for each question that a row may have."""
        return tuple(respondent.endpoint for _, _, respondent in layout_of(benchmark).respondents)


def _waits_twice_in_time(params: Params) -> None:
    """A row waits for its answer, then for what is said of it, and a broker waits for both."""
    most = ROW_SECONDS_MAX / 2
    if params.row_timeout > most:
        raise Invalid(
            "params.row_timeout: a row that is asked about twice, of its model and of live metrics,"
            f" may wait {most:g} s each time",
            {"wanted": most, "found": params.row_timeout},
        )
