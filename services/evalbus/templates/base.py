"""What a compiled template promises, and how it fails."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from evalbus.errors import PermanentError
from evalbus_schemas.base import JsonObject

Context = Mapping[str, object]
"""The fields of the item, over them those of the sample, over them `item` and `sample` themselves."""

KEYS_SHOWN_MAX = 20
MISSING_FIELD = "missing_field"
"""The code of a row that does not have what is asked for."""


def context_of(item: JsonObject, sample: JsonObject) -> Context:
    return {**item, **sample, "item": item, "sample": sample}


def names_shown(keys: Iterable[object]) -> str:
    """The keys there are, for a sentence; a row with very many is cut."""
    names = [str(key) for key in keys]
    if not names:
        return "none"
    more = f" and {len(names) - KEYS_SHOWN_MAX} more" if len(names) > KEYS_SHOWN_MAX else ""
    return ", ".join(names[:KEYS_SHOWN_MAX]) + more


class TemplateError(PermanentError):
    """This row cannot be rendered; `code` is one word for counting."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RowsFailed(PermanentError):
    """Some rows of a batch failed, each for its own reason; without them the batch can be done."""

    def __init__(self, errors: Mapping[int, TemplateError]) -> None:
        super().__init__(f"{len(errors)} rows cannot be rendered")
        self.errors = dict(errors)


class Template(ABC):
    """A template, ready to render any number of rows; it keeps nothing between them."""

    def __init__(self, text: str) -> None:
        self.text = text

    @abstractmethod
    def render(self, context: Context) -> object:
        """The value for one row: what a lone look-up finds, as it is, otherwise text. Raises TemplateError."""

    def render_all(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject]
    ) -> list[object]:
        """The values of many rows; raises RowsFailed with every row that has none."""
        values: list[object] = []
        errors: dict[int, TemplateError] = {}
        for row, (item, sample) in enumerate(zip(items, samples, strict=True)):
            try:
                values.append(self.render(context_of(item, sample)))
            except TemplateError as error:
                errors[row] = error
        if errors:
            raise RowsFailed(errors)
        return values
