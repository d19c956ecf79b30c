"""What a row adds to a score of the whole travels and is kept with it: one that adds too much costs itself alone."""

from pathlib import Path

import orjson
import pytest

from evalbus.metrics import COUNTS_BYTES_MAX
from tests.evaluators import a_live_chunk, running
from tests.jury import a_jury, install_jury
from tests.scoring import a_plugin

RECORDED = a_plugin("recorded", name="baseline", output="{{ item.question }}")
AROUND = len(orjson.dumps({"": 1}))


@pytest.mark.parametrize("too_many", [0, 1])
async def test_counts_beyond_their_room_cost_their_row(
    too_many: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    install_jury(tmp_path, monkeypatch)
    counts = {"n" * (COUNTS_BYTES_MAX - AROUND + too_many): 1}
    large = orjson.dumps({"question": "Paris", "reference": "Paris", "counts": counts})

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(large, "Rome", model=RECORDED, metrics=[a_jury()])
        )

    # then
    assert scored.header.counts == ((None if too_many else counts, (1, 1)),)
    assert [(error.row, error.code) for error in scored.header.errors if error.failed] == (
        [(0, "raised")] if too_many else []
    )
