"""What a benchmark only names, looked up from the command line as the service would look it up."""

from evalbus.client import AsyncClient
from evalbus.producer.references import References
from evalbus_schemas.benchmark import Benchmark, BenchmarkFile
from evalbus_schemas.catalogue import Entry, EntryKind, GetEntry
from evalbus_schemas.names import reference


class AskedCatalogue:
    """The catalogue as a client sees it."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get(self, kind: EntryKind, query: GetEntry) -> Entry:
        """Raises NotFound."""
        assert query.name is not None, "references are names"
        name = reference(query.workspace, query.name)
        return await self._client.saved(kind).get(name, revision=query.revision)


async def written_out(client: AsyncClient, benchmark: BenchmarkFile | str) -> Benchmark:
    """With everything in it; nobody is asked about one that is written out already. Raises NotFound."""
    references = References(AskedCatalogue(client))
    if isinstance(benchmark, str):
        return await references.saved_benchmark(benchmark)
    return await references.written_out(benchmark)
