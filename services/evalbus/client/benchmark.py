"""A benchmark in a program: something to start, and something to iterate over."""

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from pydantic import JsonValue

from evalbus.client.benchmark_job import BenchmarkJob, failures_logged
from evalbus.client.definitions import written_benchmark
from evalbus.client.samples import Sample, split_of
from evalbus.errors import PermanentError
from evalbus_schemas.base import Labels
from evalbus_schemas.benchmark import Params
from evalbus_schemas.catalogue import BenchmarkRow, Entry
from evalbus_schemas.jobs import Job
from evalbus_schemas.names import reference
from evalbus_schemas.queries import JobStarted

if TYPE_CHECKING:
    from evalbus.client.synchronous import Client

DEFAULT_SUPPLIER = "aiXplain"
"""The published interface has it, and programs compare with it."""


class Benchmark:
    """Models, datasets and metrics under a name.

    Without a client it is what it was made of. With one it stands for the benchmark saved as `workspace/name` (a bare
    name: in the client's workspace) or under that number, unless lists of definitions are given: then it is started
    as they say. Nothing is asked before something is needed that only the service knows.
    """

    def __init__(
        self,
        id: str | int | None = None,
        name: str | Sequence[Sample] | None = None,
        dataset_list: Sequence[object] = (),
        model_list: Sequence[object] = (),
        metric_list: Sequence[object] = (),
        job_list: Sequence[BenchmarkJob] = (),
        description: str = "",
        supplier: str = DEFAULT_SUPPLIER,
        version: str = "1.0",
        *,
        samples: Sequence[Sample] | None = None,
        client: "Client | None" = None,
        benchmark_id: str | int | None = None,
        **additional_info: object,
    ) -> None:
        """`benchmark_id` is another word for `id`. A sequence in second place is the samples.

        A definition in a list is a dict or model as in a benchmark file, a saved entry, or the name of one.
        """
        if (id is None) == (benchmark_id is None):
            raise TypeError("give a benchmark one id, as id or as benchmark_id")
        if name is not None and not isinstance(name, str):
            if samples is not None:
                raise TypeError("samples are given twice")
            name, samples = None, name
        self.id: str | int = id if id is not None else _given(benchmark_id)
        self.name = name if name is not None else str(self.id).rpartition("/")[2]
        self.dataset_list = list(dataset_list)
        self.model_list = list(model_list)
        self.metric_list = list(metric_list)
        self.job_list = list(job_list)
        self.description = description
        self.supplier = supplier
        self.version = version
        self.additional_info = dict(additional_info)
        self._client = client
        self._samples = None if samples is None else list(samples)
        self._is_written = bool(dataset_list or model_list or metric_list)
        self._saved: Entry | None = None

    def __repr__(self) -> str:
        return f"<Benchmark {self.name}>"

    @property
    def benchmark_id(self) -> str:
        """`id` as text."""
        return str(self.id)

    # --- what is saved --------------------------------------------------------------------------

    def load(self) -> Self:
        """Take name, lists and everything else from what is saved; raises NotFound."""
        with failures_logged(f"benchmark {self.id!r} could not be loaded"):
            saved = self._entry()
        self.name = saved.name
        self.dataset_list = _listed(saved, "datasets")
        self.model_list = _listed(saved, "models")
        self.metric_list = _listed(saved, "metrics")
        self.description = saved.description
        self.supplier = saved.supplier
        self.version = saved.version
        self.additional_info = dict(saved.additional_info)
        return self

    # --- jobs -----------------------------------------------------------------------------------

    def start(
        self,
        *,
        job: str | None = None,
        labels: Labels | None = None,
        params: Params | None = None,
    ) -> BenchmarkJob:
        """Every call is a new run. Raises Invalid, NotFound, Conflict or Unavailable, and logs that it did."""
        with failures_logged(f"benchmark {self.id!r} could not be started"):
            workspace, name = self._address()
            started = (
                self._need_client()
                .jobs_in(workspace)
                .start(self._written(workspace, name), job=job, labels=labels, params=params)
                if self._is_written
                else self._start_saved(workspace, name, job=job, labels=labels, params=params)
            )
        run = self._job(started)
        self.job_list.append(run)
        return run

    def list_executions(self, include_archived: bool = False) -> list[BenchmarkJob]:
        """Its runs in order of time, the latest last; with those that were put away, if they are asked for."""
        with failures_logged(f"the runs of benchmark {self.id!r} could not be listed"):
            client = self._need_client()
            workspace, name = self._address()
            newest_first = client.jobs_in(workspace).list(
                benchmark=reference(workspace, name), include_archived=include_archived
            )
            return [self._job(job) for job in newest_first][::-1]

    def _written(self, workspace: str, name: str) -> dict[str, object]:
        return written_benchmark(
            name,
            self.description,
            datasets=self.dataset_list,
            models=self.model_list,
            metrics=self.metric_list,
            workspace=workspace,
        )

    def _start_saved(
        self,
        workspace: str,
        name: str,
        *,
        job: str | None,
        labels: Labels | None,
        params: Params | None,
    ) -> Job:
        # Not by `jobs.start`, which reads the file of that name if there happens to be one.
        command: dict[str, JsonValue] = {
            "benchmark": reference(workspace, name),
            "workspace": workspace,
            "job": job,
            "labels": {**(labels or {})},
            "params": None if params is None else params.model_dump(mode="json"),
            # So that the call may be repeated when its reply is lost.
            "idempotency_key": str(uuid4()),
        }
        answer = self._need_client().call("jobs.start", command)
        assert isinstance(answer, JobStarted), "a method answers in its own model"
        return answer.job

    def _job(self, job: Job) -> BenchmarkJob:
        return BenchmarkJob.of(
            job,
            self.benchmark_id,
            client=self._client,
            benchmark_uid=self.id if isinstance(self.id, int) else None,
        )

    # --- samples --------------------------------------------------------------------------------

    @property
    def samples(self) -> list[Sample]:
        """What it was given, else the rows of its datasets, read at first use and then kept."""
        if self._samples is None:
            self._samples = [] if self._client is None else self._read_samples()
        return self._samples

    @samples.setter
    def samples(self, samples: Sequence[Sample]) -> None:
        self._samples = list(samples)

    def fetch_samples(self) -> list[Sample]:
        """Read them anew, as the sources are now; they are `samples` from then on."""
        with failures_logged(f"the samples of benchmark {self.id!r} could not be fetched"):
            self._samples = self._read_samples()
        return self._samples

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def sample(self, n: int = 1) -> list[Sample]:
        """So many of its samples at random, with replacement: also more than there are.

        Raises ValueError when `n` is less than 1, and IndexError when there is no sample to choose from.
        """
        if n <= 0:
            raise ValueError(f"the number of samples must be greater than 0, not {n}")
        samples = self.samples
        if not samples:
            raise IndexError(f"{self!r} has no samples to choose from")
        # Which sample is looked at is no secret.
        return random.choices(samples, k=n)  # noqa: S311

    def _read_samples(self) -> list[Sample]:
        return [self._sample_of(row) for row in self._need_client().benchmarks.rows(self.id)]

    def _sample_of(self, row: BenchmarkRow) -> Sample:
        """The whole item is the agent's input: which of its fields are, only a class of its own can know."""
        return Sample(
            benchmark_id=self.benchmark_id,
            id=row.row_id,
            split=split_of(row.item),
            agent_inputs=dict(row.item),
        )

    # --- addresses ------------------------------------------------------------------------------

    def _need_client(self) -> "Client":
        if self._client is None:
            raise PermanentError(
                f"{self!r} has nobody to ask: make it with client=Client(…) or Client.embedded()"
            )
        return self._client

    def _entry(self) -> Entry:
        """As it is saved now; raises NotFound."""
        self._saved = self._need_client().benchmarks.get(self.id)
        return self._saved

    def _address(self) -> tuple[str, str]:
        """Workspace and name, which for a number only the service knows."""
        if isinstance(self.id, int):
            saved = self._saved or self._entry()
            return saved.workspace, saved.name
        workspace, slash, name = self.id.partition("/")
        return (workspace, name) if slash else (self._need_client().workspace, self.id)


def _given(id: str | int | None) -> str | int:
    assert id is not None, "one of both is given"
    return id


def _listed(saved: Entry, part: str) -> list[object]:
    found = saved.definition.get(part)
    return list(found) if isinstance(found, list) else []
