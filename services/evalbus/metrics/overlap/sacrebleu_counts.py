"""The counts behind sacrebleu's scores, for many rows at once: the one place that uses what it keeps private.

sacrebleu has no public way to them, but its own tests of significance rest on these two methods, and a test of ours
compares them with its public scores.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, cast

from evalbus.metrics.overlap.references import Texts

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as Scorer


def counts_by_row(
    scorer: "Scorer", candidates: Sequence[str], references: Sequence[Texts]
) -> list[list[float]]:
    """The statistics of each row against all its references, in sacrebleu's order; integers, but for TER's length.

    Every row has a reference; rows may have different numbers of them.
    """
    if not candidates:
        return []
    # sacrebleu takes the first references of all rows, then the second ones; the other way round it often raises
    # nothing, and the scores are wrong.
    streams = list(zip_longest(*references))
    assert all(len(stream) == len(candidates) for stream in streams), "a stream has every row"
    try:
        counted: object = scorer._extract_corpus_statistics(candidates, streams)  # pyright: ignore[reportPrivateUsage]  # see above
    finally:
        _forget_texts(scorer)
    return cast("list[list[float]]", counted)


def value_of(scorer: "Scorer", statistics: Sequence[float]) -> float:
    """The score from the statistics of a row, or from their sum over rows."""
    return float(scorer._compute_score_from_stats(list(statistics)).score)  # pyright: ignore[reportPrivateUsage]  # see above


def _forget_texts(scorer: "Scorer") -> None:
    """Empty the caches of its tokenizers, which keep 65,536 texts of any length for the life of the process."""
    tokenizer: object = getattr(scorer, "tokenizer", None)
    inner: object = getattr(tokenizer, "_post_tokenizer", None)
    for one in (tokenizer, inner):
        clear: object = getattr(vars(type(one)).get("__call__"), "cache_clear", None)
        if callable(clear):
            clear()
