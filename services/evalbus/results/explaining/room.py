"""What an answer has room for."""

from collections.abc import Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

from evalbus_schemas.explanations import Explanations

M = TypeVar("M", bound=BaseModel)

BYTES_MAX: Final = 900 * 1024
"""Of all parts together, as JSON: with its envelope an answer stays below 1 MiB."""


def fitting(explanations: Explanations) -> Explanations:
    """As many of the first parts as there is room for, half of it for what the data says if that needs so much."""
    data, used = _first(explanations.metric_independent, BYTES_MAX // 2)
    scores, _ = _first(explanations.metric_dependent, BYTES_MAX - used)
    n_left_out = (
        len(explanations.metric_independent)
        - len(data)
        + len(explanations.metric_dependent)
        - len(scores)
    )
    return explanations.model_copy(
        update={
            "metric_independent": data,
            "metric_dependent": scores,
            "left_out": explanations.left_out + n_left_out,
        }
    )


def _first(parts: Sequence[M], bytes_max: int) -> tuple[tuple[M, ...], int]:
    kept: list[M] = []
    used = 0
    for part in parts:
        used += len(part.model_dump_json().encode())
        if used > bytes_max:
            break
        kept.append(part)
    return tuple(kept), min(used, bytes_max)
