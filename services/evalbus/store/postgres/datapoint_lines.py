"""Datapoints as text: what is stored as JSON goes out as it is, so that a million rows are not decoded and encoded again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any, cast

import asyncpg
import orjson

from evalbus.store.agreeing import agrees
from evalbus.store.ports import Layout
from evalbus.store.slices import names_of
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.exports import ExportedScore
from evalbus_schemas.names import reference

Names = tuple[str, str]
"""Metric and score."""

_Item = tuple[int, int, str, str, int, bool]
_Answer = tuple[
    int,
    int,
    int,
    bool,
    list[float],
    str,
    float | None,
    str | None,
    str | None,
    list[float] | None,
    bool,
]
"""What a record of either query has, in its order: taken apart at once, for there are millions."""

MEMBERSHIPS_REMEMBERED = 4096
"""Combinations of slices."""


def exported_scores(workspace: str, layout: Layout) -> tuple[ExportedScore, ...]:
    """Those of rows and those of the whole, numbered as the benchmark has them."""
    all_names = list(layout.directions)
    of_metric = [metric for metric, _ in all_names]
    return tuple(
        ExportedScore(
            criteria_uid=number,
            criteria_name=metric if of_metric.count(metric) == 1 else f"{metric}.{score}",
            metric=reference(workspace, metric),
            score=score,
            scope="row" if (metric, score) in layout.scores else "corpus",
            has_ground_truth=(metric, score) in layout.with_truth,
        )
        for number, (metric, score) in enumerate(all_names, 1)
    )


class DatapointLines:
    """Writes the datapoints of one job; keeps nothing of its rows."""

    def __init__(self, workspace: str, benchmark: Benchmark, layout: Layout) -> None:
        self._workspace = workspace
        self._datasets = [dataset.name for dataset in benchmark.datasets]
        # Datasets may have rows in them.
        self._without_rows = benchmark.model_copy(update={"datasets": ()})
        self._with_truth = tuple(layout.with_truth)
        numbered = dict(zip(layout.directions, exported_scores(workspace, layout), strict=True))
        self._scores = [(names, numbered[names]) for names in layout.scores]
        self._models = [reference(workspace, model.name) for model in benchmark.models]
        self._plain: dict[tuple[int, int], str] = {}
        self._membership: dict[int, str] = {}

    @property
    def item_overhead(self) -> int:
        """Characters of a datapoint beside its item and its answers; about."""
        return len(self._line(0, 2**31, "", "", "", "", ""))

    @property
    def answer_overhead(self) -> int:
        """Characters of an answer and its scores beside its sample; about."""
        return max(
            len(_sample(model, 0, "", is_failed=False, latency_seconds=None))
            + len(self._plain_scores(model_no, 0))
            for model_no, model in enumerate(self._models)
        )

    def write(
        self,
        dataset_no: int,
        items: Iterable["asyncpg.Record"],
        answers: Iterable["asyncpg.Record"],
    ) -> Iterator[str]:
        """A line for each item; answers of a row come in the order of models and repeats."""
        samples: dict[int, str] = {}
        scores: dict[int, str] = {}
        for answer in cast("Iterable[_Answer]", answers):
            (
                model_no,
                row,
                repeat,
                is_failed,
                values,
                sample,
                latency,
                errors,
                remarks,
                truths,
                _,
            ) = answer
            written = _sample(
                self._models[model_no], repeat, sample, is_failed=is_failed, latency_seconds=latency
            )
            # Two values may be too large to be added up: then it only takes longer.
            if not (errors or remarks or truths) and isfinite(sum(values)):
                scored = self._plain_scores(model_no, repeat) % tuple(values)
            else:
                scored = self._annotated_scores(model_no, repeat, values, errors, remarks, truths)
            if row in samples:
                written, scored = f"{samples[row]},{written}", f"{scores[row]},{scored}"
            samples[row], scores[row] = written, scored
        for _, row, row_id, item, slices, _ in cast("Iterable[_Item]", items):
            yield self._line(
                dataset_no,
                row,
                row_id,
                item,
                samples.get(row, ""),
                scores.get(row, ""),
                self._membership.get(slices) or self._written_membership(slices),
            )

    def _line(
        self,
        dataset_no: int,
        row: int,
        row_id: str,
        item: str,
        samples: str,
        scores: str,
        slices: str,
    ) -> str:
        # A row over the size limit has no item.
        name = self._datasets[dataset_no]
        line = (
            f'{{"x_uid":"{name}::{row}","dataset":"{self._workspace}/{name}","row_index":{row}'
            f',"row_id":{_text(row_id)},"item":{item or "{}"},"samples":[{samples}],"scores":[{scores}]'
            f',"slice_membership":{slices}}}\n'
        )
        # JSON may have it between words, and to many readers a line ends there.
        return line.replace("\r", " ")

    def _written_membership(self, slices: int) -> str:
        written = _json(names_of(slices, self._without_rows))
        if len(self._membership) < MEMBERSHIPS_REMEMBERED:
            self._membership[slices] = written
        return written

    def _plain_scores(self, model_no: int, repeat: int) -> str:
        """With a place for each value, whose shortest notation is JSON as well."""
        plain = self._plain.get((model_no, repeat))
        if plain is None:
            entries = (self._entry(score, model_no, repeat, "EVAL") for _, score in self._scores)
            plain = ",".join(
                _json(entry)[:-1].replace("%", "%%") + ',"value":%r}' for entry in entries
            )
            self._plain[model_no, repeat] = plain
        return plain

    def _annotated_scores(
        self,
        model_no: int,
        repeat: int,
        values: Sequence[float],
        errors: str | None,
        remarks: str | None,
        given: Sequence[float] | None,
    ) -> str:
        place = (model_no, repeat)
        said, wrong = _remarks(remarks), _errors(errors)
        # Nothing of a row that was scored before there was anything to compare with.
        truths = dict(zip(self._with_truth, given or (), strict=False))
        entries: list[JsonObject] = []
        for (names, score), value in zip(self._scores, values, strict=True):
            remark = said.get(names, {})
            truth: float = truths.get(names, nan)
            evaluated = self._entry(score, *place, "EVAL")
            evaluated["value"] = value if isfinite(value) else None
            if remark.get("label") is not None:
                evaluated["label"] = remark["label"]
            if isfinite(truth):
                evaluated["truth"] = truth
            if not isfinite(value) and (error := wrong.get(names[0]) or wrong.get(None)):
                evaluated["error"] = error
            entries.append(evaluated)
            if remark.get("rationale") is not None:
                reasoned = self._entry(score, *place, "RATIONALE")
                entries.append({**reasoned, "value": remark["rationale"]})
            if isfinite(value) and isfinite(truth):
                agreed = self._entry(score, *place, "AGREEMENT")
                entries.append({**agreed, "value": float(agrees(value, truth))})
        return _json(entries)[1:-1]

    def _entry(
        self, score: ExportedScore, model_no: int, repeat: int, score_type: str
    ) -> JsonObject:
        return {
            "criteria_uid": score.criteria_uid,
            "criteria_name": score.criteria_name,
            "model": self._models[model_no],
            **({"repeat": repeat} if repeat else {}),
            "score_type": score_type,
        }


def _sample(
    model: str, repeat: int, sample: str, *, is_failed: bool, latency_seconds: float | None
) -> str:
    failed = "true" if is_failed else "false"
    taken = "" if latency_seconds is None else f',"latency_seconds":{latency_seconds!r}'
    return f'{{"model":"{model}","repeat":{repeat},"failed":{failed},"output":{sample or "{}"}{taken}}}'


def _remarks(written: str | None) -> Mapping[Names, dict[str, Any]]:
    """What metrics say of a row beside its values."""
    if written is None:
        return {}
    return {(remark["metric"], remark["score"]): remark for remark in orjson.loads(written)}


def _errors(written: str | None) -> Mapping[str | None, str]:
    """Why a row has no value, by metric; None: it has no sample either."""
    if written is None:
        return {}
    return {
        error["metric"]: f"{error['code']}: {error['message']}" for error in orjson.loads(written)
    }


def _text(text: str) -> str:
    # Most row ids are a hash or a number: to look is cheaper than to encode them.
    is_plain = text.isprintable() and '"' not in text and "\\" not in text
    return f'"{text}"' if is_plain else _json(text)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
