"""One run of a benchmark in a program: how it stands, and what came of it."""

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload
from uuid import uuid4

from evalbus.client.frames import frame, frame_of_lines
from evalbus.client.job_csv import write_csv
from evalbus.client.job_explanations import Item, everything, localized
from evalbus.client.job_lines import Line, lines
from evalbus.client.job_report import (
    FAILURE_RATE,
    METRIC_FAILURE_RATE,
    MODEL,
    SAMPLE_FAILURE_RATE,
    JobReport,
    details,
    failure_rates,
    failure_rates_by_stage,
    means,
    report_of,
)
from evalbus.errors import EvalbusError, NotFound, PermanentError
from evalbus.exporting import ExportConfig
from evalbus.writing.names import names_in
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import Row

if TYPE_CHECKING:
    import pandas as pd

    from evalbus.client.synchronous import Client

# Sentences and not events: whoever reads them sits before a notebook that shows nothing but the message.
log = logging.getLogger(__name__)

RESULTS_FOLDER = "evalbus-results"
"""Where results are put that were given no path; in the working directory."""


class BenchmarkJob:
    """A run as it was when it was last looked at; every method but the constructors asks the service.

    An attribute asks once, if the run was never looked at. A method that cannot do what it says logs why and raises: NotFound for a job that is gone, Unavailable for a
    service that is away, PermanentError without a client.
    """

    def __init__(
        self,
        id: str,
        status: str,
        benchmark_id: str,
        *,
        client: "Client | None" = None,
        **additional_info: object,
    ) -> None:
        self.id = id
        self.status = status
        self.benchmark_id = benchmark_id
        self.additional_info = dict(additional_info)
        self._client = client
        self._seen: Job | None = None
        self._benchmark_uid: int | None = None

    @classmethod
    def of(
        cls,
        job: Job,
        benchmark_id: str,
        *,
        client: "Client | None",
        benchmark_uid: int | None = None,
    ) -> Self:
        """A run that somebody has looked at; without its benchmark's number that is asked for at first use."""
        run = cls(
            job.name,
            job.status.value,
            benchmark_id,
            client=client,
            job_id=str(job.job_id),
            created_at=job.created_at,
        )
        run._seen = job
        run._benchmark_uid = benchmark_uid
        return run

    def __repr__(self) -> str:
        return f"<Benchmark Job({self.id})>"

    # --- what it is -----------------------------------------------------------------------------

    @property
    def uid(self) -> int:
        """Its number, which is never given again."""
        uid = self._known().uid
        if uid is None:
            raise PermanentError(f"the service is too old to tell the number of job {self.id!r}")
        return uid

    @property
    def benchmark_execution_uid(self) -> int:
        """`uid`, as the published interface has it."""
        return self.uid

    @property
    def benchmark_uid(self) -> int | None:
        """The number of its benchmark; None for one that is not saved."""
        if self._benchmark_uid is None:
            with failures_logged(f"the benchmark of job {self.id!r} could not be had"):
                benchmarks = self._need_client().benchmarks
                with suppress(NotFound):
                    self._benchmark_uid = benchmarks.get(self._known().benchmark).uid
        return self._benchmark_uid

    @property
    def name(self) -> str:
        """The name of the job."""
        return self._known().name

    @property
    def created_at(self) -> datetime:
        """When it was started, with its time zone."""
        return self._known().created_at

    @property
    def created_by(self) -> str:
        """Who started it; empty where nobody knows."""
        return self._known().created_by or ""

    @property
    def archived(self) -> bool:
        """Whether it was put away when it was last looked at."""
        return self._known().archived

    # --- its life -------------------------------------------------------------------------------

    def check_status(self) -> str:
        """The job's status, which is also kept."""
        with failures_logged(f"the status of job {self.id!r} could not be had"):
            return self._look().status.value

    def wait(self, *, timeout_seconds: float | None = None) -> str:
        """The status with which it ended, or the one it has when the time is over; it is also kept."""
        with failures_logged(f"nobody could wait for job {self.id!r}"):
            jobs = self._need_client().jobs_in(self._workspace)
            return self._keep(jobs.wait(self.id, timeout_seconds=timeout_seconds)).status.value

    # --- what came of it ------------------------------------------------------------------------

    @overload
    def get_scores(
        self, return_simplified: Literal[True] = True, return_as_dataframe: Literal[True] = True
    ) -> "pd.DataFrame": ...
    @overload
    def get_scores(
        self, return_simplified: Literal[True] = True, *, return_as_dataframe: Literal[False]
    ) -> list[dict[str, object]]: ...
    @overload
    def get_scores(
        self, return_simplified: Literal[True], return_as_dataframe: Literal[False]
    ) -> list[dict[str, object]]: ...
    @overload
    def get_scores(
        self, return_simplified: Literal[False], return_as_dataframe: bool = True
    ) -> dict[str, dict[str, object]]: ...
    @overload
    def get_scores(
        self, return_simplified: bool = True, return_as_dataframe: bool = True
    ) -> "pd.DataFrame | list[dict[str, object]] | dict[str, dict[str, object]]": ...
    def get_scores(
        self, return_simplified: bool = True, return_as_dataframe: bool = True
    ) -> "pd.DataFrame | list[dict[str, object]] | dict[str, dict[str, object]]":
        """The mean of each score for each model, as a frame or a list; or everything, by model.

        Columns are called like metrics, with `:score` behind where a metric has several. Of several datasets each has
        a line of its own, with its name under `Dataset`. No mean is NaN in a frame, and None elsewhere.
        `timeSpent` is in seconds, `creditsUsed` in the unit of the model's price. A job without a result has no scores.
        """
        with failures_logged(f"the scores of job {self.id!r} could not be had"):
            report = self._report()
            if not return_simplified:
                return details(report)
            simplified = means(report)
            return frame(simplified, [MODEL]) if return_as_dataframe else simplified

    @overload
    def get_failure_rate(
        self, return_as_dataframe: Literal[True] = True, *, by_stage: bool = False
    ) -> "pd.DataFrame": ...
    @overload
    def get_failure_rate(
        self, return_as_dataframe: Literal[False], *, by_stage: Literal[False] = False
    ) -> dict[str, float | None]: ...
    @overload
    def get_failure_rate(
        self, return_as_dataframe: Literal[False], *, by_stage: Literal[True]
    ) -> dict[str, dict[str, float | None]]: ...
    @overload
    def get_failure_rate(
        self, return_as_dataframe: bool = True, *, by_stage: bool = False
    ) -> "pd.DataFrame | dict[str, float | None] | dict[str, dict[str, float | None]]": ...
    def get_failure_rate(
        self, return_as_dataframe: bool = True, *, by_stage: bool = False
    ) -> "pd.DataFrame | dict[str, float | None] | dict[str, dict[str, float | None]]":
        """Failed rows in per cent of all rows planned, for each model; NaN, or None in a dict, when nothing ran.

        `by_stage` tells rows that got no sample from rows over which a metric failed.
        """
        with failures_logged(f"the failure rate of job {self.id!r} could not be had"):
            report = self._report()
            if by_stage:
                parts = failure_rates_by_stage(report)
                if not return_as_dataframe:
                    return parts
                columns = [MODEL, FAILURE_RATE, SAMPLE_FAILURE_RATE, METRIC_FAILURE_RATE]
                return frame([{MODEL: model, **part} for model, part in parts.items()], columns)
            rates = failure_rates(report)
            if not return_as_dataframe:
                return rates
            table = [{MODEL: model, FAILURE_RATE: rate} for model, rate in rates.items()]
            return frame(table, [MODEL, FAILURE_RATE])

    get_failuire_rate = get_failure_rate
    """The name as it was published, misspelt."""

    @overload
    def download_results_as_csv(
        self,
        save_path: str | Path | None = None,
        return_dataframe: Literal[False] = False,
        *,
        neutralise: bool = True,
    ) -> str | Path | None: ...
    @overload
    def download_results_as_csv(
        self,
        save_path: str | Path | None = None,
        *,
        return_dataframe: Literal[True],
        neutralise: bool = True,
    ) -> "pd.DataFrame | None": ...
    @overload
    def download_results_as_csv(
        self,
        save_path: str | Path | None = None,
        return_dataframe: bool = False,
        *,
        neutralise: bool = True,
    ) -> "str | Path | pd.DataFrame | None": ...
    def download_results_as_csv(
        self,
        save_path: str | Path | None = None,
        return_dataframe: bool = False,
        *,
        neutralise: bool = True,
    ) -> "str | Path | pd.DataFrame | None":
        """Every row of every model, with whether it succeeded and each of its scores; None while the job still runs.

        Written to `save_path`, else to a new file in RESULTS_FOLDER, and the path is returned; or a frame is, and
        nothing is written. An empty cell is a score without a value. Text that a spreadsheet would run as a formula
        gets an apostrophe before it, unless `neutralise` is false. A job that ended early gives the rows it has.
        """
        with failures_logged(f"the results of job {self.id!r} could not be downloaded"):
            job = self._ended_job()
            if job is None:
                return None
            report = self._report_of(job)
            columns = list(names_in(report.results).values())
            if return_dataframe:
                return frame_of_lines(self._lines(job, report), score_columns=columns)
            path = Path(RESULTS_FOLDER, f"{job.name}-{uuid4().hex}.csv")
            given = str(path) if save_path is None else save_path
            write_csv(
                self._lines(job, report), Path(given), score_columns=columns, neutralise=neutralise
            )
            return given

    def export(
        self,
        filepath: str | Path,
        config: ExportConfig | None = None,
        connector_config_uid: str | int | None = None,
    ) -> None:
        """Every datapoint with its outputs, scores and slices, to a file or to `s3://…` or `gs://…`, and say so.

        As JSON unless `config` says otherwise. The file is there whole or not at all. The connector is needed for a
        private bucket, and ignored for local files. Raises WrongExport (a ValueError) for a config or a destination
        that is none, and OSError. A job that has not completed gives what there is, which is logged.
        """
        with failures_logged(f"job {self.id!r} could not be exported"):
            exported = (
                self._need_client()
                .results_in(self._workspace)
                .export(self.id, filepath, config, connector=connector_config_uid)
            )
        if exported.partial:
            log.warning(
                "job %r is %s: what was exported is what there is of it",
                self.id,
                exported.job.status,
            )
        # The published interface says it to whoever sits before the screen.
        print(f"Benchmark execution exported to {filepath}")  # noqa: T201

    # --- why it came out so ---------------------------------------------------------------------

    def get_all_explanations(self) -> dict[str, list[Item]]:
        """What the data says under `metricInDependent`, an item for each dataset, and what goes with each score under
        `metricDependent`; both are always there. Computed from the rows that are stored when this is asked.
        """
        with failures_logged(f"the explanations of job {self.id!r} could not be had"):
            return everything(self._explanations())

    def get_localized_explanations(
        self, metric_dependant: bool, group_by_task: bool = False
    ) -> dict[str, Any]:
        """Of the data: the item of the first dataset, or nothing. Of scores: items by `scoreId`; or what each task
        found by task and then by `scoreId`. `group_by_task` is of no matter to the data.
        """
        with failures_logged(f"the explanations of job {self.id!r} could not be had"):
            return localized(
                self._explanations(),
                metric_dependant=metric_dependant,
                group_by_task=group_by_task,
            )

    # --- asking ---------------------------------------------------------------------------------

    def _known(self) -> Job:
        if self._seen is None:
            with failures_logged(f"job {self.id!r} could not be had"):
                return self._look()
        return self._seen

    def _look(self) -> Job:
        return self._keep(self._need_client().jobs_in(self._workspace).get(self.id))

    def _keep(self, job: Job) -> Job:
        self._seen = job
        self.status = job.status.value
        return job

    @property
    def _workspace(self) -> str | None:
        """Its own where that is known, else that of a benchmark called `workspace/name`, else the client's."""
        if self._seen is not None:
            return self._seen.workspace
        workspace, slash, _ = self.benchmark_id.partition("/")
        return workspace if slash else None

    def _need_client(self) -> "Client":
        if self._client is None:
            raise PermanentError(
                f"{self!r} has nobody to ask: make it with client=Client(…) or Client.embedded()"
            )
        return self._client

    def _ended_job(self) -> Job | None:
        job = self._look()
        if not job.is_terminal:
            log.error("the results of job %r are not ready: it is %s", self.id, job.status.value)
            return None
        if job.status is not JobStatus.COMPLETED:
            log.warning(
                "job %r ended as %s: the rows it has are not all", self.id, job.status.value
            )
        return job

    def _report(self) -> JobReport:
        """Also of a job that was deleted and left its result; raises NotFound when there is neither."""
        client = self._need_client()
        try:
            job = client.jobs_in(self._workspace).get(self.id)
        except NotFound as no_job:
            try:
                return report_of(client.results_in(self._workspace).get(self.id))
            except NotFound:
                raise no_job from None
        return self._report_of(job)

    def _report_of(self, job: Job) -> JobReport:
        """From its result, or from the job itself when there is none, not yet or no longer."""
        if job.status is JobStatus.COMPLETED:
            results = self._need_client().results_in(self._workspace)
            try:
                return report_of(results.get(job.name))
            except NotFound:
                log.warning("job %r completed, but its result was deleted", self.id)
        return JobReport(status=job.status.value, results=(), usage=job.models)

    def _lines(self, job: Job, report: JobReport) -> Iterator[Line]:
        return lines(self._rows(job), report.labels)

    def _explanations(self) -> Explanations:
        return self._need_client().results_in(self._workspace).explain(self.id)

    def _rows(self, job: Job) -> Iterator[Row]:
        for page in self._need_client().results_in(self._workspace).row_pages(job.name):
            yield from page.rows


BenchmarkExecution = BenchmarkJob
"""The same by another of its published names."""


@contextmanager
def failures_logged(what: str) -> Generator[None, None, None]:
    """Log an error with `what` before it, and let it go on as it is: its class says what the caller can do."""
    try:
        yield
    except (EvalbusError, OSError) as error:
        log.error("%s: %s", what, error)
        raise
