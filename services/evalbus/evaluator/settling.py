"""Doing something for many rows of which some may raise: the others come out as if those had not been there."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from evalbus.templates import RowsFailed

T = TypeVar("T")

Blame = Callable[[int, BaseException], None]


def settle(
    work: Callable[[Sequence[int]], T], rows: Sequence[int], blame: Blame
) -> list[tuple[Sequence[int], T]]:
    """Do the work for all rows at once if that goes well; the outcomes, each with the rows that it is for.

    Rows that are known to fail are blamed and left out. When nobody can say which row raised, halves are tried, down
    to the single row that is to blame.
    """
    done: list[tuple[Sequence[int], T]] = []
    waiting = [rows] if rows else []
    while waiting:
        batch = waiting.pop()
        try:
            done.append((batch, work(batch)))
        except RowsFailed as failed:
            bad = {batch[place]: error for place, error in failed.errors.items()}
            assert bad, "at least one row failed, or the same batch would be tried for ever"
            for row, error in bad.items():
                blame(row, error)
            rest = [row for row in batch if row not in bad]
            if rest:
                waiting.append(rest)
        except (Exception, SystemExit) as error:
            # A plug-in may raise anything; it concerns the row that made it, and no other.
            if len(batch) == 1:
                blame(batch[0], error)
            else:
                middle = len(batch) // 2
                waiting += [batch[middle:], batch[:middle]]
    return done
