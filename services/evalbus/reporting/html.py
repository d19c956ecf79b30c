"""A report as one file that needs nothing else: no script, no picture, no address; every text escaped by the template."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from evalbus.characters import cut
from evalbus.reporting import charts
from evalbus.reporting.parts import Report
from evalbus.writing.tables import Bar, Cell, shown

if TYPE_CHECKING:
    from jinja2 import Template

CELL_MAX: Final = 1000


def as_html(report: Report) -> str:
    return _template().render(report=report, charts=charts)


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # takes longer to load than a command to ask

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"shown": _shown, "anchor": _anchor, "percent": _percent}
    environment.tests["bar"] = _is_bar
    return environment.from_string(
        files("evalbus.reporting").joinpath("report.html.jinja").read_text("utf-8")
    )


def _shown(cell: Cell) -> str:
    return cut(shown(cell), CELL_MAX)


def _is_bar(value: object) -> bool:
    return isinstance(value, Bar)


def _percent(share: float) -> str:
    return f"{share * 100:.4g}"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
