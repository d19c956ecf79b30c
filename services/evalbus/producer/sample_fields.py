"""Do the samples of a benchmark's models have the fields that templates ask for? Known where the models say which they have."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from evalbus.datasets import TemplateUse
from evalbus.errors import Invalid
from evalbus.models import SAMPLE_FIELDS, Model
from evalbus.templates import sample_fields_used


def sure_fields(models: Iterable[Model]) -> frozenset[str]:
    """What every sample has, whichever of the models made it."""
    first, *others = (model.sample_fields or SAMPLE_FIELDS for model in models)
    return first.intersection(*others)


def check_samples(models: Mapping[str, Model], uses: Sequence[TemplateUse]) -> None:
    """Raises Invalid for a template that asks for what the samples of one of the models, given by name, do not have."""
    for use in uses:
        for wanted in sorted(sample_fields_used(use.text)):
            for name, model in models.items():
                if model.sample_fields is not None and wanted not in model.sample_fields:
                    raise _refusal(use, wanted, name, model.sample_fields)


def _refusal(use: TemplateUse, wanted: str, model: str, known: frozenset[str]) -> Invalid:
    there = sorted(known)
    near = get_close_matches(wanted, there, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return Invalid(
        f"{use.where}: the samples of model {model!r} have no {wanted!r}{guess} (they have: {', '.join(there)})",
        {"wanted": "a field of the sample", "found": wanted, "known": list(there)},
    )
