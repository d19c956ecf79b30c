"""Of metrics of labels, probabilities and attempts."""

from tests.metric_cases.case import REFERENCE, Case

LABELS: list[Case] = [
    Case(
        type="classification",
        parameters={"reference": REFERENCE, "labels": ["spam", "ham", "4"]},
        scored=(("spam", " spam", (1.0,)), ("ham", "Ham", (0.0,)), (4, "4", (1.0,))),
        unscored=((None, "spam", "no_reference"), ("eggs", "spam", "unknown_label")),
    ),
]
