"""Named queries out of .sql files: `-- name: find_job` starts one."""

import re
from importlib.resources import files
from types import SimpleNamespace

NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(file: str) -> SimpleNamespace:
    """The queries of a file beside this one, as attributes; a name that is not there fails at its first use."""
    text = files("evalbus.store.postgres").joinpath(file).read_text("utf-8")
    _, *parts = NAME.split(text)
    return SimpleNamespace(
        **{name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
    )
