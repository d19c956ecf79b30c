"""How a secret may be called; known also where no secret is ever read, and no setting either."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

NAME_PATTERN = r"^[A-Z][A-Z0-9_]{0,62}$"
SYSTEM_PREFIXES = ("EVALBUS_", "PG")
"""The names of evalbus's own settings and of Postgres's: passwords of servers are nobody's API key."""


def check_secret_name(name: str) -> str:
    """The name itself; raises ValueError for one that no secret can have."""
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise ValueError("not the name of a secret: wanted capitals, digits and underscores")
    if name.startswith(SYSTEM_PREFIXES):
        raise ValueError(
            f"not the name of a secret: those that begin with {' or '.join(SYSTEM_PREFIXES)} belong to the system"
        )
    return name


SecretName = Annotated[
    str,
    Field(pattern=NAME_PATTERN, description="The name of a secret, never its value."),
    AfterValidator(check_secret_name),
]
