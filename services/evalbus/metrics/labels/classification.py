"""Whether answers have the right label, and what scikit-learn would report for all of them."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, Self, cast

from pydantic import Field, model_validator

from evalbus.metrics.base import (
    UNPARSABLE,
    Batch,
    Columns,
    Metric,
    Note,
    ScoreDeclaration,
    Whole,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.labels.confusion import OTHER, Confusion, OfLabel
from evalbus.metrics.normalization import normalized
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed, JsonObject, LabelText
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

UNKNOWN_LABEL = "unknown_label"
LABELS_SHOWN_MAX = 100
LABEL_CHARACTERS_MAX = 255

_SEPARATOR: Final = "\x1f"
"""Between reference and answer in the name of a count; no label has it."""
_NOT_IN_LABELS: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

_AVERAGES: Final[Mapping[str, str]] = {
    "macro": "mean over labels",
    "micro": "over all labels taken together",
    "weighted": "mean over labels, each as often as references have it",
}


def _share(name: str, description: str) -> ScoreDeclaration:
    return ScoreDeclaration(
        name=name, direction="higher", minimum=0.0, maximum=1.0, description=description
    )


def _correlation(name: str, description: str) -> ScoreDeclaration:
    return ScoreDeclaration(
        name=name, direction="higher", minimum=-1.0, maximum=1.0, description=description
    )


class Classification(Metric):
    """Whether an answer has the label of its reference, and, over all rows, the measures of a confusion matrix.

    Both sides are compared as text after `normalize`. The averages go over the declared `labels`, or else over every
    label that stands in a reference or an answer, as in scikit-learn. An answer outside the declared labels, or one
    that can be no label (over 255 characters, control characters), counts as `__other__`: wrong for its reference, but
    no label of its own to average over. Declare the labels where answers are free text: each odd answer is otherwise
    a label that is never right, and the macro averages sink with their number.

    A reference outside the declared labels gives no score (`unknown_label`), nor does one that can be no label
    (`unparsable`).

    Values are those of scikit-learn with `zero_division=0`: a ratio with nothing below the line is 0, also for a
    declared label that occurs nowhere; `mcc` is 0 where one side has a single label; `kappa` is undefined where both
    sides have the same single label. `mcc`, `kappa` and the accuracies take `__other__` as a label like any other.

    >>> from evalbus.testing import corpus_of, score_row
    >>> plugin = {"type": "classification", "reference": "{{ item.topic }}", "labels": ["art", "law"]}
    >>> score_row(plugin, item={"topic": "law"}, output_text=" law")
    {'correct': 1.0}
    >>> corpus = corpus_of(plugin, rows=[({"topic": "law"}, "law"), ({"topic": "art"}, "law")])
    >>> corpus["accuracy"], corpus["recall_macro"], corpus["precision_macro"]
    (0.5, 0.5, 0.25)
    """

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"
        normalize: Annotated[
            Literal["none", "strip", "casefold"],
            Field(description="`strip` ignores outer space, `casefold` also case, `none` nothing."),
        ] = "strip"
        labels: Annotated[
            Annotated[tuple[LabelText, ...], Field(min_length=1, max_length=1000)] | None,
            Field(
                description="All labels there are; any other answer counts as `__other__`. Without, every text is one."
            ),
        ] = None

        @model_validator(mode="after")
        def _labels_can_be_told_apart(self) -> Self:
            labels = [_plain(label, self.normalize) for label in self.labels or ()]
            if OTHER in labels:
                raise ValueError(f"{OTHER} stands for what is no label")
            if len(set(labels)) < len(labels):
                raise ValueError("labels: two are the same once they are normalized")
            return self

    formula = (
        "correct is 1 if the labels are equal, else 0. Of all rows: scikit-learn's measures of the confusion matrix,"
        " with zero_division=0; macro is the mean over labels, micro counts all labels together, weighted is the mean"
        " by the frequency of the label among the references."
    )
    source = (
        "scikit-learn 1.9; MCC: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006;"
        " kappa: Cohen 1960, doi:10.1177/001316446002000104"
    )
    scores = (_share("correct", "1 for the label of the reference, 0 for any other."),)
    corpus = (
        _share("accuracy", "The share of rows with the right label."),
        _share("balanced_accuracy", "The mean recall of the labels that references have."),
        *(
            _share(f"{measure}_{average}", f"{measure.capitalize()}, {how}.")
            for average, how in _AVERAGES.items()
            for measure in ("precision", "recall", "f1")
        ),
        _correlation("mcc", "Matthews correlation; 0 where one side has a single label."),
        _correlation("kappa", "Cohen's kappa: agreement beyond chance."),
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._normalize: Literal["none", "strip", "casefold"] = parameters.normalize
        self._labels: dict[str, None] | None = (
            None
            if parameters.labels is None
            else dict.fromkeys(_plain(label, parameters.normalize) for label in parameters.labels)
        )

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        references = self._texts(batch, self._reference)
        candidates = self._texts(batch, self._candidate)
        notes = missing_notes(references, candidates)
        for row, reference in enumerate(references):
            if reference is not None and row not in notes and (why := self._why_not(reference)):
                notes[row] = why
        answers = [
            candidate if candidate is not None and self._is_label(candidate) else OTHER
            for candidate in candidates
        ]
        pairs = list(zip(references, answers, strict=True))
        values = [1.0 if answer == reference else 0.0 for reference, answer in pairs]
        counts: list[Counts | None] = [
            None if row in notes else {f"{reference}{_SEPARATOR}{answer}": 1}
            for row, (reference, answer) in enumerate(pairs)
        ]
        return Columns(values=(with_gaps(values, notes),), notes=notes, counts=counts)

    def whole(self, total: Counts) -> Whole:
        cells = _cells(total)
        seen = {label for cell in cells for label in cell} - {OTHER}
        matrix = Confusion(cells, tuple(self._labels) if self._labels else sorted(seen))
        return Whole(
            values=(
                matrix.accuracy,
                matrix.balanced_accuracy,
                *(matrix.macro(measure) for measure in ("precision", "recall", "f1")),
                *(matrix.micro(measure) for measure in ("precision", "recall", "f1")),
                *(matrix.weighted(measure) for measure in ("precision", "recall", "f1")),
                matrix.mcc,
                matrix.kappa,
            ),
            detail=_shown(matrix),
        )

    def _texts(self, batch: Batch, template: Template) -> Sequence[str | None]:
        # Other normalizations than these give other things than text.
        return cast("Sequence[str | None]", normalized(batch, template, self._normalize))

    def _is_label(self, text: str) -> bool:
        return text in self._labels if self._labels else _can_be_label(text)

    def _why_not(self, reference: str) -> Note | None:
        """Why a reference is no label; None if it is one."""
        if not _can_be_label(reference):
            return Note(
                code=UNPARSABLE,
                message=f"the reference is longer than {LABEL_CHARACTERS_MAX} characters, or not plain text",
            )
        if reference == OTHER or not self._is_label(reference):
            return Note(code=UNKNOWN_LABEL, message=f"the reference {reference!r} is no label")
        return None


def _plain(label: str, normalize: Literal["none", "strip", "casefold"]) -> str:
    stripped = label if normalize == "none" else label.strip()
    return stripped.casefold() if normalize == "casefold" else stripped


def _can_be_label(text: str) -> bool:
    return len(text) <= LABEL_CHARACTERS_MAX and _NOT_IN_LABELS.search(text) is None


def _cells(total: Counts) -> dict[tuple[str, str], int]:
    named = cast("Mapping[str, int]", total)
    cells: dict[tuple[str, str], int] = {}
    # In the order of their names, whichever row came first.
    for name in sorted(named):
        reference, _, answer = name.partition(_SEPARATOR)
        cells[reference, answer] = named[name]
    return cells


def _shown(matrix: Confusion) -> JsonObject:
    """The matrix with references down and answers across; of more labels than can be read, the most frequent ones."""
    frequent = sorted(
        matrix.labels, key=lambda label: (-matrix.of_reference[label], -matrix.of_answer[label])
    )[:LABELS_SHOWN_MAX]
    labels = [label for label in matrix.labels if label in set(frequent)]
    rows = [[matrix.cells.get((down, across), 0) for across in labels] for down in labels]
    return {
        "labels": list(labels),
        "answers": [*labels, OTHER],
        "matrix": [
            [*row, matrix.of_reference[label] - sum(row)]
            for label, row in zip(labels, rows, strict=True)
        ],
        "per_label": {label: _measures(matrix.per_label[label]) for label in labels},
        "labels_not_shown": len(matrix.labels) - len(labels),
    }


def _measures(one: OfLabel) -> JsonObject:
    return {
        "precision": one.precision,
        "recall": one.recall,
        "f1": one.f1,
        "support": one.support,
    }
