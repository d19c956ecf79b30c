"""Kinds of metric for a person at a terminal: one in a line of a table, or everything in lines that fit."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from pydantic import JsonValue

from evalbus.cli.comparison_table import ARROWS
from evalbus.metrics.examples import Example
from evalbus.metrics.explaining import Explanation, Library, MetricKind, ScoreExplanation
from evalbus.metrics.parameters import TEMPLATE, ParameterExplanation
from evalbus.writing.tables import Cell, Table

COLUMNS: Final = ("metric", "from", "scores", "of all rows", "asks", "measures")
SCORES_SHOWN_MAX: Final = 3
INDENT: Final = "  "
PLACE: Final = re.compile(r"\{\{.*?\}\}")
UNBROKEN: Final = "\x00"
"""Stands for the spaces in a template's places while lines are broken."""
FACT_WIDTH: Final = 11
"""Of the longest of their names, and a space."""


def kinds_table(kinds: Sequence[MetricKind]) -> Table:
    return Table(columns=COLUMNS, rows=[_line(kind) for kind in kinds])


def kinds_text(kinds: Sequence[MetricKind], width: int) -> str:
    """The same by family: a table of sentences would be too wide for a terminal."""
    return "\n\n".join(
        "\n".join([family, *(line for kind in members for line in _entry(kind, width))])
        for family, members in groupby(kinds, _origin)
    )


def explanation_text(metric: Explanation, width: int) -> str:
    """No line is longer than `width`, but for words that are."""
    sections = [
        [f"{metric.type}  ({_origin(metric)})"],
        _prose(metric.text, width),
        _facts(metric, width),
        _scores("Scores of a row", metric, metric.scores, width),
        _scores("Scores of all rows together", metric, metric.corpus_scores, width),
        _parameters(metric.parameters, width),
        *(_example(example, width) for example in metric.examples),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _line(kind: MetricKind) -> tuple[Cell, ...]:
    return (
        kind.type,
        _origin(kind),
        _names(kind, kind.scores),
        _names(kind, kind.corpus_scores),
        "yes" if kind.is_live else None,
        kind.summary or kind.problem,
    )


def _entry(kind: MetricKind, width: int) -> Iterator[str]:
    corpus = f"of all rows {_names(kind, kind.corpus_scores)}" if kind.corpus_scores else ""
    asks = "asks somebody outside" if kind.is_live else ""
    facts = "; ".join(filter(None, (_names(kind, kind.scores), corpus, asks)))
    head = f"{kind.type}: {facts}" if facts else kind.type
    yield from _filled(head, width, first=INDENT, rest=INDENT * 3)
    yield from _said(kind.summary, width)
    yield from _said(kind.problem or "", width)


def _origin(metric: MetricKind) -> str:
    """Its family, or whose plug-in it is."""
    return metric.family or f"plug-in of {metric.distribution or 'an unknown package'}"


def _names(kind: MetricKind, scores: Sequence[ScoreExplanation]) -> str:
    shown = ", ".join(map(_with_arrow, scores[:SCORES_SHOWN_MAX]))
    more = len(scores) - SCORES_SHOWN_MAX
    named = f"{shown} and {more} more" if more > 0 else shown
    return f"for example {named}" if kind.scores_depend and scores else named


def _with_arrow(score: ScoreExplanation) -> str:
    return f"{score.name} {ARROWS[score.direction]}".rstrip()


def _prose(text: str, width: int) -> list[str]:
    """Paragraphs are filled anew, list items each for themselves; what is indented stands as it was written."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += ["", *_paragraph(paragraph.strip("\n"), width)]
    return lines[1:]


def _paragraph(paragraph: str, width: int) -> Iterator[str]:
    item: list[str] = []
    for line in paragraph.splitlines():
        if line.startswith("- ") and item:
            yield from _wrapped(" ".join(item), width)
            item = []
        if line.startswith(" ") and not (item and item[0].startswith("- ")):
            yield from _wrapped(" ".join(item), width)
            yield line
            item = []
        else:
            item.append(line.strip())
    yield from _wrapped(" ".join(item), width)


def _wrapped(text: str, width: int) -> list[str]:
    return _filled(text, width, first="", rest=INDENT if text.startswith("- ") else "")


def _filled(text: str, width: int, *, first: str, rest: str) -> list[str]:
    lines = textwrap.wrap(
        PLACE.sub(lambda place: place[0].replace(" ", UNBROKEN), text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(UNBROKEN, " ") for line in lines]


def _facts(metric: Explanation, width: int) -> list[str]:
    facts = {
        "Formula": metric.formula,
        "Source": metric.source,
        "Version": metric.version,
        "Libraries": ", ".join(map(_library, metric.libraries)),
        "Asks": "somebody outside, for every row" if metric.is_live else "",
        "Attention": metric.problem or "",
    }
    return [
        line
        for name, text in facts.items()
        if text
        for line in _filled(text, width, first=f"{name:<{FACT_WIDTH}}", rest=" " * FACT_WIDTH)
    ]


def _library(library: Library) -> str:
    missing = f"is not installed ({library.install})"
    return f"{library.name} {library.release or missing}"


def _scores(
    title: str, metric: Explanation, scores: Sequence[ScoreExplanation], width: int
) -> list[str]:
    if not scores:
        return []
    of_example = "; these are those of the example" if metric.scores_depend else ""
    names = max(len(_with_arrow(score)) for score in scores)
    lines = [title + of_example]
    for score in scores:
        lines.append(f"{INDENT}{_with_arrow(score):<{names}}  {_range(score)}".rstrip())
        lines += _said(score.description, width)
        for level in score.rubric:
            said = f": {level.description}" if level.description else ""
            lines += _said(f"{level.value:g} {level.label}{said}", width)
    return lines


def _said(text: str, width: int) -> list[str]:
    return _filled(text, width, first=INDENT * 3, rest=INDENT * 3)


def _range(score: ScoreExplanation) -> str:
    return f"{_bounds(score.minimum, score.maximum)} {score.unit}".strip()


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f"{least:g} to {most:g}"
    if least is not None:
        return f"{least:g} or more"
    return f"{most:g} or less" if most is not None else ""


def _parameters(parameters: Sequence[ParameterExplanation], width: int) -> list[str]:
    if not parameters:
        return []
    lines = ["Parameters", *_listed(parameters, INDENT, width, spelled_out=set())]
    if any("template" in parameter.type for parameter in parameters):
        lines += ["", *_filled(f"A template: {_lower(TEMPLATE)}", width, first=INDENT, rest=INDENT)]
    return lines


def _listed(
    parameters: Iterable[ParameterExplanation], indent: str, width: int, *, spelled_out: set[str]
) -> Iterator[str]:
    """Each with its forms below it, a form at its first place only: what is said of it once is noted."""
    for parameter in parameters:
        deeper = indent + INDENT * 2
        head = f"{parameter.name}: {parameter.type}; {_default(parameter)}"
        yield from _filled(head, width, first=indent, rest=deeper)
        yield from _filled(parameter.description, width, first=deeper, rest=deeper)
        for form in parameter.forms:
            if form.name not in spelled_out:
                spelled_out.add(form.name)
                yield f"{deeper}{form.name} has"
                yield from _listed(form.parameters, deeper + INDENT, width, spelled_out=spelled_out)


def _default(parameter: ParameterExplanation) -> str:
    if parameter.is_required:
        return "required"
    match parameter.default:
        case None:
            return "optional"
        case dict() as fields:
            said: dict[str, JsonValue] = {
                name: value for name, value in fields.items() if value is not None
            }
            return f"default {_quoted(said)}" if said else "optional"
        case str() as text:
            return f"default {text}" if text else "optional"
        case value:
            return f"default {_quoted(value)}"


def _example(example: Example, width: int) -> list[str]:
    lines = ["Example", *_values(INDENT, example.plugin, width)]
    lines += [f"{INDENT}with", *_values(INDENT * 2, example.given, width)]
    return [
        *lines,
        f"{INDENT}gives",
        *_filled(_shown(example.value), width, first=INDENT * 2, rest=INDENT * 3),
    ]


def _values(indent: str, values: "dict[str, JsonValue]", width: int) -> Iterator[str]:
    for name, value in values.items():
        yield from _filled(f"{name}: {_quoted(value)}", width, first=indent, rest=indent + INDENT)


def _shown(value: JsonValue) -> str:
    """A text as it is, numbers by their names, everything else as JSON."""
    match value:
        case str() if value:
            return value
        case dict():
            return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
        case _:
            return _quoted(value)


def _quoted(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
