"""The stable id of a row: what its template says, or a hash of the row itself."""

from collections.abc import Callable
from hashlib import blake2b

from evalbus.datasets.items import as_json
from evalbus.templates import TemplateError, as_text, compile_plain_template, context_of
from evalbus_schemas.base import JsonObject

ID_CHARACTERS_MAX = 255
HASH_BYTES = 8

RowId = Callable[[JsonObject], str]


def hash_id(content: bytes) -> str:
    return blake2b(content, digest_size=HASH_BYTES).hexdigest()


def content_id(item: JsonObject) -> str:
    """The same for equal items, however their keys are ordered and spaced."""
    return hash_id(as_json(item, sort_keys=True))


def row_id_from(text: str | None) -> RowId:
    """How a dataset with this `id` template names its rows; raises Invalid for what is no template.

    A row for which the template gives nothing is named by its content, so that one bad row does not end a job. A
    text that is too long for an index, or that Postgres could not hold, is hashed.
    """
    if text is None:
        return content_id
    # Rows are named where they are read, outside of any sandbox's limits.
    template = compile_plain_template(text)

    def from_template(item: JsonObject) -> str:
        try:
            value = template.render(context_of(item, {}))
        except TemplateError:
            return content_id(item)
        if value is None or value == "":
            return content_id(item)
        named = as_text(value)
        if len(named) > ID_CHARACTERS_MAX or "\x00" in named:
            return hash_id(named.encode())
        return named

    return from_template
