"""The client for code with an event loop: what it asks, and on which bus."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, JsonValue

from evalbus.client import opening
from evalbus.client.calls import Calls
from evalbus.client.catalogue import KINDS, Benchmarks, Datasets, Metrics, Models, Saved
from evalbus.client.dead_letters import DeadLetters
from evalbus.client.evaluation import Evaluation
from evalbus.client.events import Events
from evalbus.client.jobs import Jobs
from evalbus.client.results import Results
from evalbus.client.session import BusOpener, Session
from evalbus.errors import WrongSettings
from evalbus.settings import Settings
from evalbus_schemas.catalogue import EntryKind
from evalbus_schemas.names import DEFAULT_WORKSPACE


class AsyncClient:
    """Asks evalbus; connects at the first call, and stays connected until `close`.

    `AsyncClient(amqp_url=…)` asks the services on that broker, and without a URL those of EVALBUS_AMQP_URL;
    `AsyncClient.embedded()` brings the whole system up in this process. A context manager, or close it yourself.
    """

    def __init__(
        self,
        *,
        amqp_url: str | None = None,
        workspace: str = DEFAULT_WORKSPACE,
        timeout_seconds: float | None = None,
        settings: Settings | None = None,
        opener: BusOpener | None = None,
    ) -> None:
        """`timeout_seconds` bounds every call (EVALBUS_RPC_SECONDS); `opener` replaces how the bus is reached."""
        given = settings or opening.client_settings(amqp_url=amqp_url)
        if opener is None:
            if given.amqp_url is None:
                raise WrongSettings(
                    "a client needs amqp_url or EVALBUS_AMQP_URL; Client.embedded() needs no server"
                )
            opener = opening.distributed(given)
        self.workspace = workspace
        self._session = Session(opener)
        self._calls = Calls(self._session, timeout_seconds=timeout_seconds or given.rpc_seconds)
        self._away_seconds = given.connect_seconds
        self.jobs = Jobs(self._calls, workspace, away_seconds=self._away_seconds)
        self.results = Results(self._calls, workspace, away_seconds=self._away_seconds)
        self.datasets = Datasets(self._calls, workspace)
        self.models = Models(self._calls, workspace)
        self.metrics = Metrics(self._calls, workspace)
        self.benchmarks = Benchmarks(self._calls, workspace)
        self.evaluation = Evaluation(self.results_in)
        self.events = Events(self._calls, workspace, self._session)
        self.dlq = DeadLetters(self._calls)

    @classmethod
    def embedded(
        cls,
        data_dir: str | Path | None = None,
        *,
        workspace: str = DEFAULT_WORKSPACE,
        timeout_seconds: float | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """The whole system in this process, with its Postgres in `data_dir` (EVALBUS_DATA_DIR)."""
        given = settings or opening.client_settings(data_dir=data_dir)
        return cls(
            workspace=workspace,
            timeout_seconds=timeout_seconds,
            settings=given,
            opener=opening.embedded(given),
        )

    @classmethod
    def reading(
        cls,
        data_dir: str | Path | None = None,
        *,
        workspace: str = DEFAULT_WORKSPACE,
        timeout_seconds: float | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """All but starting jobs, on the folder of an embedded system, whether or not a process runs on it."""
        given = settings or opening.client_settings(data_dir=data_dir)
        return cls(
            workspace=workspace,
            timeout_seconds=timeout_seconds,
            settings=given,
            opener=opening.reading(given),
        )

    def jobs_in(self, workspace: str | None) -> Jobs:
        """What `jobs` is, for another workspace; None: for this client's own."""
        if workspace is None:
            return self.jobs
        return Jobs(self._calls, workspace, away_seconds=self._away_seconds)

    def results_in(self, workspace: str | None) -> Results:
        """What `results` is, for another workspace; None: for this client's own."""
        if workspace is None:
            return self.results
        return Results(self._calls, workspace, away_seconds=self._away_seconds)

    def saved(self, kind: EntryKind, workspace: str | None = None) -> Saved:
        """What is saved of one kind, where the kind is not known before; in this client's workspace or another."""
        return KINDS[kind](self._calls, workspace or self.workspace)

    async def call(self, method: str, params: Mapping[str, JsonValue] | None = None) -> BaseModel:
        """Any method of the RPC by its name; the answer is that method's own model."""
        return await self._calls.call_by_name(method, params or {})

    async def close(self) -> None:
        """Let go of the bus; safe twice, and before the first call."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        await self._session.bus()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
