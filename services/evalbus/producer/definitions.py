"""Everything that the producer does with what is saved, put together once."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel

from evalbus.bus.base import Message
from evalbus.bus.rpc import Answerer
from evalbus.datasets import Sources
from evalbus.producer.accepting import job_limits
from evalbus.producer.benchmark_rows import BenchmarkRows
from evalbus.producer.catalogue import Catalogue
from evalbus.producer.checking import PartChecks
from evalbus.producer.opening import DatasetOpening
from evalbus.producer.references import References
from evalbus.producer.uploads import UploadFiles
from evalbus.settings import Settings
from evalbus.store.ports import CatalogueStore, UploadStore
from evalbus_schemas.catalogue import Upload


@dataclass(frozen=True, kw_only=True)
class Definitions:
    """What benchmarks are made of: how it is found, checked, opened and saved."""

    references: References
    checks: PartChecks
    opening: DatasetOpening
    uploads: UploadFiles
    methods: dict[str, Answerer]
    """Those that change the catalogue or read datasets."""


@asynccontextmanager
async def open_definitions(
    *,
    catalogue: CatalogueStore,
    uploads: UploadStore,
    settings: Settings,
    roots: tuple[Path, ...] | None,
) -> AsyncGenerator[Definitions]:
    """Copies of uploaded files are gone when it is left."""
    limits = job_limits(settings)
    references = References(catalogue)
    checks = PartChecks(
        limits=limits,
        allow_private=settings.allow_private_endpoints,
        has_broker=not settings.is_embedded,
    )
    opening = DatasetOpening(sources=Sources.of(settings, roots=roots), limits=limits)
    # Made with the first copy, so that a process that is killed leaves none where nothing was uploaded.
    folder = Path(tempfile.gettempdir(), f"evalbus-uploads-{uuid4().hex}")
    files = UploadFiles(uploads, folder)
    saving = Catalogue(store=catalogue, references=references, checks=checks)
    rows = BenchmarkRows(store=catalogue, opening=opening, uploads=files)

    async def datasets_upload(page: Upload, _: Message) -> BaseModel:
        return await uploads.add(page)

    try:
        yield Definitions(
            references=references,
            checks=checks,
            opening=opening,
            uploads=files,
            methods={
                **saving.methods(),
                **rows.methods(),
                "datasets.upload": datasets_upload,
            },
        )
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
