"""Metrics of vectors: of those that lie in a row, and of those that a model makes of its texts."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.vectors.embedding_similarity import EmbeddingSimilarity
from evalbus.metrics.vectors.vector_similarity import VectorSimilarity

VECTORS: Final[dict[str, type[Metric]]] = {
    "embedding-similarity": EmbeddingSimilarity,
    "vector-similarity": VectorSimilarity,
}
