"""Of metrics of how much of one text is in another."""

from tests.metric_cases.case import REFERENCE, Case

OVERLAP: list[Case] = [
    Case(
        type="f1",
        parameters={"reference": REFERENCE},
        scored=(
            ("the big apple", "Big apple", (1.0,)),
            ("a b c d", "b x", (0.4,)),
            ("x", "y", (0.0,)),
        ),
        unscored=((None, "Paris", "no_reference"),),
    ),
]
