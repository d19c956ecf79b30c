"""Every setting, read once from the environment; a wrong one is an error that names its variable."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from evalbus.errors import WrongSettings

PREFIX = "EVALBUS_"

MESSAGE_BYTES_LIMIT = 16 * 1024 * 1024
HEADER_BYTES_MAX = 1024 * 1024

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """The settings of every role; the description of each is the line in the README's table."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    amqp_url: SecretStr | None = Field(None, description="RabbitMQ, as amqp:// or amqps://.")
    amqp_url_file: Path | None = Field(None, description="A file that holds it.")
    database_url: SecretStr | None = Field(None, description="Postgres, as postgresql://.")
    database_url_file: Path | None = Field(None, description="A file that holds it.")
    data_dir: Path = Field(Path(".evalbus"), description="Where embedded mode keeps its Postgres.")
    dataset_roots: str = Field(
        "", description="Folders that messages may name datasets in, separated by colons."
    )
    http_host: str = Field("127.0.0.1", description="Where health and metrics are served.")
    http_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="The port for it; nothing is served without one."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged to standard error."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else json."
    )
    workers: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None, description="Scoring children of an evaluator; by default one for each core."
    )

    connect_seconds: Seconds = Field(
        60.0, description="How long a server may be away at the start before exit 69."
    )
    drain_seconds: Seconds = Field(20.0, description="How long work in hand may take at the stop.")
    rpc_seconds: Seconds = Field(30.0, description="How long a client waits for an answer.")

    message_bytes_max: Bytes = Field(8 * 1024 * 1024, description="A larger body is set aside.")
    row_bytes_max: Bytes = Field(4 * 1024 * 1024, description="A larger row is a failed row.")
    row_seconds_max: Seconds = Field(10.0, description="Longer scoring of one row fails it.")
    chunk_rows_max: Number = Field(500, description="Rows in a chunk.")
    chunk_bytes_max: Bytes = Field(256 * 1024, description="Bytes in a chunk.")
    child_memory_bytes_max: Bytes = Field(
        2 * 1024**3, description="Memory of a scoring child; more fails the row."
    )
    template_characters_max: Bytes = Field(1024**2, description="What a template may render to.")
    window_chunks: Number = Field(
        64, description="Chunks in flight over all jobs, of recorded and of live models each."
    )
    endpoint_parallelism: Number = Field(
        64, description="Calls to one model endpoint at once, over all jobs."
    )
    live_chunk_rows: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="Rows in a chunk for a live model: what a crash may cost."
    )
    live_chunks: Number = Field(
        64, description="Chunks of live models that an evaluator has in hand at once."
    )
    circuit_seconds: Seconds = Field(
        120.0, description="How long rows wait for a model endpoint that answered before."
    )
    answer_bytes_max: Bytes = Field(
        4 * 1024 * 1024, description="A larger answer of a live model fails its row."
    )
    answer_days: Number = Field(30, description="How long answers of live models are kept.")
    allow_private_endpoints: bool = Field(
        False,
        description="1: models, datasets and exports may lie at private and loopback addresses.",
    )
    bound_secrets: str = Field(
        "",
        description="Where secrets may be sent: `OPENAI_API_KEY=api.openai.com,eu.api.openai.com; …`.",
    )
    connectors_file: Path | None = Field(
        None,
        description="A YAML file with the named connectors of private sources and destinations.",
    )
    source_bytes_max: Bytes = Field(
        64 * 1024**3, description="What a compressed source may unpack to."
    )
    attempts_max: Number = Field(8, description="Deliveries of a message before it is set aside.")
    overdue_seconds: Seconds = Field(
        300.0, description="Without a sign of life a chunk is sent again after this."
    )
    heartbeat_seconds: Seconds = Field(20.0, description="How often an evaluator gives that sign.")
    lease_seconds: Seconds = Field(
        30.0, description="A producer that died holds a dataset or an export so long."
    )
    poll_seconds: Seconds = Field(
        1.0, description="How often the database is asked although no notification came."
    )
    reconcile_seconds: Seconds = Field(5.0, description="How often the reconciler looks around.")
    event_days: Number = Field(
        30, description="How long lifecycle events are kept, and what became of exports."
    )

    @model_validator(mode="after")
    def _secrets_from_files(self) -> Self:
        for name in ("amqp_url", "database_url"):
            path: Path | None = getattr(self, f"{name}_file")
            if path is not None:
                object.__setattr__(self, name, SecretStr(path.read_text().strip()))
        return self

    @model_validator(mode="after")
    def _messages_bear_their_chunks(self) -> Self:
        largest = max(self.row_bytes_max, self.chunk_bytes_max) + HEADER_BYTES_MAX
        if not largest <= self.message_bytes_max <= MESSAGE_BYTES_LIMIT:
            raise ValueError(
                f"{PREFIX}MESSAGE_BYTES_MAX: wanted {largest} (the largest row or chunk and its header)"
                f" to {MESSAGE_BYTES_LIMIT} (what RabbitMQ 4 takes), found {self.message_bytes_max}"
            )
        return self

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(Path(p).resolve() for p in self.dataset_roots.split(os.pathsep) if p)

    @property
    def is_embedded(self) -> bool:
        """No server is named, so a private one is started."""
        return self.amqp_url is None and self.database_url is None

    @property
    def worker_count(self) -> int:
        return self.workers or os.cpu_count() or 1


def load_settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """Read the environment; raises WrongSettings naming every variable that makes no sense."""
    try:
        return Settings(**dict(overrides or {}))  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        lines = [
            f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}"
            if e["loc"]
            else e["msg"].removeprefix("Value error, ")
            for e in error.errors()
        ]
        raise WrongSettings("; ".join(lines)) from None
    except OSError as error:
        raise WrongSettings(f"a settings file cannot be read: {error}") from None
