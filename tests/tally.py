"""A metric whose rows count in whichever way a test wants, as a package of somebody else's would bring it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evalbus.metrics import Batch, Columns, Metric, ScoreDeclaration, Whole
from evalbus.templates import Template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import MetricPlugin, ScoreDirection
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

if TYPE_CHECKING:
    import pytest

RIGHT, ALL = "right", "all"


class Tally(Metric):
    """The share of what is right in all that there is: of a row and, as `of_all`, of all rows."""

    class Parameters(Closed):
        direction: ScoreDirection = "higher"

    formula = "right / all"
    source = "the tests of the store"

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self.scores = (ScoreDeclaration(name="share", direction=parameters.direction),)
        self.corpus = (ScoreDeclaration(name="of_all", direction=parameters.direction),)

    def templates(self) -> Mapping[str, Template]:
        return {}

    def score(self, batch: Batch) -> Columns:
        return Columns(values=([1.0] * len(batch),), counts=[(1, 1)] * len(batch))

    def whole(self, total: Counts) -> Whole:
        right, of_all = (
            (total[RIGHT], total[ALL]) if isinstance(total, Mapping) else (total[0], total[1])
        )
        return Whole(
            values=(right / of_all if of_all else math.nan,),
            detail={"right": right, "all": of_all, "said": "a NUL \0 and 🎉"},
        )


def a_tally(
    *, name: str = "tally", direction: Literal["higher", "lower"] = "higher"
) -> MetricPlugin:
    return MetricPlugin.model_validate({"name": name, "type": "tally", "direction": direction})


def install_tally(folder: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
    """As somebody else's package would be, for this process."""
    record = folder / "tally-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: tally\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[evalbus.metrics]\ntally = tests.tally:Tally\n")
    monkeypatch.syspath_prepend(folder)
