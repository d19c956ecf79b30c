"""Of metrics of vectors that lie in the row."""

from tests.metric_cases.case import OUTPUT, REFERENCE, Case

VECTORS: list[Case] = [
    Case(
        type="vector-similarity",
        parameters={"left": OUTPUT, "right": REFERENCE},
        scored=(
            ([3, 4], "[6, 8]", (1.0,)),
            ([1, 0], "[0, 5]", (0.0,)),
            ([1.5], "[-2]", (-1.0,)),
        ),
        unscored=(
            (None, "[1]", "no_reference"),
            ([1], "Paris", "unparsable"),
            ([1, 2], "[1]", "unparsable"),
            ([0, 0], "[1, 2]", "zero_vector"),
        ),
    ),
]
