"""Libraries that not everybody installs: imported when a file needs one, and missed in a sentence."""

from importlib import import_module
from typing import Any

from evalbus.errors import Invalid


def imported(module: str, *, extra: str, what: str) -> Any:
    """A module of an extra; raises Invalid that says which one brings it.

    These libraries carry no types: what is had of them is checked where it leaves the file that uses it.
    """
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise Invalid(
            f"{what} needs {package}, which is not installed here (pip install 'evalbus[{extra}]')",
            {"wanted": package, "found": None},
        ) from None
