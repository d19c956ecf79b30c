"""How many rows are scored between two signs of progress."""

import time
from collections.abc import Generator
from contextlib import contextmanager

BUDGET_SHARE = 0.25
"""Of what a single row may take: a slice as slow as expected is then far from looking like a row that hangs."""

NEVER_ZERO_SECONDS = 1e-9


class Pace:
    """Learns how long a row takes. Fast rows are scored all at once, slow ones in slices that show progress."""

    def __init__(self) -> None:
        self._seconds_per_row: float | None = None

    def next_slice(self, rows_left: int, row_seconds: float) -> int:
        """At least one row; exactly one as long as nothing is known."""
        if self._seconds_per_row is None:
            return 1
        affordable = row_seconds * BUDGET_SHARE / max(self._seconds_per_row, NEVER_ZERO_SECONDS)
        return max(1, min(rows_left, int(affordable)))

    @contextmanager
    def measured(self, rows: int) -> Generator[None]:
        """Learn from so many rows, scored in here."""
        started = time.perf_counter()
        yield
        self._seconds_per_row = (time.perf_counter() - started) / rows
