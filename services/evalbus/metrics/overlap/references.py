"""Several references for one row: the parameter, and the texts that its templates give."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, cast

from pydantic import Field

from evalbus.metrics.base import Batch
from evalbus.templates import Template, as_text, compile_template
from evalbus_schemas.benchmark import Template as TemplateText

REFERENCES_MAX: Final = 32

References = Annotated[
    tuple[TemplateText, ...],
    Field(
        min_length=1,
        max_length=REFERENCES_MAX,
        description="What is compared with; one that gives a list of texts stands for several references.",
        examples=[["{{ item.reference }}"], ["{{ item.references }}"]],
    ),
]

Texts = tuple[str, ...]


def compile_references(texts: References, *, characters_max: int) -> dict[str, Template]:
    """The templates by the name that a message calls them by: `references.0` and so on."""
    return {
        f"references.{place}": compile_template(text, characters_max=characters_max)
        for place, text in enumerate(texts)
    }


def all_references(batch: Batch, templates: Mapping[str, Template]) -> list[Texts | None]:
    """Every row's references in the order of the templates, without nulls; None for a row that has none left.

    Raises RowsFailed for rows that cannot be rendered.
    """
    columns = [_each_as_texts(batch, template) for template in templates.values()]
    return [sum(of_row, ()) or None for of_row in zip(*columns, strict=True)]


def _each_as_texts(batch: Batch, template: Template) -> Sequence[Texts]:
    return batch.keep(
        ("references", template.text), lambda: [_as_texts(v) for v in batch.values(template)]
    )


def _as_texts(value: object) -> Texts:
    several = cast("list[object]", value) if isinstance(value, list) else [value]
    return tuple(as_text(one) for one in several if one is not None)
