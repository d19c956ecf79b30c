"""The README's tables, written from the code: `python -m tests.readme` puts them in their places."""

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from evalbus.metrics import METRICS
from evalbus.metrics.explaining import metric_kinds
from evalbus.settings import PREFIX, Settings
from evalbus_schemas.queries import METHODS

README = Path(__file__).parents[1] / "README.md"


def settings_table() -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", PydanticUndefined) else f"`{field.default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines)


def methods_table() -> str:
    lines = ["| method | parameters | answer | |", "|---|---|---|---|"]
    for method in METHODS.values():
        fields = method.params.model_fields
        names = [f"**{name}**" if field.is_required() else name for name, field in fields.items()]
        kind = "command" if method.kind == "command" else "query"
        lines.append(
            f"| `{method.name}` ({kind}) | {', '.join(names) or '–'} | {method.answer.__name__} | {method.summary} |"
        )
    return "\n".join(lines)


def metrics_table() -> str:
    """Each with the first sentence of what its author says of it."""
    lines = ["| metric | |", "|---|---|"]
    lines += [
        f"| `{kind.type}` | {kind.summary} |"
        for kind in metric_kinds()
        if kind.type in METRICS.builtin
    ]
    return "\n".join(lines)


TABLES = {"settings": settings_table, "methods": methods_table, "metrics": metrics_table}


def rewritten(readme: str) -> str:
    """The same text with every table as the code has it; raises ValueError when a place for one is missing."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        found = pattern.search(readme)
        if found is None:
            raise ValueError(f"README.md has no place for the table of {name}")
        placed = f"{found[1]}\n{table()}\n\n{found[2]}"
        readme = readme[: found.start()] + placed + readme[found.end() :]
    return readme


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text("utf-8")), "utf-8")
