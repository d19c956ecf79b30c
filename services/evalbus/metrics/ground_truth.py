"""What people said of what a metric scores: where it stands in a row, and how it reads as a number beside the score."""

import math
from collections.abc import Iterable, Mapping, Sequence

from evalbus.errors import Invalid, unknown
from evalbus.metrics.base import Metric, RubricLevel, ScoreDeclaration
from evalbus.metrics.checks.numbers import whole_number
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits

PARAMETER = "ground_truth"


class GroundTruth:
    """The people's own value of one score of a row; `place` is where its template stands in the metric."""

    def __init__(self, score: ScoreDeclaration, template: Template, *, place: str) -> None:
        self.score = score.name
        self.template = template
        self.place = place
        self._by_label = {level.label: level.value for level in score.rubric}
        self._by_folded_label = _by_folded_label(score.rubric)

    def said(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject]
    ) -> list[float | None]:
        """Of each row what people said of it; raises RowsFailed with the rows that cannot be rendered."""
        return [self.read(value) for value in self.template.render_all(items, samples)]

    def read(self, value: object) -> float | None:
        """A number, true or false as 1 or 0, or a text that is a label of the score's rubric, a number, or one of the two
        words; None where nothing is said, or nothing that can be understood.

        Labels go before numbers, and the exact one before one in another case. Numbers are written as number-check
        reads them, and are the whole text.
        """
        match value:
            case bool() | int() | float():
                return _finite(float(value))
            case str():
                return self._read_text(value)
            case _:
                return None

    def _read_text(self, text: str) -> float | None:
        if (exact := self._by_label.get(text)) is not None:
            return exact
        folded = _folded(text)
        if (near := self._by_folded_label.get(folded)) is not None:
            return near
        # What a template compares, and what tables hold, reads so.
        if folded in ("true", "false"):
            return float(folded == "true")
        number = whole_number(text)
        return None if number is None else _finite(float(number))


def ground_truths_of(
    plugin: MetricPlugin, metric: Metric, limits: RowLimits
) -> tuple[GroundTruth, ...]:
    """Of the metric that was built from the plug-in, in the order of its scores; none for most. Raises Invalid."""
    if plugin.ground_truth is None:
        return ()
    where = f"metric {plugin.name!r}, {PARAMETER}"
    written = _by_score(plugin.ground_truth, metric, where)
    return tuple(
        _ground_truth(score, *written[score.name], where=f"metric {plugin.name!r}", limits=limits)
        for score in metric.scores
        if score.name in written
    )


def _by_score(
    written: str | Mapping[str, str], metric: Metric, where: str
) -> Mapping[str, tuple[str, str]]:
    """The place and the text of each template, by the score that it is for."""
    names = [score.name for score in metric.scores]
    if isinstance(written, str):
        if len(names) != 1:
            raise Invalid(
                f"{where}: says not of which score; write {{score: template}}"
                f" (known: {', '.join(names) or 'none'})",
                {"wanted": "a score", "known": list(names)},
            )
        return {names[0]: (PARAMETER, written)}
    for name in written:
        if name in {score.name for score in metric.corpus}:
            raise Invalid(
                f"{where}: {name!r} is a score of all rows together, and people are heard of single rows",
                {"wanted": "a score of a row", "found": name, "known": list(names)},
            )
        if name not in names:
            raise unknown("score", name, names, where=where)
    return {name: (f"{PARAMETER}.{name}", text) for name, text in written.items()}


def _ground_truth(
    score: ScoreDeclaration, place: str, text: str, *, where: str, limits: RowLimits
) -> GroundTruth:
    try:
        template = compile_template(text, characters_max=limits.template_characters)
    except Invalid as error:
        raise Invalid(f"{where}, {place}: {error.message}", error.data) from None
    return GroundTruth(score, template, place=place)


def _by_folded_label(rubric: Iterable[RubricLevel]) -> dict[str, float]:
    """Without labels that differ in nothing but case: of these only the exact one is meant."""
    folded: dict[str, list[float]] = {}
    for level in rubric:
        folded.setdefault(_folded(level.label), []).append(level.value)
    return {label: values[0] for label, values in folded.items() if len(values) == 1}


def _folded(text: str) -> str:
    return text.strip().casefold()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
