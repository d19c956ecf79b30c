"""The rows of one dataset as columns: all that is kept of them while they pass."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from evalbus.results.explaining.field_columns import FieldColumns
from evalbus.results.explaining.fields import begun, fields_of, parsed
from evalbus.results.explaining.model_columns import ModelColumns
from evalbus.store.ports import RowToExplain
from evalbus_schemas.base import JsonObject

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers


class DatasetColumns:
    """Everything that is kept of one dataset; rows are added in their order."""

    def __init__(self, *, n_models: int, n_scores: int, n_truths: int) -> None:
        self.row_indexes: list[int] = []
        self.row_ids: list[str] = []
        self.excerpts: list[str] = []
        """The beginning of each item, still to be cut."""
        self.n_too_long = self.n_repeated = 0
        self.fields = FieldColumns()
        self.models = [ModelColumns(n_scores, n_truths) for _ in range(n_models)]
        self._members = array("q")
        self._seen: set[int] = set()

    @property
    def n_rows(self) -> int:
        return len(self.row_indexes)

    def add(self, rows: Sequence[RowToExplain]) -> None:
        for row in rows:
            self._add(row)

    def _add(self, row: RowToExplain) -> None:
        place = self.n_rows
        self.row_indexes.append(row.row_index)
        self.row_ids.append(row.row_id)
        self._members.append(row.slices)
        item = parsed(row.item)
        self._add_item(row.item, item, place)
        for model, answer in zip(self.models, row.answers, strict=True):
            model.add(answer, place)

    def _add_item(self, text: str | None, item: JsonObject, place: int) -> None:
        self.excerpts.append(_excerpt(text, item))
        if text is None:
            self.n_too_long += 1
        else:
            # Sorted, for the same item may have its fields in another order.
            digest = hash(orjson.dumps(item, option=orjson.OPT_SORT_KEYS))
            self.n_repeated += digest in self._seen
            self._seen.add(digest)
        self.fields.add(fields_of(item), place)

    def in_slice(self, place: int) -> "Numbers":
        """1 for the rows in the slice at that place of the benchmark."""
        import numpy as np

        members = np.frombuffer(self._members, dtype=np.int64)
        found: Numbers = ((members >> place) & 1).astype(np.float64)
        return found

    @property
    def in_no_slice(self) -> "Numbers":
        import numpy as np

        found: Numbers = (np.frombuffer(self._members, dtype=np.int64) == 0).astype(np.float64)
        return found


def _excerpt(text: str | None, item: JsonObject) -> str:
    """The first text of the item: that is mostly the question."""
    if text is None:
        return "(too long to be shown)"
    first = next((value for _, value in fields_of(item) if isinstance(value, str) and value), text)
    return begun(first)
