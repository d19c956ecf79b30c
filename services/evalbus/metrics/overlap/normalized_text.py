"""Normalized texts for metrics that look at characters, where `normalization` gives words."""

from typing import cast

from evalbus.metrics.base import Batch
from evalbus.metrics.normalization import Normalize, normalized, squad_words_of
from evalbus.templates import Template


def normalized_texts(batch: Batch, template: Template, how: Normalize) -> list[str | None]:
    """Every row's text after normalization, words joined by one space; None for null."""
    if how == "squad":
        every_words = squad_words_of(batch, template)
        return [None if words is None else " ".join(words) for words in every_words]
    # Every other way gives texts.
    return cast("list[str | None]", normalized(batch, template, how))
