"""Names and references: how a thing is called inside its workspace, and from outside."""

import re
import secrets
from datetime import datetime
from typing import Annotated

from pydantic import Field

NAME_LENGTH_MAX = 63
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._@+-]{0,61}[a-z0-9])?$"
REFERENCE_PATTERN = (
    r"^[a-z0-9](?:[a-z0-9._@+-]{0,61}[a-z0-9])?/[a-z0-9](?:[a-z0-9._@+-]{0,61}[a-z0-9])?$"
)
DEFAULT_WORKSPACE = "default"

Name = Annotated[str, Field(pattern=NAME_PATTERN, examples=["capitals"])]
Reference = Annotated[str, Field(pattern=REFERENCE_PATTERN, examples=["default/capitals"])]


def reference(workspace: str, name: str) -> str:
    """The name as it is seen from outside its workspace."""
    return f"{workspace}/{name}"


def is_name(text: str) -> bool:
    return re.fullmatch(NAME_PATTERN, text) is not None


def made_up_job_name(benchmark: str, now: datetime) -> str:
    """`<benchmark>-<UTC yyyymmddthhmmss>-<4 hex>`, cut so that it is a name itself."""
    suffix = f"-{now:%Y%m%dt%H%M%S}-{secrets.token_hex(2)}"
    return benchmark[: NAME_LENGTH_MAX - len(suffix)] + suffix
