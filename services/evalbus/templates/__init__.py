"""Templates over a row: text with `{{ item.field }}` in it, rendered in a sandbox or, where that is enough, looked up."""

from evalbus.templates.base import (
    MISSING_FIELD,
    Context,
    RowsFailed,
    Template,
    TemplateError,
    context_of,
)
from evalbus.templates.compiler import compile_plain_template, compile_template
from evalbus.templates.fields import Path, fields_used, sample_fields_used
from evalbus.templates.text import as_text

__all__ = [
    "MISSING_FIELD",
    "Context",
    "Path",
    "RowsFailed",
    "Template",
    "TemplateError",
    "as_text",
    "compile_plain_template",
    "compile_template",
    "context_of",
    "fields_used",
    "sample_fields_used",
]
