"""Fields that are no features, because answers or the ground truth are made of them."""

from collections.abc import Iterable, Sequence

from evalbus.models import MODELS, Recorded
from evalbus.results.explaining.fields import NAME_CHARACTERS_MAX, excerpt
from evalbus.templates import Path, fields_used, sample_fields_used
from evalbus_schemas.benchmark import MetricPlugin, Plugin


def answer_fields(models: Iterable[Plugin]) -> frozenset[str]:
    """Of recorded answers, with all that stands beside them in the same object: it tells of answers, not of questions."""
    return frozenset(
        _named("item", path[:-1] or path)
        for model in models
        for template in _templates(model)
        for path in fields_used(template)
    )


def truth_fields(metric: MetricPlugin) -> frozenset[str]:
    """Of what people said: that a score goes with it is its agreement."""
    written = metric.ground_truth
    templates = [written] if isinstance(written, str) else list((written or {}).values())
    of_items = (_named("item", path) for text in templates for path in fields_used(text))
    of_samples = (
        _named("sample", (field,)) for text in templates for field in sample_fields_used(text)
    )
    return frozenset((*of_items, *of_samples))


def _templates(model: Plugin) -> Sequence[str]:
    if model.type not in MODELS.builtin or MODELS.find(model.type) is not Recorded:
        return ()
    written = Recorded.Parameters.model_validate(model.parameters)
    return (written.output, *written.fields.values())


def _named(of: str, path: Path) -> str:
    return f"{of}.{excerpt('.'.join(map(str, path)), NAME_CHARACTERS_MAX)}"
