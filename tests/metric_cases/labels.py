"""Of metrics of labels, probabilities and attempts."""

import math

from tests.metric_cases.case import OUTPUT, REFERENCE, Case

LABELS: list[Case] = [
    Case(
        type="calibration",
        parameters={"probability": OUTPUT, "outcome": REFERENCE},
        scored=((True, "0.5", (0.25, math.log(2))), (0, "0.75", (0.5625, math.log(4)))),
        unscored=(
            (None, "0.5", "no_reference"),
            (1, "likely", "unparsable"),
            (2, "0.5", "unparsable"),
        ),
    ),
    Case(
        type="classification",
        parameters={"reference": REFERENCE, "labels": ["spam", "ham", "4"]},
        scored=(("spam", " spam", (1.0,)), ("ham", "Ham", (0.0,)), (4, "4", (1.0,))),
        unscored=((None, "spam", "no_reference"), ("eggs", "spam", "unknown_label")),
    ),
    Case(
        type="math",
        parameters={"reference": REFERENCE},
        scored=(("1/2", "$\\frac{2}{4}$", (1.0,)), ("x+1", "it is $x$", (0.0,)), (5, "5", (1.0,))),
        unscored=((None, "5", "no_reference"), ("see above", "5", "unparsable")),
    ),
    Case(
        type="pass-at-k",
        parameters={"of": {"type": "exact-match", "reference": REFERENCE}, "k": [1, 5]},
        scored=(("Paris", "paris!", (1.0, 1.0)), ("Paris", "Rome", (0.0, 0.0))),
        unscored=((None, "Paris", "no_reference"),),
    ),
]
