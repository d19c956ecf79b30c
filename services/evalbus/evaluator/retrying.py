"""How long a row pauses before it asks again."""

from collections.abc import Callable

FIRST_PAUSE_SECONDS_MAX = 0.5
PAUSE_SECONDS_MAX = 30.0

Random = Callable[[], float]
"""A number from 0 up to, and without, 1; another each time."""


def pause_seconds(failures: int, *, retry_after_seconds: float | None, random: Random) -> float:
    """Anything up to twice as much after each failure, so that rows that failed together do not come back together.

    An endpoint that asks for a longer pause gets it.
    """
    most = min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS_MAX * 2.0 ** min(failures - 1, 16))
    return max(random() * most, retry_after_seconds or 0.0)
