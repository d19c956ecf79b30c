"""Of metrics that answer yes or no, or measure one thing."""

from tests.metric_cases.case import OUTPUT, REFERENCE, Case

CHECKS: list[Case] = [
    Case(
        type="exact-match",
        parameters={"reference": REFERENCE},
        scored=(("Paris", "paris!", (1.0,)), ("Paris", "Rome", (0.0,)), (4, "4", (1.0,))),
        unscored=((None, "Paris", "no_reference"),),
    ),
    Case(
        type="number-check",
        parameters={"operation": "==", "left_template": OUTPUT, "right_template": REFERENCE},
        scored=((1000, "it is 1,000", (1.0,)), ("$5", "6", (0.0,))),
        unscored=((None, "5", "unparsable"), (5, "five", "unparsable")),
    ),
    Case(
        type="string-check",
        parameters={"operation": "contains", "left_template": OUTPUT, "right_template": REFERENCE},
        scored=(("Paris", "Paris, I think", (1.0,)), ("Paris", "paris", (0.0,))),
        unscored=((None, "Paris", "no_reference"),),
    ),
]
