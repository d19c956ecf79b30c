"""Connectors: what private places are read and written with, named in a file of whoever runs evalbus."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import Discriminator, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticSerializationError, to_json

from evalbus.errors import Invalid, WrongSettings, unknown
from evalbus.outside.secrets import SecretName
from evalbus_schemas.base import Closed
from evalbus_schemas.names import Name

VARIABLE = "EVALBUS_CONNECTORS_FILE"

Url = Annotated[str, Field(min_length=1, max_length=2048)]


class S3Connector(Closed):
    """A bucket of Amazon's or of anything that speaks like it."""

    type: Literal["s3"]
    endpoint_url: Annotated[Url | None, Field(description="By default Amazon's.")] = None
    region: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    key_secret: SecretName | None = None
    secret_secret: SecretName | None = None
    token_secret: Annotated[
        SecretName | None, Field(description="The session token of temporary keys.")
    ] = None
    anonymous: bool = False

    @model_validator(mode="after")
    def _keys_or_none(self) -> Self:
        has_keys = self.key_secret is not None and self.secret_secret is not None
        has_any = any((self.key_secret, self.secret_secret, self.token_secret))
        if self.anonymous == has_any or has_any != has_keys:
            # What lies around on the machine (a role, a profile) is not for whoever writes benchmarks.
            raise ValueError("give key_secret and secret_secret, or else anonymous: true")
        return self


class GsConnector(Closed):
    """A bucket of Google's."""

    type: Literal["gs"]
    endpoint_url: Annotated[Url | None, Field(description="By default Google's.")] = None
    token_secret: Annotated[
        SecretName | None,
        Field(description="An access token, or the key of a service account as one line of JSON."),
    ] = None
    anonymous: bool = False

    @model_validator(mode="after")
    def _token_or_none(self) -> Self:
        if self.anonymous == (self.token_secret is not None):
            raise ValueError("give token_secret, or else anonymous: true")
        return self


class HttpsConnector(Closed):
    """A web server that asks who one is; what it is told is told to nobody else."""

    type: Literal["https"]
    endpoint_url: Annotated[
        Url, Field(description="Where its files lie, and the only origin that secrets are sent to.")
    ]
    token_secret: Annotated[
        SecretName | None, Field(description="Sent as `Authorization: Bearer …`.")
    ] = None
    headers: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,127}$")], SecretName],
        Field(max_length=16, description="Header → the name of the secret that it carries."),
    ] = {}


Connector = S3Connector | GsConnector | HttpsConnector


_CONNECTORS: Final = TypeAdapter[dict[str, Connector]](
    Annotated[dict[Name, Annotated[Connector, Discriminator("type")]], Field(max_length=1000)]
)


def load_connectors(path: Path | None) -> Mapping[str, Connector]:
    """The connectors of a YAML file, none without one; raises WrongSettings that names the place."""
    if path is None:
        return {}
    # YAML takes time to load, and most installations have no such file.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = path.read_text(encoding="utf-8-sig")
        # Typed in part; what it leaves open stays here.
        yaml = cast("Any", YAML(typ="safe", pure=True))
        content: object = yaml.load(text)
        return _CONNECTORS.validate_json(to_json(content or {}))
    except OSError as error:
        raise WrongSettings(f"{VARIABLE}: {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise WrongSettings(f"{VARIABLE}: {path}: not UTF-8 at byte {error.start}") from None
    except ValidationError as error:
        said = "; ".join(_problems(error))
        raise WrongSettings(f"{VARIABLE}: {path}: {said}") from None
    except (YAMLError, PydanticSerializationError, ValueError) as error:
        said = " ".join(str(error).split())
        raise WrongSettings(f"{VARIABLE}: {path}: {said}") from None


def _problems(error: ValidationError) -> Iterator[str]:
    """Each with its place; never with what stands there, which may be a value where a name belongs."""
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        # The second step is the type that pydantic chose; the last may say that a key is meant.
        place = [str(step) for at, step in enumerate(problem["loc"]) if at != 1 and step != "[key]"]
        said = problem["msg"].removeprefix("Value error, ")
        yield f"{'.'.join(place) or 'top level'}: {said}"


def find_connector(
    name: str | None, connectors: Mapping[str, Connector], *, kind: str, where: str
) -> Connector | None:
    """The connector of that name and kind, none without a name; raises Invalid that says which ones there are."""
    if name is None:
        return None
    if name not in connectors:
        raise unknown("connector", name, connectors, where=where)
    found = connectors[name]
    if found.type != kind:
        known = known_connectors(connectors, kind=kind)
        raise Invalid(
            f"{where}: connector {name!r} is of type {found.type}, wanted one of type {kind} (known: {', '.join(known) or 'none'})",
            {"wanted": kind, "found": found.type, "known": list(known)},
        )
    return found


def connector_missing(connectors: Mapping[str, Connector], *, kind: str, where: str) -> Invalid:
    """For whoever gave none where one is needed."""
    known = known_connectors(connectors, kind=kind)
    return Invalid(
        f"{where} needs a connector of type {kind} (known: {', '.join(known) or 'none'})",
        {"wanted": "a connector", "found": None, "known": list(known)},
    )


def known_connectors(connectors: Mapping[str, Connector], *, kind: str) -> Sequence[str]:
    return sorted(name for name, found in connectors.items() if found.type == kind)
