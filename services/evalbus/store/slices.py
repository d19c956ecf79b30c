"""A row's membership in slices: one number, with a bit for each slice of the benchmark, the first of them lowest."""

from evalbus.errors import unknown
from evalbus_schemas.benchmark import ALL, NO_SLICE, Benchmark


def slice_bit(name: str, benchmark: Benchmark, *, where: str = "") -> int | None:
    """The bit of a slice, None for that of the rows in none; raises Invalid for a name that is no slice's."""
    if name == NO_SLICE:
        return None
    for place, one in enumerate(benchmark.slices):
        if one.name == name:
            return 1 << place
    known = [ALL, *(one.name for one in benchmark.slices), NO_SLICE]
    raise unknown("slice", name, known, where=where)


def names_of(bits: int, benchmark: Benchmark) -> tuple[str, ...]:
    """The slices that a row is in, in the order of the benchmark."""
    return tuple(one.name for place, one in enumerate(benchmark.slices) if bits & (1 << place))
