"""A live metric for tests: each of its judges is asked about each answer, and rows say what it does to its process."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from evalbus.metrics import Batch, Columns, LiveMetric, Note, Remark, ScoreDeclaration, Whole
from evalbus.models.base import CacheMode
from evalbus.templates import RowsFailed, Template, TemplateError
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts
from tests.parrot import Parrot, install_parrot
from tests.scoring import a_plugin

if TYPE_CHECKING:
    # Scoring children import this as well, and have no use for it.
    import pytest


UNSAYABLE: Final[Any] = object()


class Jury(LiveMetric):
    """The share of its judges whose answer holds the row's reference; judges are parrots.

    A row may say what happens: `asking` and `scoring` (`raise`, `exit`, `hang`, and for asking `unrenderable` and
    `unsayable`), `deaf` (judges that are not asked), `remark` and `counts` (given instead of what the judges said).
    `only` limits what happens when asking and scoring to the jury of this name.
    """

    class Parameters(Closed):
        juror: str = "jury"
        judges: tuple[str, ...] = ("one",)
        cache: CacheMode = "off"
        is_priced: bool = False

    scores = (ScoreDeclaration(name="agreed", direction="higher", minimum=0.0, maximum=1.0),)
    corpus = (ScoreDeclaration(name="share", direction="higher"),)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._name = parameters.juror
        self._judges = parameters.judges
        self.respondents = tuple(
            Parrot(
                Parrot.Parameters(
                    endpoint=f"http://{judge}.example/v1",
                    cache=parameters.cache,
                    is_priced=parameters.is_priced,
                ),
                limits,
            )
            for judge in parameters.judges
        )

    def templates(self) -> Mapping[str, Template]:
        return {}

    def questions(self, batch: Batch) -> Sequence[Sequence[JsonObject | None]]:
        unrenderable: dict[int, TemplateError] = {}
        for place, item in enumerate(batch.items):
            if self._does(item, "asking") == "unrenderable":
                unrenderable[place] = TemplateError("missing_field", "the item has no criteria")
            else:
                _do(self._does(item, "asking"))
        if unrenderable:
            raise RowsFailed(unrenderable)
        return [
            [self._question(judge, item, sample) for judge in self._judges]
            for item, sample in zip(batch.items, batch.samples, strict=True)
        ]

    def score(self, batch: Batch) -> Columns:
        values: list[float] = []
        notes: dict[int, Note] = {}
        remarks: dict[tuple[int, int], Remark] = {}
        counts: list[Counts | None] = []
        for place, (item, answers) in enumerate(zip(batch.items, batch.answers, strict=True)):
            _do(self._does(item, "scoring"))
            said = [str(answer["output_text"]) for answer in answers if answer is not None]
            agreed = sum(str(item["reference"]) in text for text in said)
            values.append(agreed / len(said) if said else math.nan)
            counts.append((agreed, len(said)) if said else None)
            if "counts" in item:
                counts[place] = cast("Counts", item["counts"])
            if said:
                remarks[place, 0] = _remark(item.get("remark"), said)
            else:
                notes[place] = Note(code="nobody_asked", message="no judge was asked")
        return Columns(values=[values], notes=notes, remarks=remarks, counts=counts)

    def whole(self, total: Counts) -> Whole:
        assert isinstance(total, tuple), "it counts by place"
        return Whole(values=(total[0] / total[1],))

    def _question(self, judge: str, item: JsonObject, sample: JsonObject) -> JsonObject | None:
        if judge in _names(item.get("deaf")):
            return None
        if self._does(item, "asking") == "unsayable":
            return {"prompt": UNSAYABLE}
        return {"prompt": f"{self._name}/{judge}: {sample['output_text']}"}

    def _does(self, item: JsonObject, what: str) -> object:
        return item.get(what) if item.get("only", self._name) == self._name else None


def a_jury(name: str = "jury", **parameters: Any) -> MetricPlugin:
    return a_plugin("jury", name=name, juror=name, **parameters)


def install_jury(folder: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
    """In the same package as the parrot, for this process and for children that it starts."""
    install_parrot(folder, monkeypatch)
    with (folder / "parrot-1.0.dist-info" / "entry_points.txt").open("a") as points:
        points.write("[evalbus.metrics]\njury = tests.jury:Jury\n")


def _do(what: object) -> None:
    match what:
        case "raise":
            raise ValueError("not this one")
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(3600)
        case _:
            pass


def _names(deaf: object) -> Sequence[object]:
    return deaf if isinstance(deaf, list) else ()


def _remark(wanted: object, said: Sequence[str]) -> Remark:
    return (
        Remark(**wanted)
        if isinstance(wanted, dict)
        else Remark(label=said[0], rationale="; ".join(said), detail={"judges": len(said)})
    )
