"""What the data of a dataset says, whatever the metrics."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from evalbus.results.explaining.columns import DatasetColumns
from evalbus.results.explaining.field_columns import FieldColumn
from evalbus.results.explaining.model_columns import ModelColumns
from evalbus.results.explaining.spreads import in_words, spread_of
from evalbus.results.explaining.words import counted, figure, listed, quoted, rounded, share
from evalbus.store.ports import AskedOfModel, DatasetToExplain
from evalbus.writing.names import bare
from evalbus_schemas.explanations import (
    Answers,
    AnswersOfModel,
    DatasetExplanation,
    Duplicates,
    FieldSeen,
    FieldsSeen,
    Lengths,
    Repeated,
    RowsSeen,
    Scripts,
    ScriptsOfField,
    TextLength,
)

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

MIXED_SHARE: Final = 0.02
"""Fewer texts in another script are told as numbers only."""


def explain_data(
    columns: DatasetColumns, dataset: DatasetToExplain, *, reference: str, models: Sequence[str]
) -> DatasetExplanation:
    fields = list(columns.fields)
    return DatasetExplanation(
        dataset=reference,
        rows=_rows(columns, dataset),
        fields=_fields(fields, columns.n_rows),
        lengths=_lengths(fields, columns.n_rows),
        duplicates=_duplicates(columns),
        scripts=_scripts(fields),
        answers=_answers(columns, dataset, models),
    )


def _rows(columns: DatasetColumns, dataset: DatasetToExplain) -> RowsSeen:
    looked_at = counted(columns.n_rows, "row")
    text = f"All {looked_at}." if dataset.every == 1 else ""
    if dataset.every > 1:
        text = f"{looked_at} of {dataset.n_rows}: one of every {dataset.every}, from the first on."
    if not columns.n_rows:
        text = "There are no rows."
    if columns.n_too_long:
        text += f" {counted(columns.n_too_long, 'item')} too long to be looked into."
    return RowsSeen(
        looked_at=columns.n_rows,
        of=dataset.n_rows,
        every=dataset.every,
        too_long=columns.n_too_long,
        text=text,
    )


def _fields(fields: Sequence[FieldColumn], n_rows: int) -> FieldsSeen:
    seen = tuple(
        FieldSeen(
            name=field.name,
            missing=n_rows - field.n_present,
            empty=field.n_empty,
            types=dict(sorted(field.types.items())),
            values=spread_of(field.numbers(n_rows)),
        )
        for field in fields
    )
    notes = [
        f"{quoted(one.name)} is {' and '.join(parts)}"
        for one in seen
        if (
            parts := [
                f"{word} in {counted(count, 'row')} ({share(count, n_rows)})"
                for word, count in (("missing", one.missing), ("empty", one.empty))
                if count
            ]
        )
    ]
    mixed = [
        f"{quoted(one.name)} has values of several types" for one in seen if len(one.types) > 1
    ]
    text = f"{counted(len(seen), 'field')}; " + (
        listed(notes + mixed) if notes or mixed else "none of them missing or empty anywhere"
    )
    return FieldsSeen(fields=seen, text=f"{text}.")


def _lengths(fields: Sequence[FieldColumn], n_rows: int) -> Lengths:
    found: list[TextLength] = []
    for field in fields:
        facts = field.texts.facts(n_rows)
        characters, words = spread_of(facts["characters"]), spread_of(facts["words"])
        if characters and words:
            largest = spread_of(facts["largest_number"])
            found.append(
                TextLength(
                    name=field.name, characters=characters, words=words, largest_number=largest
                )
            )
    notes = [f"{quoted(one.name)} {in_words(one.characters)} characters" for one in found]
    return Lengths(
        fields=tuple(found), text=f"{listed(notes)}." if notes else "No field has texts."
    )


def _duplicates(columns: DatasetColumns) -> Duplicates:
    repeated = tuple(
        Repeated(name=field.name, rows=field.texts.repeated)
        for field in columns.fields
        if field.texts.repeated and not field.is_categorical
    )
    notes = [
        f"{counted(columns.n_repeated, 'item')} ({share(columns.n_repeated, columns.n_rows)})"
        " the same as an earlier one"
    ] * bool(columns.n_repeated)
    notes += [
        f"{counted(one.rows, 'text')} in {quoted(one.name)} as in an earlier row"
        for one in repeated
    ]
    text = f"{listed(notes)}." if notes else "No item and no longer text comes twice."
    return Duplicates(items=columns.n_repeated, fields=repeated, text=text)


def _scripts(fields: Sequence[FieldColumn]) -> Scripts:
    found = tuple(
        ScriptsOfField(name=field.name, rows=dict(sorted(field.texts.scripts.items())))
        for field in fields
        if field.texts.scripts
    )
    everywhere = sorted({script for one in found for script in one.rows if script != "none"})
    mixed = [
        f"{quoted(one.name)} is {listed([f'{script} in {count}' for script, count in one.rows.items()])}"
        for one in found
        if sum(count >= MIXED_SHARE * sum(one.rows.values()) for count in one.rows.values()) > 1
    ]
    text = f"Written in {listed(everywhere)}" if everywhere else "No letters"
    return Scripts(fields=found, text="; ".join([text, *mixed[:5]]) + ".")


def _answers(columns: DatasetColumns, dataset: DatasetToExplain, models: Sequence[str]) -> Answers:
    found = tuple(
        _answers_of(model, given, asked)
        for model, given, asked in zip(models, columns.models, dataset.asked, strict=True)
    )
    troubled = [bare(one.model) for one in found if one.empty or one.refusals or one.failed]
    text = (
        f"Empty, refused or failed answers of {listed(troubled)}."
        if troubled
        else "No empty answers, no failed ones, and none that read like refusals."
    )
    return Answers(models=found, text=text)


def _answers_of(model: str, given: ModelColumns, asked: AskedOfModel | None) -> AnswersOfModel:
    empty, refusals = _count(given.empty), _count(given.refusals)
    characters, latency = (
        spread_of(given.texts.facts(len(given.excerpts))["characters"]),
        spread_of(given.latencies),
    )
    notes = [counted(given.n_answers, "answer")]
    notes += [
        f"{count} {word} ({share(count, given.n_answers)})"
        for count, word in (
            (empty, "empty"),
            (refusals, "like refusals"),
            (given.n_failed, "failed"),
        )
        if count
    ]
    notes += [f"{in_words(characters)} characters"] if characters else []
    notes += [f"{in_words(latency)} seconds"] if latency else []
    if asked is not None:
        cost = "" if asked.cost is None else f", cost {figure(asked.cost)}"
        notes.append(f"{counted(asked.calls, 'call')}{cost}")
    return AnswersOfModel(
        model=model,
        answers=given.n_answers,
        empty=empty,
        refusals=refusals,
        failed=given.n_failed,
        characters=characters,
        latency_seconds=latency,
        calls=None if asked is None else asked.calls,
        input_tokens=None if asked is None else asked.input_tokens,
        output_tokens=None if asked is None else asked.output_tokens,
        cost=None if asked is None or asked.cost is None else rounded(asked.cost),
        text=f"{bare(model)}: {'; '.join(notes)}.",
    )


def _count(column: "Numbers") -> int:
    return int((column == 1).sum())
