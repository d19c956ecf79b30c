"""Scoring children, and what a metric can do to them: whatever it is, it costs the row that it is done for."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE

import orjson
import pytest

from evalbus.errors import Malformed, TransientError
from evalbus.evaluator.children import ScoringChildren
from evalbus.evaluator.scoring import join_lines, score_chunk
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import Plan, RowLimits
from tests.buses import eventually
from tests.parrot import a_parrot, install_parrot
from tests.scoring import Scored, a_chunk_of, a_plugin, a_request, exact_match, parsed

HOSTILE = '''
"""A metric that does to its process what the row says."""

import ctypes
import math
import os
import sys
import time

from evalbus.metrics import Columns, Metric, ScoreDeclaration
from evalbus_schemas.base import Closed

KEPT = []


class Hostile(Metric):
    class Parameters(Closed):
        pass

    scores = (
        ScoreDeclaration(name="one", direction="higher"),
        ScoreDeclaration(name="two", direction="none"),
    )

    def __init__(self, parameters, limits):
        pass

    def templates(self):
        return {}

    def score(self, batch):
        for item in batch.items:
            self.do(item.get("do"), item)
        return Columns(values=([1.0] * len(batch), [item.get("value", 2.0) for item in batch.items]))

    def do(self, what, item):
        if what == "segfault":
            ctypes.string_at(0)
        elif what == "exit":
            os._exit(3)
        elif what == "sys.exit":
            sys.exit("no more")
        elif what == "hang":
            while True:
                pass
        elif what == "hog":
            KEPT.append(bytearray(8 * 1024**3))
        elif what == "raise":
            raise ValueError("not this one")
        elif what == "sleep":
            time.sleep(item["seconds"])
        elif what == "print":
            print("x" * 1_000_000, flush=True)
            os.write(1, b"y" * 1_000_000)
        elif what == "look around":
            item["value"] = float(sum(name.startswith(("EVALBUS_", "PG")) for name in os.environ))
'''


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MetricPlugin:
    """A metric from somebody else's package, installed where the children find it."""
    (tmp_path / "hostile.py").write_text(HOSTILE)
    record = tmp_path / "hostile-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[evalbus.metrics]\nhostile = hostile:Hostile\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return a_plugin("hostile")


@pytest.fixture
def parrot(hostile: MetricPlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MetricPlugin:
    """A live model beside the hostile metric."""
    install_parrot(tmp_path, monkeypatch)
    return a_parrot()


@pytest.fixture
async def children(hostile: MetricPlugin) -> AsyncGenerator[ScoringChildren]:
    async with ScoringChildren(1, evaluator="here") as started:
        yield started


def rows_doing(*doings: str | None) -> list[JsonObject | bytes]:
    return [{"output": "a", "reference": "a", "do": doing} for doing in doings]


async def score(
    children: ScoringChildren,
    rows: Sequence[JsonObject | bytes],
    metrics: Sequence[MetricPlugin],
    *,
    limits: RowLimits | None = None,
) -> Scored:
    request, body = a_chunk_of(rows, metrics=metrics, limits=limits)
    async with asyncio.timeout(60):
        return parsed(await children.score(request, body))


QUICK = RowLimits(row_seconds=1.0)


async def test_a_child_answers_what_the_function_does() -> None:
    # given
    request, body = a_chunk_of([*rows_doing(None, None), b"", b"{"])

    # when
    async with ScoringChildren(2, evaluator="here") as children:
        answers = [parsed(await children.score(request, body)) for _ in range(4)]

    # then
    wanted = parsed(score_chunk(body, evaluator="here"))
    for answer in answers:
        assert answer.header.model_copy(update={"seconds": 0}) == wanted.header.model_copy(
            update={"seconds": 0}
        )
        assert answer.samples == wanted.samples


@pytest.mark.parametrize(
    ("doing", "code", "words"),
    [
        ("segfault", "crashed", "SIGSEGV"),
        ("exit", "crashed", "exit code 3"),
        ("hang", "overran", "1 seconds"),
        ("hog", "out_of_memory", "memory"),
        ("raise", "raised", "ValueError: not this one"),
        ("sys.exit", "raised", "SystemExit: no more"),
    ],
)
@pytest.mark.parametrize("place", [0, 7, 19])
async def test_whatever_a_row_does_only_that_row_fails(
    children: ScoringChildren, hostile: MetricPlugin, doing: str, code: str, words: str, place: int
) -> None:
    # given
    rows = rows_doing(*([None] * place), doing, *([None] * (19 - place)))

    # when
    scored = await score(children, rows, [exact_match(), hostile], limits=QUICK)

    # then
    good = tuple(None if row == place else 1.0 for row in range(20))
    assert scored.columns == (good, good, tuple(value and 2.0 for value in good))
    assert set(scored.failed) == {place}
    error = scored.failed[place]
    assert (error.code, error.stage, error.metric) == (code, "metric", "hostile")
    assert words in error.message
    assert [sample.get("output_text") for sample in scored.samples].count("a") >= 19


async def test_several_rows_that_end_children_each_fail_and_no_other(
    children: ScoringChildren, hostile: MetricPlugin
) -> None:
    # given
    doings = ["exit", None, None, "hang", "segfault", None, "exit", None, "raise"]

    # when
    scored = await score(children, rows_doing(*doings), [hostile], limits=QUICK)

    # then
    assert scored.columns[0] == tuple(None if doing else 1.0 for doing in doings)
    codes = {row: error.code for row, error in scored.failed.items()}
    assert codes == {0: "crashed", 3: "overran", 4: "crashed", 6: "crashed", 8: "raised"}
    assert (scored.header.n_rows, scored.header.evaluator) == (9, "here")


async def test_a_row_that_ends_children_while_it_is_rendered_costs_itself_and_no_other(
    parrot: MetricPlugin,
) -> None:
    # given
    questions = ["Paris", "crash", "Rome", "Bern", "crash"]
    request, body = a_chunk_of([{"question": question} for question in questions])
    request = request.model_copy(update={"plan": Plan(model=parrot, metrics=())})
    lines = body.split(b"\n")[1:]

    # when
    async with ScoringChildren(1) as children, asyncio.timeout(60):
        rendered = parsed(await children.score(request, join_lines(request, lines)))

    # then
    assert {row: (error.stage, error.code) for row, error in rendered.failed.items()} == {
        1: ("sample", "crashed"),
        4: ("sample", "crashed"),
    }
    asked = [sample.get("prompt") for sample in rendered.samples]
    assert asked == ["Paris", None, "Rome", "Bern", None]


async def test_a_metric_that_ends_children_leaves_the_samples_that_were_given(
    children: ScoringChildren, hostile: MetricPlugin
) -> None:
    # given
    request = a_request(9, metrics=[hostile, exact_match()])
    request = request.model_copy(update={"samples": "given", "rows": tuple(range(0, 18, 2))})
    doings = [None, "segfault", None, None, "exit", None, None, None, None]
    lines = [
        orjson.dumps({"do": doing, "reference": "a"}) + b'\x1e{"output_text":"a"}'
        for doing in doings
    ]

    # when
    async with asyncio.timeout(60):
        scored = parsed(await children.score(request, join_lines(request, lines)))

    # then
    assert {row: error.stage for row, error in scored.failed.items()} == {1: "metric", 4: "metric"}
    assert scored.samples == [{"output_text": "a"}] * 9
    assert scored.columns[-1] == tuple(None if row in (1, 4) else 1.0 for row in range(9))


ENDLESS = "{% for a in range(item.n) %}{% for b in range(item.n) %}{% for c in range(item.n) %}{% endfor %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    "endless",
    [exact_match(reference=ENDLESS), exact_match(ground_truth=ENDLESS)],
    ids=["own", "truth"],
)
async def test_a_template_that_never_ends_overruns_like_a_metric(
    children: ScoringChildren, endless: MetricPlugin
) -> None:
    # given
    truth = a_plugin("length", unit="words", ground_truth="{{ item.n }}")
    rows: list[JsonObject | bytes] = [
        {"output": "a", "reference": "a", "n": 1},
        {"output": "a", "reference": "a", "n": 90_000},
    ]

    # when
    scored = await score(children, rows, [truth, endless], limits=QUICK)

    # then
    assert [(error.metric, error.code) for error in scored.failed.values()] == [
        ("exact-match", "overran")
    ]
    assert [column[1] for column in scored.columns] == [None, None]
    assert scored.header.truths[0] == (1.0, None)


async def test_slow_rows_that_keep_within_their_time_do_not_fail(
    children: ScoringChildren, hostile: MetricPlugin
) -> None:
    # given
    rows: list[JsonObject | bytes] = [
        {"output": "a", "do": "sleep", "seconds": 0.4 if row else 0.0} for row in range(5)
    ]
    seen: list[int] = []
    request, body = a_chunk_of(rows, metrics=[hostile], limits=QUICK)

    # when
    scored = parsed(await children.score(request, body, note_rows=seen.append))

    # then
    assert scored.columns[0] == (1.0,) * 5
    assert not scored.failed
    assert max(seen) >= 3


async def test_a_metric_that_prints_does_no_harm(
    children: ScoringChildren, hostile: MetricPlugin, capfd: pytest.CaptureFixture[str]
) -> None:
    # when
    scored = await score(children, rows_doing("print", None), [hostile])

    # then
    assert scored.columns[0] == (1.0, 1.0)
    assert capfd.readouterr().out == ""


async def test_a_value_that_is_no_number_is_unscored_with_its_reason(
    children: ScoringChildren, hostile: MetricPlugin
) -> None:
    # given
    rows: list[JsonObject | bytes] = [
        {"output": "a", "value": 1e308},
        {"output": "a", "value": "NaN"},
        {"output": "a", "value": "-inf"},
    ]

    # when
    scored = await score(children, rows, [hostile])

    # then
    assert scored.columns[1] == (1e308, None, None)
    assert scored.notes == {1: "no_value", 2: "non_finite"}
    assert not scored.failed


async def test_a_child_sees_no_setting_and_no_password(
    hostile: MetricPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setenv("EVALBUS_DATABASE_URL", "postgresql://user:secret@localhost/x")
    monkeypatch.setenv("PGPASSWORD", "secret")

    # when
    async with ScoringChildren(1) as children:
        scored = await score(children, rows_doing("look around"), [hostile])

    # then
    assert scored.columns[1] == (0.0,)


async def test_a_plan_that_this_installation_cannot_run_is_left_to_another(
    children: ScoringChildren,
) -> None:
    # given
    request, body = a_chunk_of(rows_doing(None), metrics=[a_plugin("no-such-metric")])

    # when, then
    with pytest.raises(TransientError, match="no-such-metric"):
        await children.score(request, body)
    assert (await score(children, rows_doing(None), [exact_match()])).columns == ((1.0,),)


async def test_a_wrong_number_of_rows_is_malformed_and_reaches_no_child(
    children: ScoringChildren,
) -> None:
    _, body = a_chunk_of(rows_doing(None))

    with pytest.raises(Malformed):
        await children.score(a_request(2), body)


async def test_a_child_that_was_killed_between_two_chunks_is_replaced(
    children: ScoringChildren, hostile: MetricPlugin
) -> None:
    # given
    (pid,) = children.pids
    os.kill(pid, signal.SIGKILL)

    # when
    scored = await score(children, rows_doing(None, None), [hostile])

    # then
    assert scored.columns[0] == (1.0, 1.0)
    assert children.pids != (pid,)


async def test_a_child_that_is_killed_at_work_costs_no_row(
    children: ScoringChildren, hostile: MetricPlugin
) -> None:
    # given
    rows: list[JsonObject | bytes] = [{"output": "a", "do": "sleep", "seconds": 0.05}] * 20
    request, body = a_chunk_of(rows, metrics=[hostile])
    begun = asyncio.Event()
    (pid,) = children.pids

    # when
    work = asyncio.create_task(children.score(request, body, note_rows=lambda _: begun.set()))
    async with asyncio.timeout(60):
        await begun.wait()
        os.kill(pid, signal.SIGKILL)
        scored = parsed(await work)

    # then
    assert scored.columns[0] == (1.0,) * 20
    assert not scored.failed


async def test_a_chunk_waits_for_a_free_child_and_another_child_is_not_held_up(
    hostile: MetricPlugin,
) -> None:
    # given
    slow = a_chunk_of(
        [{"output": "a", "do": "sleep", "seconds": 30}], metrics=[hostile], limits=RowLimits()
    )
    quick = a_chunk_of(rows_doing(None))

    async with ScoringChildren(2) as children:
        # when
        held = asyncio.create_task(children.score(*slow))
        async with asyncio.timeout(20):
            answers = [parsed(await children.score(*quick)) for _ in range(3)]

        # then
        assert not held.done()
        assert [answer.columns for answer in answers] == [((1.0,),)] * 3
        held.cancel()
        with suppress(asyncio.CancelledError):
            await held


async def test_a_cancelled_chunk_leaves_a_child_for_the_next(
    children: ScoringChildren, hostile: MetricPlugin
) -> None:
    # given
    request, body = a_chunk_of(rows_doing(None, "hang"), metrics=[hostile])
    begun = asyncio.Event()
    work = asyncio.create_task(children.score(request, body, note_rows=lambda _: begun.set()))
    async with asyncio.timeout(60):
        await begun.wait()

    # when
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work

    # then
    assert (await score(children, rows_doing(None), [hostile])).columns[0] == (1.0,)


async def test_no_child_is_left_behind(hostile: MetricPlugin) -> None:
    # given
    async with ScoringChildren(3) as children:
        pids = children.pids

    # then
    assert len(pids) == 3
    assert not any(_is_running(pid) for pid in pids)


async def test_a_chunk_in_hand_when_the_children_stop_is_left_to_another_evaluator(
    hostile: MetricPlugin,
) -> None:
    # given
    request, body = a_chunk_of(rows_doing(None, "hang"), metrics=[hostile])
    begun = asyncio.Event()
    async with ScoringChildren(1) as children:
        work = asyncio.create_task(children.score(request, body, note_rows=lambda _: begun.set()))
        async with asyncio.timeout(60):
            await begun.wait()

    # then
    with pytest.raises(TransientError, match="has stopped"):
        await work
    assert children.pids == ()


PARENT = """
import asyncio, sys
from evalbus.evaluator.children import ScoringChildren
from tests.buses import eventually
from tests.parrot import a_parrot, install_parrot
from tests.scoring import a_chunk_of, a_plugin

async def main():
    async with ScoringChildren(2) as children:
        print(*children.pids, flush=True)
        request, body = a_chunk_of([{"output": "a", "do": "hang"}], metrics=[a_plugin("hostile")])
        await children.score(request, body)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_children_end_with_a_parent_that_is_killed_even_in_a_row_that_never_ends(
    hostile: MetricPlugin, number: signal.Signals
) -> None:
    # given
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(PARENT), stdout=PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout
    pids = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(pids) == 2

    # when
    parent.send_signal(number)
    await parent.wait()

    # then
    await eventually(lambda: not any(_is_running(pid) for pid in pids))


def _is_running(pid: int) -> bool:
    """False as well for a process that has ended and only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
