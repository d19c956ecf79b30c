"""Taking over the rows of an ended job: copied inside Postgres, so that nothing is read or asked again."""

from evalbus.store.ports import Lease
from evalbus.store.postgres.chunking import ChunkRows, SizedRow, chunks_of_rows
from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.sql import load

SQL = load("deriving.sql")

SLAB_ROWS = 5_000


class Source:
    """The dataset of the source job, and what of it the derived one takes over."""

    def __init__(self, lease: Lease, dataset_no: int, *, job_no: int, month: object) -> None:
        self._lease = lease
        self._dataset_no = dataset_no
        self._job_no = job_no
        self._month = month

    async def take_over(
        self, connection: Connection, first_row: int, end_row: int
    ) -> list[ChunkRows]:
        """Copy the items of these rows and what is kept of their scores; the chunks of what is left to do."""
        lease, rows = self._lease, (self._dataset_no, first_row, end_row)
        here = (self._job_no, self._month)
        there = (lease.job_no, lease.month)
        await connection.execute(SQL.copy_items, *here, *there, *rows)
        if lease.derivation == "rescore":
            left = await connection.fetch(SQL.samples, *here, *rows)
        else:
            copied = await connection.fetchval(SQL.copy_scored, *here, *there, *rows)
            if copied:
                await connection.execute(SQL.copy_signatures, self._job_no, lease.job_no)
            left = await connection.fetch(SQL.left_to_do, *there, *rows, *here)
            # Behind the signatures: who keeps a scored chunk adds those first as well, and then locks the job row.
            await connection.execute(SQL.count_copied, lease.job_no, copied)
        return chunks_of_rows(
            lease,
            self._dataset_no,
            (
                SizedRow(
                    model_no=record["model_no"],
                    repeat=record["repeat"],
                    row_index=record["row_index"],
                    is_given=record["is_given"],
                    size=record["size"],
                )
                for record in left
            ),
        )
