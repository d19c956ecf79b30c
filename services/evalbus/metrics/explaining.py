"""What there is to know of a kind of metric before it is used: what it measures, how, and with which parameters.

Everything comes from the class itself, so that it is known offline, with the client install, and of plug-ins too.
"""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, entry_points, requires
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from evalbus.errors import Invalid
from evalbus.metrics import METRICS, LiveMetric, Metric, RubricLevel, ScoreDeclaration, build_metric
from evalbus.metrics.examples import Example, examples_of, prose_of
from evalbus.metrics.parameters import ParameterExplanation, parameters_of
from evalbus.metrics.signatures import release_of
from evalbus_schemas.benchmark import Plugin, ScoreDirection
from evalbus_schemas.chunks import RowLimits

DISTRIBUTION: Final = "evalbus"

_SENTENCE: Final = re.compile(r".+?[.](?=\s|$)", re.DOTALL)
_REQUIREMENT: Final = re.compile(r"([\w.-]+).*extra == ['\"]([\w.-]+)['\"]")


class ScoreExplanation(BaseModel):
    """One named value, and how to read it."""

    model_config = ConfigDict(frozen=True)

    name: str
    direction: ScoreDirection
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    description: str = ""
    rubric: tuple[RubricLevel, ...] = ()


class Library(BaseModel):
    """A distribution whose release the values depend on, and how to get one that is not installed."""

    model_config = ConfigDict(frozen=True)

    name: str
    release: str | None
    install: str | None


class MetricKind(BaseModel):
    """A type of metric in a line."""

    model_config = ConfigDict(frozen=True)

    type: str
    family: str | None = Field(description="Of a built-in one; null for a plug-in.")
    distribution: str = Field(description="Who brings it, with the release.")
    summary: str
    is_live: bool = Field(description="It asks somebody outside.")
    scores: tuple[ScoreExplanation, ...]
    corpus_scores: tuple[ScoreExplanation, ...]
    scores_depend: bool = Field(
        description="On the parameters; the scores are those of its example."
    )
    problem: str | None = Field(description="Why something cannot be said of it here.")


class Explanation(MetricKind):
    """A type of metric at length."""

    text: str = Field(description="What its author says of it, without the examples.")
    formula: str
    source: str
    version: str
    libraries: tuple[Library, ...]
    parameters: tuple[ParameterExplanation, ...]
    examples: tuple[Example, ...]


def metric_kinds() -> list[MetricKind]:
    """All that are known here: the built-in ones family by family, then plug-ins, also those that cannot be loaded."""
    kinds = [_kind(name) for name in METRICS.known()]
    families = list(dict.fromkeys(map(_family, METRICS.builtin.values())))
    return sorted(
        kinds,
        key=lambda kind: (
            families.index(kind.family) if kind.family is not None else len(families),
            kind.type,
        ),
    )


def explain(name: str) -> Explanation:
    """One of them; raises Invalid for a name that no type has, with the nearest, and for one that cannot be loaded."""
    kind = METRICS.find(name)
    return Explanation(
        **dict(_described(name, kind)),
        text=prose_of(kind.__doc__),
        formula=getattr(kind, "formula", ""),
        source=getattr(kind, "source", ""),
        version=kind.version,
        libraries=tuple(map(_library, kind.libraries)),
        parameters=parameters_of(kind.Parameters),
        examples=examples_of(kind.__doc__),
    )


def _kind(name: str) -> MetricKind:
    try:
        return _described(name, METRICS.find(name))
    except Invalid as error:
        return MetricKind(
            type=name,
            family=None,
            distribution=_distribution(name),
            summary="",
            is_live=False,
            scores=(),
            corpus_scores=(),
            scores_depend=False,
            problem=error.message,
        )


def _described(name: str, kind: type[Metric]) -> MetricKind:
    is_builtin = name in METRICS.builtin
    declares, problem = _declaring(name, kind)
    return MetricKind(
        type=name,
        family=_family(kind) if is_builtin else None,
        distribution=_with_release(DISTRIBUTION) if is_builtin else _distribution(name),
        summary=_first_sentence(prose_of(kind.__doc__)),
        is_live=issubclass(kind, LiveMetric),
        scores=_explained(declares.scores if declares else ()),
        corpus_scores=_explained(declares.corpus if declares else ()),
        scores_depend=not hasattr(kind, "scores"),
        problem=problem,
    )


def _declaring(name: str, kind: type[Metric]) -> tuple[type[Metric] | Metric | None, str | None]:
    """Who knows the scores: the class, else the metric of its example; or why nobody does."""
    if hasattr(kind, "scores"):
        return kind, None
    examples = examples_of(kind.__doc__)
    if not examples:
        return None, "its scores depend on its parameters, and it has no example"
    try:
        return build_metric(
            Plugin.model_validate({**examples[0].plugin, "name": name, "type": name}), RowLimits()
        ), None
    except Exception as error:
        # A stranger's code may raise what it likes, and a library may be missing; the rest can still be told.
        said = str(error) or type(error).__name__
        return None, f"its scores depend on its parameters, and its example cannot be built: {said}"


def _explained(scores: Iterable[ScoreDeclaration]) -> tuple[ScoreExplanation, ...]:
    return tuple(
        ScoreExplanation(
            name=score.name,
            direction=score.direction,
            minimum=score.minimum,
            maximum=score.maximum,
            unit=score.unit,
            description=score.description,
            rubric=score.rubric,
        )
        for score in scores
    )


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    found = _SENTENCE.match(paragraph)
    return found[0] if found else paragraph


def _family(kind: type[Metric]) -> str:
    """The folder of metrics/ that a built-in one lies in."""
    return kind.__module__.removeprefix("evalbus.metrics.").partition(".")[0]


def _distribution(name: str) -> str:
    for point in entry_points(group=METRICS.group, name=name):
        if point.dist is not None:
            return f"{point.dist.name} {point.dist.version}"
    return ""


def _with_release(distribution: str) -> str:
    return f"{distribution} {release_of(distribution) or ''}".rstrip()


def _library(distribution: str) -> Library:
    release = release_of(distribution)
    return Library(
        name=distribution,
        release=release,
        install=_install(distribution) if release is None else None,
    )


def _install(distribution: str) -> str:
    """By the extra of ours that brings it and least besides; a plug-in's library by its own name."""
    extras: dict[str, set[str]] = {}
    for requirement in _requirements():
        if found := _REQUIREMENT.match(requirement):
            extras.setdefault(found[2], set()).add(found[1].lower())
    bringing = [name for name, brought in extras.items() if distribution.lower() in brought]
    if not bringing:
        return f"pip install {distribution}"
    return f"pip install '{DISTRIBUTION}[{min(bringing, key=lambda name: len(extras[name]))}]'"


def _requirements() -> list[str]:
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
