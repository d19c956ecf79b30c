"""Every row of a job's datasets is told with all its scores, page by page, whatever became of it."""

import json
from functools import partial
from typing import Any

import orjson
import pytest

from evalbus.errors import Conflict, Invalid, NotFound
from evalbus.exporting.pages import datapoint_pages
from evalbus.store.ports import ChunkToSend, NewRevision
from evalbus_schemas.benchmark import Dataset, MetricPlugin, Params
from evalbus_schemas.chunks import ScoreRemark
from evalbus_schemas.exports import DatapointPage, ExportHead, ListDatapoints
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    a_stretch,
    an_unscored_row,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres

MEBIBYTE = 1024 * 1024
HOSTILE = 'a NUL \0, half of 🎉 \ud83c, "quotes", \\, %s, \x1e, \u2028, עברית and 🎉'


async def pages_of(stores: Stores, job: str = "job", **query: Any) -> list[DatapointPage]:
    """As the store gives them, pieces of datapoints included."""
    pages: list[DatapointPage] = []
    after: str | None = None
    while not pages or after is not None:
        wanted = ListDatapoints.model_validate({"job": job, "after": after} | query)
        pages.append(await stores.datapoints.page(wanted))
        after = pages[-1].next
    return pages


async def datapoints_of(stores: Stores, job: str = "job", **query: Any) -> list[dict[str, Any]]:
    async def ask(after: str | None, count: int) -> DatapointPage:
        wanted = ListDatapoints.model_validate({"job": job, "after": after, "limit": count} | query)
        return await stores.datapoints.page(wanted)

    found = [page async for page in datapoint_pages(ask)]
    datapoints = [json.loads(line) for page in found for line in page.lines.split("\n")[:-1]]
    assert sum(page.count for page in found) == len(datapoints)
    return datapoints


async def head_of(stores: Stores, job: str = "job") -> ExportHead:
    head = (await stores.datapoints.page(ListDatapoints(job=job, limit=1))).head
    assert head is not None
    return head


async def keep(stores: Stores, sent: ChunkToSend, sample: bytes = b"{}", **scored: Any) -> None:
    chunk = a_scored_chunk(sent, **scored)
    await stores.scores.keep(chunk, samples_of(chunk, sample))


async def two_by_two(stores: Stores) -> None:
    """Seven rows of two datasets for two models, the third row of each full chunk failed."""
    benchmark = a_benchmark(datasets=("one", "two"), models=("small", "large"), metrics=("a", "b"))
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=7)
    for sent in await stores.take():
        errors = [a_failed_row(2)] if sent.n_rows == 3 else []
        scores = [[None if errors and row == 2 else 0.5] * 1 for row in range(sent.n_rows)]
        column = [value for (value,) in scores]
        await keep(stores, sent, errors=errors, scores=[column, column])


async def test_a_datapoint_has_its_item_its_samples_and_a_score_of_every_model_and_metric(
    stores: Stores,
) -> None:
    await two_by_two(stores)

    found = (await datapoints_of(stores))[8]

    assert found == {
        "x_uid": "two::1",
        "dataset": "default/two",
        "row_index": 1,
        "row_id": "row-1",
        "item": {"id": 1, "input": "question 1", "output": "Paris"},
        "samples": [
            {"model": f"default/{model}", "repeat": 0, "failed": False, "output": {}}
            for model in ("small", "large")
        ],
        "scores": [
            {
                "criteria_uid": number,
                "criteria_name": metric,
                "model": f"default/{model}",
                "score_type": "EVAL",
                "value": 0.5,
            }
            for model in ("small", "large")
            for number, metric in ((1, "a"), (2, "b"))
        ],
        "slice_membership": [],
    }


@pytest.mark.parametrize("limit", [1, 2, 6, 7, 8, 14, 10_000])
async def test_pages_of_any_size_give_the_same_text(stores: Stores, limit: int) -> None:
    await two_by_two(stores)
    whole = "".join(page.lines for page in await pages_of(stores))

    pages = await pages_of(stores, limit=limit)

    assert "".join(page.lines for page in pages) == whole
    assert [json.loads(line)["x_uid"] for line in whole.split("\n")[:-1]] == [
        f"{dataset}::{row}" for dataset in ("one", "two") for row in range(7)
    ]
    assert all(1 <= page.count <= limit for page in pages)
    assert [page.head is not None for page in pages] == [True] + [False] * (len(pages) - 1)


async def test_rows_that_nobody_scored_are_there_as_well(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(name="job"), rows=6)
    nothing_scored = await datapoints_of(stores)
    await stores.keep((await stores.take())[1])
    await stores.jobs.cancel("default", job.name)

    found = await datapoints_of(stores)

    assert [len(each["scores"]) for each in nothing_scored] == [0] * 6
    assert [len(each["scores"]) for each in found] == [0, 0, 0, 1, 1, 1]
    assert [len(each["samples"]) for each in found] == [0, 0, 0, 1, 1, 1]
    assert (await head_of(stores)).partial


async def test_a_live_model_that_is_behind_leaves_the_answers_of_the_other_in_place(
    stores: Stores,
) -> None:
    benchmark = a_benchmark(models=("quick", "live"), params=Params(repeats=2))
    new = a_new_job(name="job", benchmark=benchmark, live=["live"])
    await stores.a_job_read(new, rows=4, in_chunks_of=2)
    for sent in await stores.take():
        if not sent.is_live or (sent.first_row, sent.repeat) == (0, 1):
            await keep(stores, sent, scores=[[1.0, 0.25]])

    found = await datapoints_of(stores, limit=1)

    assert [[(s["model"], s["repeat"]) for s in each["samples"]] for each in found] == [
        *[[("default/quick", 0), ("default/live", 1)]] * 2,
        *[[("default/quick", 0)]] * 2,
    ]
    assert [score["value"] for score in found[1]["scores"]] == [0.25, 0.25]
    assert found[0]["samples"][1]["latency_seconds"] == 0.2


async def test_repeats_stand_beside_one_another_in_whole_rows_on_every_page(stores: Stores) -> None:
    benchmark = a_benchmark(models=("live",), params=Params(repeats=3))
    large = b'{"output_text":"' + b"x" * 100_000 + b'"}'
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark, live=["live"]), rows=9)
    while taken := await stores.take():
        for sent in taken:
            await keep(stores, sent, large)

    pages = await pages_of(stores)
    found = await datapoints_of(stores)

    assert len(pages) > 1
    assert [each["row_index"] for each in found] == list(range(9))
    for each in found:
        assert [sample["repeat"] for sample in each["samples"]] == [0, 1, 2]
        assert [score.get("repeat") for score in each["scores"]] == [None, 1, 2]


async def test_a_value_that_is_missing_says_why(stores: Stores) -> None:
    benchmark = a_benchmark(metrics=("a", "b"))
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=4, in_chunks_of=4)
    (sent,) = await stores.take()
    errors = [a_failed_row(0), a_failed_row(1, metric="a"), an_unscored_row(2, metric="b")]
    await keep(
        stores,
        sent,
        errors=errors,
        scores=[[None, None, 1.0, None], [None, 0.5, None, 1e300]],
    )

    found = await datapoints_of(stores)

    of_rows = [[(s["value"], s.get("error")) for s in each["scores"]] for each in found]
    assert of_rows == [
        [(None, "broken: it broke"), (None, "broken: it broke")],
        [(None, "broken: it broke"), (0.5, None)],
        [(1.0, None), (None, "no_reference: nothing to compare with")],
        [(None, None), (1e300, None)],
    ]
    assert [each["samples"][0]["failed"] for each in found] == [True, True, False, False]


async def test_labels_rationales_and_what_people_said_stand_beside_the_values(
    stores: Stores,
) -> None:
    judge = MetricPlugin.model_validate(
        {
            "name": "judge",
            "type": "exact-match",
            "reference": "Paris",
            "ground_truth": "{{ item.label }}",
        }
    )
    await stores.a_job_read(
        a_new_job(name="job", benchmark=a_benchmark(metrics=(judge, "other"))),
        rows=5,
        in_chunks_of=5,
    )
    (sent,) = await stores.take()
    remark = ScoreRemark(
        row=1, metric="judge", score="exact-match", label="good", rationale=HOSTILE[:6]
    )
    await keep(
        stores,
        sent,
        scores=[[1.0, 0.0, None, 0.1 + 0.2, 1.0], [1.0] * 5],
        truths=[[1.0, 1.0, 0.0, 0.3, None]],
        remarks=[remark],
        errors=[an_unscored_row(2, metric="judge")],
    )

    found = await datapoints_of(stores)

    def of_judge(row: int, score_type: str) -> list[dict[str, Any]]:
        wanted = ("judge", score_type)
        return [
            {
                key: value
                for key, value in score.items()
                if key in ("value", "label", "truth", "error")
            }
            for score in found[row]["scores"]
            if (score["criteria_name"], score["score_type"]) == wanted
        ]

    assert [of_judge(row, "EVAL") for row in range(5)] == [
        [{"value": 1.0, "truth": 1.0}],
        [{"value": 0.0, "label": "good", "truth": 1.0}],
        [{"value": None, "truth": 0.0, "error": "no_reference: nothing to compare with"}],
        [{"value": 0.1 + 0.2, "truth": 0.3}],
        [{"value": 1.0}],
    ]
    assert [of_judge(row, "AGREEMENT") for row in range(5)] == [
        [{"value": 1.0}],
        [{"value": 0.0}],
        [],
        [{"value": 1.0}],
        [],
    ]
    assert [of_judge(row, "RATIONALE") for row in range(5)] == [
        *([], [{"value": HOSTILE[:6]}], [], [], [])
    ]
    assert [len(each["scores"]) for each in found] == [3, 4, 2, 3, 2]


async def test_a_datapoint_names_the_slices_that_it_is_in(stores: Stores) -> None:
    new = a_new_job(name="job", benchmark=a_benchmark(slices=("hard", "long", "empty")))
    await stores.a_job_read(new, rows=4, slices=[0b00, 0b01, 0b11, 0b10])

    found = await datapoints_of(stores)

    assert [each["slice_membership"] for each in found] == [
        *([], ["hard"], ["hard", "long"], ["long"])
    ]


async def test_text_of_any_kind_comes_back_as_it_was(stores: Stores) -> None:
    # A carriage return between words is good JSON, and the end of a line to whoever reads text.
    item = json.dumps({"text": HOSTILE, "number": 10**40}).replace(", ", ",\r").encode()
    sample = orjson.dumps({"output_text": HOSTILE.replace("\ud83c", "")})
    await stores.jobs.create(a_new_job(name="job"))
    lease = await stores.claim()
    await stores.add(lease, a_stretch(rows=[('"row"\\\x7f\u2028', item), ("empty", b"")]))
    for sent in await stores.take():
        await keep(stores, sent, sample)

    (page,) = await pages_of(stores)
    hostile, empty = await datapoints_of(stores)

    assert page.lines.count("\n") == 2
    assert "\r" not in page.lines
    assert hostile["item"] == {"text": HOSTILE, "number": 10**40}
    assert hostile["samples"][0]["output"]["output_text"] == HOSTILE.replace("\ud83c", "")
    assert hostile["row_id"] == '"row"\\\x7f\u2028'
    assert empty["item"] == {}


@pytest.mark.parametrize("text", ["x" * 900, '"' * 450, "ä" * 900, "\u2028" * 900])
async def test_a_page_is_at_most_a_mebibyte_whatever_the_rows_are_made_of(
    stores: Stores, text: str
) -> None:
    item = json.dumps({"text": text}, ensure_ascii=False).encode()
    await stores.a_job_read(a_new_job(name="job"), items=[item] * 1500, in_chunks_of=500)
    for sent in await stores.take():
        await keep(stores, sent)

    pages = await pages_of(stores)

    assert max(len(page.lines.encode()) for page in pages) <= MEBIBYTE + 4096
    assert 2 <= len(pages) <= 20
    assert sum(page.count for page in pages) == 1500


async def test_a_datapoint_larger_than_a_page_comes_in_pieces(stores: Stores) -> None:
    items = [json.dumps({"text": "é" * size}).encode() for size in (9, 600_000, 9, 100_000, 9)]
    await stores.a_job_read(
        a_new_job(name="job", benchmark=a_benchmark(models=("a", "b"))), items=items
    )
    for sent in await stores.take():
        await keep(stores, sent, b'{"output_text":"' + b"y" * 700_000 + b'"}')

    pages = await pages_of(stores)
    found = await datapoints_of(stores)

    assert max(len(page.lines) for page in pages) <= MEBIBYTE
    assert len(pages) > 5
    assert [len(each["item"]["text"]) for each in found] == [9, 600_000, 9, 100_000, 9]
    assert {
        len(sample["output"]["output_text"]) for each in found for sample in each["samples"]
    } == {700_000}
    assert [page.count for page in pages if page.lines.endswith("\n")] == [1] * 5


async def test_a_large_datapoint_that_changes_between_its_pieces_is_told_of(stores: Stores) -> None:
    item = b'{"text":"' + b"x" * 2 * MEBIBYTE + b'"}'
    await stores.a_job_read(a_new_job(name="job"), items=[item])
    first = await stores.datapoints.page(ListDatapoints(job="job"))
    second = await stores.datapoints.page(ListDatapoints(job="job", after=first.next))
    assert second.next is not None
    place, _, _ = second.next.rpartition(".")

    with pytest.raises(Conflict, match="changed"):
        await stores.datapoints.page(ListDatapoints(job="job", after=f"{place}.1"))
    with pytest.raises(Conflict, match="changed"):
        await stores.datapoints.page(ListDatapoints(job="job", after=f"0.0.{10**9}.1"))


async def test_rows_that_come_while_it_is_read_are_told_if_they_lie_ahead(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="job"))
    lease = await stores.add(await stores.claim(), a_stretch(n_rows=3))
    page = partial(stores.datapoints.page)

    first = await page(ListDatapoints(job="job", limit=2))
    await stores.score_all()
    await stores.add(lease, a_stretch(first_row=3, n_rows=2))
    second = await page(ListDatapoints(job="job", after=first.next))

    told = [json.loads(line) for line in (first.lines + second.lines).split("\n")[:-1]]
    assert [(each["row_index"], len(each["scores"])) for each in told] == [
        *((0, 0), (1, 0), (2, 1), (3, 0), (4, 0))
    ]
    assert second.next is None


async def test_a_job_without_rows_is_an_empty_page_with_a_head(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="job"))

    (page,) = await pages_of(stores)

    assert (page.lines, page.count, page.next) == ("", 0, None)
    assert page.head is not None
    assert page.head.partial


async def test_the_head_says_what_was_run_and_what_the_names_mean(stores: Stores) -> None:
    benchmark = a_benchmark(
        models=("small", "large"),
        metrics=(
            "exact-match",
            MetricPlugin.model_validate(
                {"name": "lines", "type": "bleu", "references": ["Paris"]},
            ),
        ),
        slices=("hard",),
    )
    job, _ = await stores.a_job_read(a_new_job(name="job", benchmark=benchmark))

    head = await head_of(stores, str(job.job_id))

    assert head.execution == await stores.jobs.job("default", "job")
    assert head.definition["metrics"] == [
        metric.model_dump(mode="json") for metric in benchmark.metrics
    ]
    assert (head.datasets, head.models) == (
        ("default/capitals",),
        ("default/small", "default/large"),
    )
    assert [(score.criteria_uid, score.criteria_name, score.scope) for score in head.scores] == [
        (1, "exact-match", "row"),
        (2, "lines.sentence", "row"),
        (3, "lines.corpus", "corpus"),
    ]
    assert [(one.id, one.display_name, one.reserved_slice_type) for one in head.slices] == [
        ("None", "All Datapoints", "global"),
        ("-1", "No Slice", "no_slice"),
        ("1", "hard", "regular_slice"),
    ]
    unsaved = head.benchmark_metadata
    assert (unsaved.uid, unsaved.name, unsaved.created_by) == (None, "capitals", "somebody")
    assert unsaved.created_at == job.created_at


async def test_a_saved_benchmark_is_told_as_it_is_saved(stores: Stores) -> None:
    saved = await stores.catalogue.create(
        NewRevision(
            kind="benchmark",
            workspace="default",
            name="capitals",
            version="1.0",
            description="of countries",
            supplier="",
            labels={},
            additional_info={},
            definition={},
            created_by="ada",
        )
    )
    await stores.a_completed_job(a_new_job(name="job"))

    head = await head_of(stores)

    assert not head.partial
    assert head.benchmark_metadata.model_dump() == {
        "uid": saved.entry.uid,
        "name": "capitals",
        "description": "of countries",
        "created_at": saved.entry.created_at,
        "created_by": "ada",
    }


async def test_rows_that_are_written_in_the_benchmark_are_told_once(stores: Stores) -> None:
    inline = Dataset(name="capitals", rows=({"output": "Paris"},))
    benchmark = a_benchmark().model_copy(update={"datasets": (inline,)})
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=1)

    head = await head_of(stores)

    whole = orjson.loads(benchmark.model_dump_json())
    del whole["datasets"][0]["rows"]
    assert head.definition == whole


async def test_what_is_not_there_is_not_found(stores: Stores) -> None:
    await two_by_two(stores)

    for query in (
        ListDatapoints(job="nobody"),
        ListDatapoints(job="with\x00nul"),
        ListDatapoints(job="job", workspace="other"),
    ):
        with pytest.raises(NotFound):
            await stores.datapoints.page(query)


async def test_two_workspaces_may_have_a_job_of_one_name(stores: Stores) -> None:
    for workspace, rows in (("default", 2), ("other", 3)):
        await stores.a_job_read(a_new_job(name="job", workspace=workspace), rows=rows)

    found = await datapoints_of(stores, workspace="other")

    assert [each["dataset"] for each in found] == ["other/capitals"] * 3


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "1", "1.2.3", "1.2.3.4.5", "0.-1", "0.²", "40000.0", f"0.{2**63}", f"0.0.{2**63}.0"],
)
async def test_a_cursor_that_is_none_is_invalid(stores: Stores, cursor: str) -> None:
    await stores.a_job_read(a_new_job(name="job"), rows=1)

    with pytest.raises(Invalid, match="no cursor"):
        await stores.datapoints.page(ListDatapoints(job="job", after=cursor))


async def test_a_cursor_behind_the_last_row_gives_an_empty_last_page(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="job"), rows=1)

    page = await stores.datapoints.page(ListDatapoints(job="job", after="9.0"))

    assert (page.lines, page.head, page.next) == ("", None, None)
