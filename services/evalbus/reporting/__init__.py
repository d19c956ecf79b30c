"""A job as a report that people read: composed once, written down as Markdown or as one page of HTML."""

from evalbus.reporting.composing import report_of
from evalbus.reporting.html import as_html
from evalbus.reporting.markdown import as_markdown
from evalbus.reporting.material import Material

__all__ = ["Material", "as_html", "as_markdown", "report_of"]
