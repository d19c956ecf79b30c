"""What somebody who writes against the client can rely on."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from operator import attrgetter
from pathlib import Path
from uuid import uuid4

import pytest

import evalbus
from evalbus.bus.base import Bus, Message, Outgoing
from evalbus.bus.memory import MemoryBus
from evalbus.bus.rpc import Answerer
from evalbus.bus.topology import EVENTS
from evalbus.client import AsyncClient, Client, load_benchmark
from evalbus.errors import (
    Conflict,
    EvalbusError,
    Invalid,
    NotAllowed,
    NotFound,
    OverLimit,
    PermanentError,
    Refused,
    Unavailable,
    WrongSettings,
)
from evalbus.settings import Settings
from evalbus_schemas.benchmark import StartBenchmark
from evalbus_schemas.events import routing_key
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import (
    EventPage,
    JobNamed,
    JobPage,
    JobStarted,
    ListEvents,
    ListJobs,
    ListRows,
    RowPage,
    StoredEvent,
    WaitForJob,
)
from tests.answers import NOON, a_bus_that_answers, a_client, a_job, a_row
from tests.builders import a_benchmark, an_event
from tests.buses import a_message


async def test_a_job_comes_back_in_its_type() -> None:
    async def get(named: JobNamed, _: Message) -> Job:
        return a_job(name=named.job, workspace=named.workspace)

    async with a_client({"jobs.get": get}, workspace="team") as client:
        job = await client.jobs.get("capitals-1")

    assert job == a_job(name="capitals-1", workspace="team")


@pytest.mark.parametrize("refusal", [Invalid, NotAllowed, NotFound, Conflict, OverLimit])
async def test_a_refusal_is_raised_as_the_error_it_was(refusal: type[Refused]) -> None:
    async def get(_: JobNamed, __: Message) -> Job:
        raise refusal("no", {"known": ["a"]})

    async with a_client({"jobs.get": get}) as client:
        with pytest.raises(refusal, match=r"^no$") as raised:
            await client.jobs.get("capitals-1")

    assert raised.value.data == {"known": ["a"]}


async def test_a_service_that_waits_for_its_database_is_unavailable() -> None:
    async def get(_: JobNamed, __: Message) -> Job:
        raise Unavailable("Postgres is away")

    async with a_client({"jobs.get": get}) as client:
        with pytest.raises(Unavailable, match="Postgres is away"):
            await client.jobs.get("capitals-1")


async def test_a_call_that_nobody_answers_ends_with_its_timeout() -> None:
    async def get(_: JobNamed, __: Message) -> Job:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async with a_client({"jobs.get": get}, timeout_seconds=0.05) as client:
        with pytest.raises(Unavailable, match="no answer"):
            await client.jobs.get("capitals-1")


async def test_what_cannot_be_right_is_refused_before_it_is_sent() -> None:
    async with a_client({}) as client:
        with pytest.raises(Invalid, match=r"job: .*at least 1 character"):
            await client.jobs.get("")


async def test_any_method_can_be_called_by_its_name() -> None:
    async def get(named: JobNamed, _: Message) -> Job:
        return a_job(name=named.job)

    async with a_client({"jobs.get": get}) as client:
        found = await client.call("jobs.get", {"job": "capitals-7"})
        with pytest.raises(Invalid, match=r"unknown method 'jobs\.gett'; did you mean 'jobs\.get'"):
            await client.call("jobs.gett")

    assert isinstance(found, Job)
    assert found.name == "capitals-7"


class LosesTheFirstReply(MemoryBus):
    """Its connection breaks once, after the service has answered."""

    has_lost = False

    async def ask(self, request: Outgoing, *, timeout_seconds: float) -> Message:
        answer = await super().ask(request, timeout_seconds=timeout_seconds)
        if not self.has_lost:
            self.has_lost = True
            raise Unavailable("the connection broke")
        return answer


class AnswersGarbage(MemoryBus):
    async def ask(self, request: Outgoing, *, timeout_seconds: float) -> Message:
        return a_message(b"not json")


async def test_a_start_whose_reply_was_lost_is_repeated_with_the_same_key() -> None:
    commands: list[StartBenchmark] = []

    async def start(command: StartBenchmark, _: Message) -> JobStarted:
        commands.append(command)
        return JobStarted(job=a_job(), created=True)

    async with AsyncClient(
        opener=lambda: a_bus_that_answers({"jobs.start": start}, bus=LosesTheFirstReply()),
        settings=Settings(),
    ) as client:
        job = await client.jobs.start(a_benchmark())

    assert job == a_job()
    assert len(commands) == 2
    assert commands[0].idempotency_key == commands[1].idempotency_key
    assert commands[0].idempotency_key


async def test_a_benchmark_may_be_a_path_a_dict_a_model_or_a_reference(tmp_path: Path) -> None:
    started: list[StartBenchmark] = []

    async def start(command: StartBenchmark, _: Message) -> JobStarted:
        started.append(command)
        return JobStarted(job=a_job(), created=True)

    benchmark = a_benchmark()
    file = tmp_path / "capitals.json"
    file.write_text(benchmark.model_dump_json())

    async with a_client({"jobs.start": start}) as client:
        await client.jobs.start(benchmark)
        await client.jobs.start(benchmark.model_dump())
        await client.jobs.start(str(file), job="monday", labels={"a": "b"})
        await client.jobs.start("default/capitals", params={"limit_samples": 3})

    as_model, as_dict, as_file, as_reference = started
    assert as_model.benchmark == as_dict.benchmark == load_benchmark(benchmark)
    assert not isinstance(as_file.benchmark, str)
    (dataset,) = as_file.benchmark.written_out().datasets
    assert dataset.source == str(tmp_path / "capitals.jsonl")
    assert (as_file.job, as_file.labels) == ("monday", {"a": "b"})
    assert as_reference.benchmark == "default/capitals"
    assert as_reference.params is not None
    assert as_reference.params.limit_samples == 3


async def test_waiting_ends_with_the_job() -> None:
    states = [a_job(), a_job(rows=5), a_job(status=JobStatus.COMPLETED, rows=10)]

    async def wait(_: WaitForJob, __: Message) -> Job:
        return states.pop(0)

    async with a_client({"jobs.wait": wait}) as client:
        ended = await client.jobs.wait("capitals-1")

    assert ended.status is JobStatus.COMPLETED


async def test_waiting_does_not_ask_again_at_once_where_too_many_wait() -> None:
    asked = 0

    async def wait(_: WaitForJob, __: Message) -> Job:
        nonlocal asked
        asked += 1
        return a_job()

    async with a_client({"jobs.wait": wait}) as client:
        await client.jobs.wait("capitals-1", timeout_seconds=0.3)

    assert asked <= 2


async def test_waiting_with_a_timeout_gives_the_job_as_it_is_then() -> None:
    async def wait(_: WaitForJob, __: Message) -> Job:
        return a_job(rows=5)

    async with a_client({"jobs.wait": wait}) as client:
        job = await client.jobs.wait("capitals-1", timeout_seconds=0.01)

    assert (job.status, job.rows) == (JobStatus.ACTIVE, 5)


async def test_waiting_goes_on_when_the_services_were_away_for_a_moment() -> None:
    answers: list[Unavailable | Job] = [
        Unavailable("restarting"),
        a_job(status=JobStatus.COMPLETED),
    ]

    async def wait(_: WaitForJob, __: Message) -> Job:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    async with a_client({"jobs.wait": wait}) as client:
        ended = await client.jobs.wait("capitals-1")

    assert ended.status is JobStatus.COMPLETED


async def test_watching_shows_every_state_and_ends_with_the_job() -> None:
    states = [a_job(rows=5), a_job(status=JobStatus.COMPLETED, rows=10)]

    async def get(_: JobNamed, __: Message) -> Job:
        return a_job()

    async def wait(_: WaitForJob, __: Message) -> Job:
        return states.pop(0)

    async with a_client({"jobs.get": get, "jobs.wait": wait}) as client:
        seen = [job.rows async for job in client.jobs.watch("capitals-1", every_seconds=0.01)]

    assert seen == [0, 5, 10]


async def test_a_list_goes_through_all_pages_and_asks_for_no_more_than_it_needs() -> None:
    asked: list[ListJobs] = []

    async def list_jobs(wanted: ListJobs, _: Message) -> JobPage:
        asked.append(wanted)
        number = len(asked)
        jobs = (a_job(name=f"job-{number}-a"), a_job(name=f"job-{number}-b"))
        return JobPage(jobs=jobs[: wanted.limit], next=f"page-{number + 1}")

    async with a_client({"jobs.list": list_jobs}) as client:
        names = [job.name async for job in client.jobs.list(limit=5)]

    assert names == ["job-1-a", "job-1-b", "job-2-a", "job-2-b", "job-3-a"]
    assert [wanted.after for wanted in asked] == [None, "page-2", "page-3"]
    assert asked[-1].limit == 1


async def test_rows_come_one_by_one_whatever_the_pages() -> None:
    async def rows(wanted: ListRows, _: Message) -> RowPage:
        assert wanted.failed_only
        first = int(wanted.after or 0)
        found = tuple(a_row(number) for number in range(first, min(first + 3, 7)))
        return RowPage(rows=found, next=str(first + 3) if first + 3 < 7 else None, partial=False)

    async with a_client({"results.rows": rows}) as client:
        found = [row.row_index async for row in client.results.rows("j", failed_only=True)]

    assert found == list(range(7))


async def test_events_are_listed_to_the_last_one() -> None:
    stored = [
        StoredEvent(
            id=uuid4(),
            type="evalbus.benchmark.started.v1",
            time=NOON,
            event=an_event(job="j").model_copy(update={"sequence": sequence}),
        )
        for sequence in (3, 8, 9)
    ]

    async def events(wanted: ListEvents, _: Message) -> EventPage:
        after = [each for each in stored if each.event.sequence > wanted.after]
        return EventPage(events=tuple(after[:2]))

    async with a_client({"events.list": events}) as client:
        found = [each.event.sequence async for each in client.events.list()]

    assert found == [3, 8, 9]


async def test_a_listener_hears_the_events_of_its_workspace() -> None:
    bus = MemoryBus()
    async with (
        AsyncClient(
            opener=lambda: a_bus_that_answers({}, bus=bus), settings=Settings(), workspace="team.a"
        ) as client,
        client.events.listen() as events,
    ):
        for workspace in ("other", "team.a"):
            event = an_event(workspace=workspace, job="j")
            await bus.publish(_to_listeners(event.model_dump_json(), workspace))
        heard = await anext(events)

    assert heard.workspace == "team.a"


def _to_listeners(body: str, workspace: str) -> Outgoing:
    return Outgoing(
        message=a_message(body.encode()),
        exchange=EVENTS.name,
        key=routing_key("completed", workspace),
        is_mandatory=False,
    )


async def test_a_client_connects_at_the_first_call_and_can_be_closed_at_any_time() -> None:
    async def get(named: JobNamed, _: Message) -> Job:
        return a_job(name=named.job)

    never_used, used = a_client({}), a_client({"jobs.get": get})

    await never_used.close()
    await never_used.close()
    found = await used.jobs.get("capitals-1")
    await asyncio.create_task(used.close())

    assert found.name == "capitals-1"
    with pytest.raises(PermanentError, match="closed"):
        await used.jobs.get("capitals-1")


async def test_a_client_whose_server_was_away_connects_when_it_is_asked_again() -> None:
    attempts: list[str] = []

    @asynccontextmanager
    async def away_at_first() -> AsyncGenerator[Bus, None]:
        attempts.append("again")
        if len(attempts) == 1:
            raise Unavailable("not yet")

        async def get(named: JobNamed, _: Message) -> Job:
            return a_job(name=named.job)

        async with a_bus_that_answers({"jobs.get": get}) as bus:
            yield bus

    client = AsyncClient(opener=away_at_first, settings=Settings())
    with pytest.raises(Unavailable, match="not yet"):
        await client.jobs.get("capitals-1")
    found = await client.jobs.get("capitals-1")
    await client.close()

    assert found.name == "capitals-1"


def test_without_a_broker_the_client_says_what_it_needs() -> None:
    with pytest.raises(WrongSettings, match="EVALBUS_AMQP_URL"):
        Client(settings=Settings())


def a_sync_client(answers: Mapping[str, Answerer]) -> Client:
    return Client(opener=lambda: a_bus_that_answers(answers), settings=Settings())


def test_the_synchronous_client_needs_no_event_loop() -> None:
    async def get(named: JobNamed, _: Message) -> Job:
        return a_job(name=named.job)

    async def rows(_: ListRows, __: Message) -> RowPage:
        return RowPage(rows=(a_row(0), a_row(1)), next=None, partial=False)

    with a_sync_client({"jobs.get": get, "results.rows": rows}) as client:
        job = client.jobs.get("capitals-1")
        ids = [row.row_id for row in client.results.rows("capitals-1")]

    assert job.name == "capitals-1"
    assert ids == ["r0", "r1"]


def test_the_synchronous_client_may_stop_in_the_middle_of_a_list() -> None:
    async def list_jobs(_: ListJobs, __: Message) -> JobPage:
        return JobPage(jobs=(a_job(name="a"), a_job(name="b")), next="more")

    client = a_sync_client({"jobs.list": list_jobs})
    first = next(client.jobs.list())
    client.close()
    client.close()

    assert first.name == "a"


def test_the_synchronous_client_raises_what_the_service_said() -> None:
    async def get(_: JobNamed, __: Message) -> Job:
        raise NotFound("no job is called 'nope'")

    with a_sync_client({"jobs.get": get}) as client, pytest.raises(NotFound, match="nope"):
        client.jobs.get("nope")


def test_both_clients_offer_the_same() -> None:
    sync = Client(opener=lambda: a_bus_that_answers({}), settings=Settings())
    asynchronous = a_client({})

    for path in (
        *("jobs", "results", "events", "dlq"),
        *("datasets", "models", "metrics", "benchmarks"),
        "evaluation.benchmark_jobs.results.aggregate_scores",
        "evaluation.benchmark_jobs.results.row_scores",
        "evaluation.benchmark_job_results",
    ):
        group = attrgetter(path)
        assert _signatures(group(sync)) == _signatures(group(asynchronous)), path
    sync.close()


def _signatures(group: object) -> dict[str, list[str]]:
    return {
        name: [
            str(p.replace(annotation=p.empty))
            for p in inspect.signature(method).parameters.values()
        ]
        for name, method in inspect.getmembers(group, callable)
        if not name.startswith("_")
    }


def test_the_package_offers_both_clients_by_name() -> None:
    assert evalbus.Client is Client
    assert evalbus.AsyncClient is AsyncClient
    assert {"AsyncClient", "Client"} <= set(dir(evalbus))
    with pytest.raises(AttributeError, match="Clint"):
        evalbus.Clint  # noqa: B018


async def test_what_is_no_reply_is_an_error_of_evalbus() -> None:
    async with AsyncClient(
        opener=lambda: a_bus_that_answers({}, bus=AnswersGarbage()), settings=Settings()
    ) as client:
        with pytest.raises(EvalbusError, match="bad_reply"):
            await client.jobs.get("capitals-1")
