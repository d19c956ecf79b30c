"""Options that several commands share."""

from typing import Annotated

import typer

from evalbus_schemas.names import DEFAULT_WORKSPACE

Workspace = Annotated[
    str, typer.Option("--workspace", "-w", help="The namespace of jobs and results.", envvar=None)
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many, the first ones.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name or id.")]
ResultName = Annotated[str, typer.Argument(metavar="RESULT", help="The name of its job.")]

LIMIT = 100
WORKSPACE = DEFAULT_WORKSPACE
