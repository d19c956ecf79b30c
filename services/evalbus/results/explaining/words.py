"""Numbers and names as they stand in a sentence."""

from typing import Final

from evalbus.results.explaining.fields import excerpt

DIGITS: Final = 6
"""Significant ones of every figure that is told: those beyond depend on the machine, and mean nothing."""
QUOTED_CHARACTERS_MAX: Final = 64


def rounded(value: float) -> float:
    # With zero added, for minus zero is no other number to a reader.
    return float(f"{value:.{DIGITS}g}") + 0.0


def figure(value: float) -> str:
    """Three significant digits, and a whole number as it is."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if 100 <= abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.3g}"


def share(part: int, whole: int) -> str:
    return "0 %" if not whole else f"{100 * part / whole:.3g} %"


def p_value(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def quoted(name: str) -> str:
    return f'"{excerpt(name, QUOTED_CHARACTERS_MAX)}"'


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(parts: list[str], *, most: int = 5) -> str:
    """`a, b and c`; of many the first."""
    if len(parts) > most:
        return f"{', '.join(parts[:most])} and {len(parts) - most} more"
    return (
        " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part) if parts else ""
    )
