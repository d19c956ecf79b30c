"""Metrics of how much of one text is in another."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.overlap.bleu import Bleu
from evalbus.metrics.overlap.cer import Cer
from evalbus.metrics.overlap.chrf import Chrf
from evalbus.metrics.overlap.f1 import F1
from evalbus.metrics.overlap.levenshtein import Levenshtein
from evalbus.metrics.overlap.rouge import Rouge
from evalbus.metrics.overlap.ter import Ter
from evalbus.metrics.overlap.wer import Wer

OVERLAP: Final[dict[str, type[Metric]]] = {
    "bleu": Bleu,
    "cer": Cer,
    "chrf": Chrf,
    "f1": F1,
    "levenshtein": Levenshtein,
    "rouge": Rouge,
    "ter": Ter,
    "wer": Wer,
}
