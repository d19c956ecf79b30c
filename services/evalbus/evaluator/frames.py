"""What parent and scoring child say to each other, over a socket of their own: prints of a plug-in do no harm."""

import struct
from typing import Final, NamedTuple

REQUEST: Final = struct.Struct("<IQQ")
REPLY: Final = struct.Struct("<cQ")
PROGRESS: Final = struct.Struct("<IIIIII")

READY: Final = b"H"
"""The child has started and waits for work."""
PROGRESSED: Final = b"P"
SCORED: Final = b"S"
REFUSED: Final = b"R"
"""The plan cannot be run in this installation; the payload is the sentence that says why."""

OUT_OF_MEMORY_EXIT: Final = 77
"""The exit code of a child that found no memory to go on."""


class Request(NamedTuple):
    """The head of a request; so many bytes of a chunk follow."""

    slice_rows: int
    memory_bytes: int
    body_bytes: int


class Progress(NamedTuple):
    """How far the child was when it was last heard of."""

    rows_done: int
    rows_at_work: int
    step: int
    """0: the model; n: the nth metric."""
    n_columns: int
    """How many scores a row has; 0 as well for a plan without metrics."""
    n_counted: int
    """How many metrics count for scores of the whole."""
    n_truths: int
    """How many scores have a ground truth."""


NOTHING_KNOWN: Final = Progress(
    rows_done=0, rows_at_work=0, step=0, n_columns=0, n_counted=0, n_truths=0
)
