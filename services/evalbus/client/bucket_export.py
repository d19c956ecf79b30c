"""A job as a file in a bucket."""

from typing import TYPE_CHECKING

from evalbus.client.job_export import Exported
from evalbus.errors import Invalid
from evalbus.exporting import ExportConfig

if TYPE_CHECKING:
    from evalbus.client.results import Results


async def export_to_bucket(
    results: "Results",
    job: str,
    destination: str,
    config: ExportConfig,
    connector: str | int | None,
) -> Exported:
    """Raises Invalid."""
    raise Invalid(f"nothing is written to {destination} yet")
