"""Metrics that ask a model what it thinks of an answer."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.judges.format_rubrics import FormatRubrics
from evalbus.metrics.judges.key_facts import KeyFacts
from evalbus.metrics.judges.llm_judge import LlmJudge
from evalbus.metrics.judges.qa_rubrics import QARubrics
from evalbus.metrics.judges.style_rubrics import StyleRubrics

JUDGES: Final[dict[str, type[Metric]]] = {
    "format-rubrics": FormatRubrics,
    "key-facts": KeyFacts,
    "llm-judge": LlmJudge,
    "qa-rubrics": QARubrics,
    "style-rubrics": StyleRubrics,
}
