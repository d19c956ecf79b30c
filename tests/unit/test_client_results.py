"""Results, rows and comparisons as somebody who writes Python gets them."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from evalbus.bus.base import Message
from evalbus.bus.rpc import Answerer
from evalbus.client import Client
from evalbus.errors import Invalid, OverLimit, PermanentError
from evalbus.settings import Settings
from evalbus_schemas.queries import (
    CompareResults,
    Comparison,
    Deleted,
    GetResult,
    JobNamed,
    ListResults,
    ListRows,
    ListSlices,
    NamedScore,
    Result,
    ResultNamed,
    ResultPage,
    RowPage,
    SlicePage,
    SliceScores,
)
from evalbus_schemas.scores import RubricCount, ScoreStatistics
from tests.answers import (
    NOON,
    a_bus_that_answers,
    a_client,
    a_comparison,
    a_metric_result,
    a_result,
    a_result_page,
    a_row,
)

SEVEN = tuple(f"job-{number}" for number in range(7))


class Service:
    """Answers what is asked about results, and keeps what it was asked."""

    def __init__(self, names: tuple[str, ...] = SEVEN, *, fitting: int = 1000) -> None:
        self.names = names
        self.fitting = fitting
        self.asked: list[BaseModel] = []

    @property
    def answers(self) -> Mapping[str, Answerer]:
        return {
            "jobs.delete": self.delete_job,
            "results.get": self.get,
            "results.list": self.list_results,
            "results.delete": self.delete,
            "results.compare": self.compare,
            "results.rows": self.rows,
            "results.slices": self.slices,
        }

    async def get(self, named: GetResult, _: Message) -> Result:
        self.asked.append(named)
        return a_result(named.result, workspace=named.workspace)

    async def list_results(self, wanted: ListResults, _: Message) -> ResultPage:
        self.asked.append(wanted)
        page = a_result_page(wanted, self.names)
        if len(page.data) > self.fitting:
            raise OverLimit("the page is too large", {"page_size": self.fitting})
        return page

    async def delete(self, named: ResultNamed, _: Message) -> Deleted:
        self.asked.append(named)
        return Deleted(id=f"{named.workspace}/{named.result}", deleted_at=NOON)

    async def delete_job(self, named: JobNamed, _: Message) -> Deleted:
        self.asked.append(named)
        return Deleted(id=f"{named.workspace}/{named.job}", deleted_at=NOON)

    async def compare(self, wanted: CompareResults, _: Message) -> Comparison:
        self.asked.append(wanted)
        return a_comparison()

    async def rows(self, wanted: ListRows, _: Message) -> RowPage:
        self.asked.append(wanted)
        first = int(wanted.after or 0)
        last = first + min(wanted.limit, 3)
        rows = tuple(
            a_row(
                number,
                metrics={"default/f1": (NamedScore(name="f1", value=None if number % 2 else 0.5),)},
            )
            for number in range(first, min(last, 10))
        )
        return RowPage(rows=rows, next=str(last) if last < 10 else None, partial=False)

    async def slices(self, wanted: ListSlices, _: Message) -> SlicePage:
        self.asked.append(wanted)
        names = ("all", "hard", "long", "no-slice")
        first = int(wanted.after or 0)
        slices = tuple(
            SliceScores(slice=name, rows=2, failed_rows=0, results=(a_metric_result(),))
            for name in names[first : first + 3]
        )
        return SlicePage(slices=slices, next="3" if first == 0 else None)


def a_sync_client(service: Service, *, workspace: str = "default") -> Client:
    return Client(
        opener=lambda: a_bus_that_answers(service.answers),
        settings=Settings(),
        workspace=workspace,
    )


async def test_iterating_over_a_list_asks_for_one_page_after_the_other() -> None:
    service = Service()

    async with a_client(service.answers) as client:
        found = [result.name async for result in client.results.list(page_size=3)]

    assert found == list(SEVEN)
    assert service.asked == [ListResults(page=page, page_size=3) for page in (1, 2, 3)]


async def test_an_awaited_list_is_one_page_that_goes_on_when_it_is_iterated_over() -> None:
    service = Service()

    async with a_client(service.answers) as client:
        page = await client.results.list(page=2, page_size=3, sort="name")
        asked_for_the_page = len(service.asked)
        onwards = [result.name async for result in page]

    assert [result.name for result in page.data] == ["job-3", "job-4", "job-5"]
    assert page.pagination.model_dump() == {
        "page": 2,
        "page_size": 3,
        "current_page_size": 3,
        "total_pages": 3,
        "total_results": 7,
    }
    assert (page.sort, page.filter) == ("name", None)
    assert asked_for_the_page == 1
    assert onwards == ["job-3", "job-4", "job-5", "job-6"]


def test_a_list_of_the_synchronous_client_is_a_page_and_an_iteration_over_all() -> None:
    service = Service()

    with a_sync_client(service) as client:
        page = client.results.list(page_size=3)
        everything = [result.name for result in page]
        again = [result.name for result in page]

    assert [result.name for result in page.data] == ["job-0", "job-1", "job-2"]
    assert page.pagination.total_results == 7
    assert everything == again == list(SEVEN)


async def test_a_list_without_results_and_a_page_past_the_end_are_empty() -> None:
    async with a_client(Service(()).answers) as nothing, a_client(Service().answers) as seven:
        none = [result async for result in nothing.results.list()]
        past = await seven.results.list(page=9, page_size=3)
        beyond = [result async for result in past]

    assert none == beyond == []
    assert past.data == ()
    assert past.pagination.total_results == 7


async def test_a_result_made_in_the_meantime_lets_no_other_come_twice() -> None:
    service = Service()

    async with a_client(service.answers) as client:
        found: list[str] = []
        async for result in client.results.list(page_size=2):
            if not found:
                service.names = ("newest", *service.names)
            found.append(result.name)

    assert found == list(SEVEN)


@pytest.mark.parametrize("fitting", [1, 2, 3, 5])
async def test_results_too_large_for_one_answer_come_in_smaller_pages(fitting: int) -> None:
    service = Service(fitting=fitting)

    async with a_client(service.answers) as client:
        found = [result.name async for result in client.results.list()]

    assert found == list(SEVEN)


async def test_results_that_grow_on_the_way_are_each_listed_once() -> None:
    service = Service(tuple(f"job-{number}" for number in range(40)), fitting=12)

    async with a_client(service.answers) as client:
        found: list[str] = []
        async for result in client.results.list():
            found.append(result.name)
            if len(found) == 5:
                service.fitting = 7

    assert found == list(service.names)


async def test_a_page_size_that_was_chosen_is_kept_and_refused_where_it_cannot_be() -> None:
    service = Service(fitting=2)

    async with a_client(service.answers) as client:
        with pytest.raises(OverLimit, match="too large"):
            await client.results.list(page_size=5)

    assert len(service.asked) == 1


async def test_a_query_is_sent_as_it_was_written() -> None:
    service = Service()
    when = datetime(2026, 1, 1, tzinfo=UTC)

    async with a_client(service.answers, workspace="team") as client:
        await client.results.list(
            filter={"benchmark": "team/capitals"},
            search={"created_at": {"$gt": when}},
            aggregate_fields=["mean", "std_dev"],
            page=1,
        )
        await client.results.list(filter='name~"nightly" -(rows<5)')

    assert service.asked == [
        ListResults(
            workspace="team",
            filter={"benchmark": "team/capitals"},
            search={"created_at": {"$gt": "2026-01-01T00:00:00Z"}},
            aggregate_fields=("mean", "std_dev"),
        ),
        ListResults(workspace="team", filter='name~"nightly" -(rows<5)'),
    ]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"page": 0}, "page: .*greater than or equal to 1"),
        ({"page_size": 1001}, "page_size: .*less than or equal to 1000"),
        ({"sort": "size"}, "sort: .*'created_at'"),
        ({"aggregate_fields": ["median"]}, "aggregate_fields.0: .*'mean'"),
        ({"filtr": {}}, "filtr: unknown key; did you mean 'filter'"),
        ({"filter": {"name": object()}}, "cannot be written as JSON"),
    ],
)
async def test_a_query_that_cannot_be_right_is_refused_before_it_is_sent(
    query: dict[str, object], says: str
) -> None:
    service = Service()

    async with a_client(service.answers) as client:
        with pytest.raises(Invalid, match=says):
            client.results.list(**query)  # type: ignore[arg-type]  # wrong on purpose

    assert service.asked == []


async def test_a_filter_nested_beyond_all_measure_is_refused() -> None:
    bomb: dict[str, object] = {}
    for _ in range(100_000):
        bomb = {"$not": bomb}

    async with a_client(Service().answers) as client:
        with pytest.raises(Invalid, match="cannot be written as JSON"):
            client.results.list(filter=bomb)


def test_a_score_without_a_value_is_a_float_that_is_not_a_number() -> None:
    with a_sync_client(Service()) as client:
        values = [row.metrics["default/f1"][0].value for row in client.results.rows("j", limit=4)]

    assert all(isinstance(value, float) for value in values)
    assert [math.isnan(value) for value in values] == [False, True, False, True]


async def test_rows_are_limited_filtered_and_gone_on_with() -> None:
    service = Service()

    async with a_client(service.answers) as client:
        found = [
            row.row_index
            async for row in client.results.rows(
                "j", limit=5, model="terse", slice="hard", score="f1", below=0.7, after="2"
            )
        ]

    filters = {"model": "terse", "slice": "hard", "score": "f1", "below": 0.7}
    assert found == [2, 3, 4, 5, 6]
    assert [asked.model_dump(exclude_defaults=True) for asked in service.asked] == [
        {"job": "j", **filters, "limit": 5, "after": "2"},
        {"job": "j", **filters, "limit": 2, "after": "5"},
    ]


def test_the_slices_of_a_result_are_iterated_over_page_by_page() -> None:
    service = Service()

    with a_sync_client(service, workspace="team") as client:
        found = list(client.results.slices("nightly"))

    assert [one.slice for one in found] == ["all", "hard", "long", "no-slice"]
    assert found[1].results == (a_metric_result(),)
    assert service.asked == [
        ListSlices(result="nightly", workspace="team", limit=1000),
        ListSlices(result="nightly", workspace="team", limit=1000, after="3"),
    ]


async def test_a_row_tells_its_slices_and_what_people_said() -> None:
    said = NamedScore(name="f1", value=0.5, truth=1.0, agreement=0.0)

    async def rows(_: ListRows, __: Message) -> RowPage:
        row = a_row(0, metrics={"default/f1": (said,)}).model_copy(update={"slices": ("hard",)})
        return RowPage(rows=(row,), next=None, partial=False)

    async with a_client({"results.rows": rows}) as client:
        (found,) = [row async for row in client.results.rows("j")]

    (score,) = found.metrics["default/f1"]
    assert found.slices == ("hard",)
    assert (score.value, score.truth, score.agreement) == (0.5, 1.0, 0.0)


def test_the_evaluation_resources_are_the_same_calls_under_other_names() -> None:
    service = Service()

    with a_sync_client(service) as client:
        aggregate = client.evaluation.benchmark_jobs.results.aggregate_scores.download(job="a")
        rows = list(client.evaluation.benchmark_jobs.results.row_scores.download(job="a", limit=2))
        listed = [r.name for r in client.evaluation.benchmark_job_results.list(page_size=5)]
        one = client.evaluation.benchmark_job_results.retrieve("a", aggregate_fields=["mean"])
        deleted = client.evaluation.benchmark_job_results.delete("a")

    assert aggregate.results == a_result().results
    assert [score.name for score in aggregate.scores] == ["exact-match"]
    assert [row.row_index for row in rows] == [0, 1]
    assert listed == list(SEVEN)
    assert one.name == "a"
    assert deleted.id == "default/a"


async def test_the_evaluation_resources_know_no_event_loop_or_live_in_one() -> None:
    service = Service()

    async with a_client(service.answers) as client:
        results = client.evaluation.benchmark_jobs.results
        aggregate = await results.aggregate_scores.download(job="a")
        rows = [row.row_index async for row in results.row_scores.download(job="a", limit=2)]
        page = await client.evaluation.benchmark_job_results.list(page_size=5)
        one = await client.evaluation.benchmark_job_results.retrieve("a")
        deleted = await client.evaluation.benchmark_job_results.delete("a")

    assert len(aggregate.scores) == len(page.data[0].results) == 1
    assert rows == [0, 1]
    assert (one.name, deleted.id) == ("a", "default/a")


def test_every_evaluation_resource_can_look_into_another_workspace() -> None:
    service = Service()

    with a_sync_client(service, workspace="team") as client:
        resources = client.evaluation.benchmark_jobs.results
        resources.aggregate_scores.download(job="a", workspace="other")
        list(resources.row_scores.download(job="a", workspace="other", limit=1))
        client.evaluation.benchmark_job_results.list(workspace="other")
        client.evaluation.benchmark_job_results.retrieve("a", workspace="other")
        client.evaluation.benchmark_job_results.delete("a", workspace="other")
        client.evaluation.benchmark_job_results.retrieve("a")

    workspaces = [asked.model_dump()["workspace"] for asked in service.asked]
    assert workspaces == ["other"] * 5 + ["team"]


def test_results_are_compared_with_the_first_column_or_with_another() -> None:
    service = Service()

    with a_sync_client(service) as client:
        client.results.compare("nightly")
        client.results.compare("nightly", slice="hard")
        found = client.results.compare(["a", "b:terse"], baseline="b:terse", force=True)

    assert found == a_comparison()
    assert service.asked == [
        CompareResults(columns=("nightly",)),
        CompareResults(columns=("nightly",), slice="hard"),
        CompareResults(columns=("a", "b:terse"), baseline="b:terse", force=True),
    ]


def test_a_job_is_deleted_by_its_name() -> None:
    service = Service()

    with a_sync_client(service, workspace="team") as client:
        deleted = client.jobs.delete("a")

    assert deleted == Deleted(id="team/a", deleted_at=NOON)
    assert service.asked == [JobNamed(job="a", workspace="team")]


def test_a_score_is_a_row_of_a_table() -> None:
    rubric = (RubricCount(label="good", value=1.0, count=3),)
    (score,) = a_metric_result(rubric_distribution=rubric).scores

    row = score.to_dict()
    of_one_field = ScoreStatistics(name="f1", count=5, mean=0.5).to_dict()

    assert row["name"] == "exact-match"
    assert (row["mean"], row["count"], row["mode_category"]) == (0.6, 5, None)
    assert row["rubric_distribution"] == (
        {"label": "good", "description": None, "value": 1.0, "count": 3},
    )
    assert json.loads(json.dumps(row))["rubric_distribution"][0]["label"] == "good"
    assert list(of_one_field) == list(row)
    assert (of_one_field["mean"], of_one_field["std_dev"]) == (0.5, None)


def test_a_closed_client_says_so_whatever_is_left_of_it() -> None:
    client = a_sync_client(Service())
    page = client.results.list(page_size=2)
    rows = client.results.rows("j")
    next(rows)

    client.close()

    with pytest.raises(PermanentError, match="closed"):
        client.results.get("a")
    with pytest.raises(PermanentError, match="closed"):
        list(page)
    with pytest.raises(PermanentError, match="closed"):
        list(rows)


async def test_an_answer_of_a_newer_service_is_understood() -> None:
    async def newer(named: GetResult, _: Message) -> BaseModel:
        class Newer(Result):
            added_later: int = 1

        return Newer(**a_result(named.result).model_dump())

    async with a_client({"results.get": newer}) as client:
        found = await client.results.get("a")

    assert found == a_result("a")
