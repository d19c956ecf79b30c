"""What is said of a job beside its datapoints: the benchmark as it is saved, the run, and what the datapoints' names mean."""

from evalbus.store.ports import LayoutOf
from evalbus.store.postgres import catalogue, jobs, usage
from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.datapoint_lines import exported_scores
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.exports import ExportedBenchmark, ExportedSlice, ExportHead
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.names import reference

RESERVED = (
    ExportedSlice(id="None", display_name="All Datapoints", reserved_slice_type="global"),
    ExportedSlice(id="-1", display_name="No Slice", reserved_slice_type="no_slice"),
)


async def head_of(connection: Connection, job_no: int, layout_of: LayoutOf) -> ExportHead:
    """Raises NotFound if the job was deleted meanwhile."""
    job = await usage.told(connection, job_no, await jobs.job_by_no(connection, job_no))
    benchmark = Benchmark.model_validate_json(await connection.fetchval(usage.SQL.spec, job_no))
    return ExportHead(
        benchmark_metadata=await _benchmark(connection, job, benchmark),
        execution=job,
        partial=job.status is not JobStatus.COMPLETED,
        # Rows that are written in it are what the datapoints are made of, and may be as large as all of them.
        definition=benchmark.model_dump(mode="json", exclude={"datasets": {"__all__": {"rows"}}}),
        datasets=tuple(reference(job.workspace, dataset.name) for dataset in benchmark.datasets),
        models=tuple(reference(job.workspace, model.name) for model in benchmark.models),
        scores=exported_scores(job.workspace, layout_of(benchmark)),
        slices=(*RESERVED, *_declared(benchmark)),
    )


async def _benchmark(connection: Connection, job: Job, benchmark: Benchmark) -> ExportedBenchmark:
    entry = await connection.fetchrow(
        catalogue.SQL.find_entry, "benchmark", job.workspace, benchmark.name, None, None
    )
    if entry is None:
        return ExportedBenchmark(
            uid=None,
            name=benchmark.name,
            description=benchmark.description,
            created_at=job.created_at,
            created_by=job.created_by,
        )
    return ExportedBenchmark(
        uid=entry["entry_no"],
        name=entry["name"],
        description=entry["description"],
        created_at=entry["created_at"],
        created_by=entry["created_by"],
    )


def _declared(benchmark: Benchmark) -> tuple[ExportedSlice, ...]:
    return tuple(
        ExportedSlice(
            id=str(place),
            display_name=declared.name,
            reserved_slice_type="regular_slice",
            description=declared.description,
        )
        for place, declared in enumerate(benchmark.slices, 1)
    )
