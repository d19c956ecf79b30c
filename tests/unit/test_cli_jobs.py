"""Jobs, and what happened to them, as the command line shows them."""

import pytest

from evalbus.bus.base import Message
from evalbus.bus.rpc import Answerer
from evalbus.cli.job_table import job_fields, jobs_table, models_table, write_job, write_log_line
from evalbus.writing.times import duration
from evalbus_schemas.jobs import Job, JobStatus, LogLine
from evalbus_schemas.queries import (
    ArchiveJob,
    JobNamed,
    JobStarted,
    ListLog,
    LogPage,
    RescoreJob,
    RetryJob,
    WaitForJob,
)
from evalbus_schemas.usage import DatasetUsed, FailedByStage, ModelUsage
from tests.answers import NOON, a_client, a_job


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (270_000, "3 d 3 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_list_of_jobs_shows_how_fast_they_are_and_what_is_left() -> None:
    table = jobs_table([a_job(rows_per_second=12.6, eta_seconds=200.0), a_job()])

    places = [table.columns.index(column) for column in ("rows/s", "left")]
    assert [[row[place] for place in places] for row in table.rows] == [
        [13, "3 min 20 s"],
        [None, None],
    ]


def a_usage(**changes: object) -> ModelUsage:
    usage = ModelUsage(
        model="default/small",
        display_name="Small One",
        is_live=True,
        rows_planned=40,
        rows=30,
        failed_rows=2,
        failed_by_stage=FailedByStage(sample=2),
        failure_rate=0.05,
        calls=35,
        retries=5,
        input_tokens=70,
        output_tokens=30,
        cost=0.25,
    )
    return usage.model_copy(update=changes)


def test_one_job_is_shown_with_a_line_for_each_of_its_models(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = a_job(
        rows_per_second=12.64,
        derived_from="first",
        derivation="retry",
        datasets=(DatasetUsed(dataset="questions", rows=40, digest=None),),
        models=(a_usage(), a_usage(display_name="old", is_live=False, calls=0)),
    )

    write_job(job, as_json=False)
    shown = capsys.readouterr().out

    fields = {row[0]: row[1] for row in job_fields(job).rows}
    assert fields["rows_per_second"] == "12.6"
    assert fields["datasets"] == "questions (40 rows)"
    assert (fields["derived_from"], fields["derivation"]) == ("first", "retry")
    assert "models" not in fields
    live, recorded = models_table(job).rows
    assert live[:5] == ("Small One", 30, 40, 2, 35)
    assert recorded == ("old", 30, 40, 2, *[None] * 8)
    assert "Small One" in shown
    assert "ModelUsage" not in shown


def test_a_line_of_the_log_cannot_pretend_to_be_two(capsys: pytest.CaptureFixture[str]) -> None:
    message = "a\n2026-03-01 12:00:00  job  \x1b[2Jcompleted"

    write_log_line(LogLine(at=NOON, step="job", level="error", message=message))

    assert capsys.readouterr().out == (
        "2026-03-01 12:00:00  job          error: a 2026-03-01 12:00:00  job  \ufffd[2Jcompleted\n"
    )


class Told:
    """The log of a job that ends when it is waited for the second time."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self._waits = 0

    async def logs(self, query: ListLog, _: Message) -> LogPage:
        first = int(query.after or 0)
        page = self.lines[first : first + query.limit]
        end = first + len(page)
        return LogPage(
            lines=tuple(
                LogLine(at=NOON, step="job", level="info", message=message) for message in page
            ),
            next=str(end) if end < len(self.lines) else None,
        )

    async def wait(self, _: WaitForJob, __: Message) -> Job:
        self._waits += 1
        if self._waits == 1:
            self.lines.append("meanwhile")
            return a_job()
        self.lines.append("the end")
        return a_job(status=JobStatus.COMPLETED)


async def test_who_follows_a_log_reads_every_line_once_and_the_last_one_too() -> None:
    told = Told(*map(str, range(250)))

    async with a_client({"jobs.logs": told.logs, "jobs.wait": told.wait}) as client:
        lines = [line.message async for line in client.jobs.follow_log("a", every_seconds=0.01)]

    assert lines == [*map(str, range(250)), "meanwhile", "the end"]


async def test_who_reads_a_log_reads_what_is_there_or_the_first_lines() -> None:
    told = Told(*map(str, range(1500)))

    async with a_client({"jobs.logs": told.logs}) as client:
        everything = [line.message async for line in client.jobs.logs("a")]
        first = [line.message async for line in client.jobs.logs("a", limit=3)]

    assert everything == told.lines
    assert first == ["0", "1", "2"]


async def test_a_retry_carries_what_was_given_also_if_it_is_the_default() -> None:
    asked: list[RetryJob] = []

    async def retry(command: RetryJob, _: Message) -> JobStarted:
        asked.append(command)
        return JobStarted(job=a_job(), created=True)

    async with a_client({"jobs.retry": retry}, workspace="team") as client:
        await client.jobs.retry("first", params={"max_retries": 3, "budget": None})
        await client.jobs.retry("first")

    given, without = asked
    assert (given.job, given.workspace) == ("first", "team")
    assert given.params is not None
    assert given.params.model_fields_set == {"max_retries", "budget"}
    assert without.params is None
    assert None not in (given.idempotency_key, without.idempotency_key)


async def test_what_changes_a_job_is_asked_for_by_its_name() -> None:
    asked: list[tuple[str, str]] = []

    async def pause(named: JobNamed, _: Message) -> Job:
        asked.append(("pause", named.job))
        return a_job(status=JobStatus.PAUSED)

    async def resume(named: JobNamed, _: Message) -> Job:
        asked.append(("resume", named.job))
        return a_job(status=JobStatus.RESUMING)

    async def rescore(command: RescoreJob, _: Message) -> JobStarted:
        asked.append(("rescore", command.job))
        assert command.metrics[1] == "default/f1"
        return JobStarted(job=a_job(name="other"), created=True)

    async def archive(wanted: ArchiveJob, _: Message) -> Job:
        asked.append((f"archive {wanted.archived}", wanted.job))
        return a_job(archived=wanted.archived)

    answers: dict[str, Answerer] = {
        "jobs.pause": pause,
        "jobs.resume": resume,
        "jobs.rescore": rescore,
        "jobs.archive": archive,
    }
    metrics: list[dict[str, object] | str] = [
        {"name": "a", "type": "exact-match", "reference": "x"},
        "default/f1",
    ]
    async with a_client(answers) as client:
        paused = await client.jobs.pause("first")
        resumed = await client.jobs.resume("first")
        other = await client.jobs.rescore("first", metrics)
        away = await client.jobs.archive("first")
        back = await client.jobs.archive("first", archived=False)

    assert asked == [
        *(("pause", "first"), ("resume", "first"), ("rescore", "first")),
        *(("archive True", "first"), ("archive False", "first")),
    ]
    assert (away.archived, back.archived) == (True, False)
    assert (paused.status, resumed.status, other.name) == ("paused", "resuming", "other")
