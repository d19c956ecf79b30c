"""How far a file is on its way: a bar on a terminal, elsewhere nothing."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

Tell = Callable[[int, int | None], None]
"""How much is done, and of how much, as far as that is known."""


@contextmanager
def bar(what: str, *columns: ProgressColumn) -> Generator[Tell | None]:
    """With these columns behind it; None where nobody sees it."""
    if not sys.stderr.isatty():
        yield None
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield tell
