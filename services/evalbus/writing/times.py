"""Moments and durations for people."""

from datetime import datetime
from typing import Final

UNITS: Final = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def moment(when: datetime | None) -> str | None:
    """UTC to the second."""
    return None if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """In the two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    for size, unit, smaller_size, smaller in UNITS:
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"
