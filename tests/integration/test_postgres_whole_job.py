"""A job from its command to its result, in the database alone."""

from evalbus_schemas.queries import GetResult
from tests.builders import a_benchmark, a_new_job
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def test_a_job_goes_from_its_command_to_its_result(stores: Stores) -> None:
    new = a_new_job(
        name="first", benchmark=a_benchmark(models=("small", "large"), metrics=("a", "b"))
    )

    job = await stores.a_completed_job(new, rows=10, in_chunks_of=3)

    result = await stores.results.result(GetResult(result="first"))
    assert job.status == "completed"
    assert (job.rows, job.rows_total, job.chunks, job.chunks_total) == (20, 20, 8, 8)
    assert len(result.results) == 4
    assert [line.scores[0].mean for line in result.results] == [1.0] * 4
    assert len(await stores.all_rows(job)) == 20
