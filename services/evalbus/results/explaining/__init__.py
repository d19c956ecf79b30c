"""What goes with low scores, found in the stored rows.

The rows of a job pass once and leave columns of numbers (columns.py). From these come features (features.py), each of
which is looked at with each score (looks.py); when all looks of the job are counted, those that chance does not explain
become findings in words and numbers (drivers.py, comparing.py).
"""

from evalbus.results.explaining.explain import columns_for, explain
from evalbus.results.explaining.explainer import Explainer

__all__ = ["Explainer", "columns_for", "explain"]
