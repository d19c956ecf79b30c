"""What a model is to evalbus: something that answers an item with a sample.

A recorded model answers from the item alone, so that it can be asked wherever the rows are scored. A live one is
reached over a network; it answers in the process that may wait, and the rows are scored when the answers are in.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from evalbus.registry import PlugIn
from evalbus_schemas.base import JsonObject

OUTPUT_TEXT = "output_text"
"""Every sample has this field: what the model said, as text."""

SAMPLE_FIELDS = frozenset({OUTPUT_TEXT})


class Model(PlugIn):
    """A named answerer."""

    is_live: ClassVar[bool]
    """True: it waits for somebody else, and its work has a queue of its own."""


class RecordedModel(Model):
    """A model whose answers lie in the dataset."""

    is_live = False

    @abstractmethod
    def answer(self, items: Sequence[JsonObject]) -> list[JsonObject]:
        """One sample for each item, each from its item alone; raises RowsFailed for those without one."""


class LiveModel(Model):
    """A model that is asked over a network."""

    is_live = True

    @abstractmethod
    async def ask(self, item: JsonObject) -> JsonObject:
        """The sample for one item; raises TransientError where asking again may help."""
