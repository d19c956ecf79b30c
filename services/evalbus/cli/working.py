"""Starting a job and staying with it to its end: what `run`, `jobs retry` and `jobs rescore` have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE
from evalbus.cli.exits import Stopped, exit_of_job
from evalbus.cli.job_table import write_job
from evalbus.cli.modes import working_client
from evalbus.cli.output import Style, leave, note
from evalbus.cli.progress import follow
from evalbus.cli.scores import finish
from evalbus.client import AsyncClient
from evalbus.settings import Settings
from evalbus_schemas.jobs import Job

NewName = Annotated[
    str | None, typer.Option("--name", help="The new job's name; made up when left out.")
]
DetachFlag = Annotated[bool, typer.Option("--detach", help="Start the job and do not wait for it.")]

Start = Callable[[AsyncClient], Awaitable[Job]]
Expected = Callable[[], Awaitable[int | None]]


@dataclass(frozen=True, kw_only=True)
class Working:
    """How a job is stayed with: where, whether at all, and how its end is shown."""

    settings: Settings
    workspace: str
    is_detached: bool
    style: Style

    def __post_init__(self) -> None:
        if self.is_detached and self.settings.amqp_url is None:
            raise typer.BadParameter(
                "--detach needs running services (EVALBUS_AMQP_URL): without them this process does the work"
            )

    def work(self, start: Start, *, expected: Expected | None = None) -> None:
        """Start the job and leave with its exit code once it has ended, or at once when detached.

        `expected` counts its rows as long as its datasets are not read to the end.
        """
        started: list[Job] = []

        async def to_the_end() -> Job:
            async with working_client(self.settings, self.workspace) as client:
                job = await start(client)
                started.append(job)
                if self.is_detached:
                    return job
                note(f"job {job.name}")
                rows = None if expected is None else await expected()
                ended = await follow(client, job, expected=rows)
                await finish(client, ended, self.style)
                return ended

        try:
            job = loop.run(to_the_end)
        except Stopped:
            note(self._farewell(started))
            raise
        if self.is_detached:
            write_job(job, as_json=self.style is Style.JSON)
        else:
            leave(exit_of_job(job))

    def _farewell(self, started: list[Job]) -> str:
        if not started:
            return "stopped before a job was started"
        job = started[0].name
        where = "" if self.workspace == WORKSPACE else f" --workspace {self.workspace}"
        if self.settings.amqp_url is None:
            return (
                f"stopped; job {job} is kept and goes on with `evalbus jobs wait {job}{where}`,"
                f" or ends with `evalbus jobs cancel {job}{where}`"
            )
        return (
            f"detached; job {job} goes on. Come back with `evalbus jobs wait {job}{where}`,"
            f" end it with `evalbus jobs cancel {job}{where}`"
        )
