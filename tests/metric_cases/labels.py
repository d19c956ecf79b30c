"""Of metrics of labels, probabilities and attempts."""

from tests.metric_cases.case import Case

LABELS: list[Case] = []
