"""What results can be filtered and searched by."""

from typing import Final

from evalbus.filters.fields import FieldKind, Fields

STATISTICS: Final = frozenset(
    {
        "count",
        "nan_count",
        "n_rows",
        "n_failed",
        "sum",
        "mean",
        "min",
        "max",
        "variance",
        "std_dev",
        "mean_failures_as_worst",
    }
)

RESULT_FIELDS: Final = Fields(
    kinds={
        "id": FieldKind.TEXT,
        "name": FieldKind.TEXT,
        "workspace": FieldKind.TEXT,
        "benchmark": FieldKind.TEXT,
        # A result has several of these; whoever thinks of one says it in the singular.
        "dataset": FieldKind.TEXTS,
        "datasets": FieldKind.TEXTS,
        "model": FieldKind.TEXTS,
        "models": FieldKind.TEXTS,
        "metric": FieldKind.TEXTS,
        "metrics": FieldKind.TEXTS,
        "created_at": FieldKind.MOMENT,
        "updated_at": FieldKind.MOMENT,
        "started_at": FieldKind.MOMENT,
        "finished_at": FieldKind.MOMENT,
        "created_by": FieldKind.TEXT,
        "rows": FieldKind.NUMBER,
        "failed_rows": FieldKind.NUMBER,
        "labels": FieldKind.LABEL,
        "scores": FieldKind.SCORE,
    },
    statistics=STATISTICS,
)

SEARCH_FIELDS: Final = RESULT_FIELDS
"""The same; in a search only a bare text means something else."""
