"""How buckets are reached: S3 and whatever speaks like it, and Google Cloud Storage."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar, cast

from aiohttp import TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver

from evalbus.datasets.connectors import GsConnector, S3Connector
from evalbus.datasets.remote import RemoteAccess
from evalbus.errors import Invalid
from evalbus.extras import imported
from evalbus.outside.addresses import check_url, parse_url
from evalbus.outside.connector import GuardedResolver, guarded_connector

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 20.0

AMAZON = "https://s3.amazonaws.com"
GOOGLE = "https://storage.googleapis.com"

T = TypeVar("T")

GoogleScope = Literal["read_only", "read_write"]
"""What a key of Google's is asked to allow."""


def s3_files(connector: S3Connector, access: RemoteAccess) -> Any:
    """An fsspec file system; raises Refused for an address or a secret that cannot be had."""
    s3fs = imported("s3fs", extra="s3", what="reaching s3://")
    return s3fs.S3FileSystem(**s3_options(connector, access))


def gs_files(
    connector: GsConnector, access: RemoteAccess, *, scope: GoogleScope = "read_only"
) -> Any:
    """An fsspec file system; raises Refused for an address or a secret that cannot be had."""
    # Not the one that the package itself offers: that asks by ways of its own, past every guard.
    gcsfs = imported("gcsfs.core", extra="gs", what="reaching gs://")
    return gcsfs.GCSFileSystem(**gs_options(connector, access, scope=scope))


def s3_options(connector: S3Connector, access: RemoteAccess) -> dict[str, Any]:
    """What s3fs is told."""
    endpoint = connector.endpoint_url
    find = _finder(endpoint or AMAZON, access)

    async def resolver() -> AbstractResolver:
        return GuardedResolver(ThreadedResolver(), allow_private=access.allow_private)

    config: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": SILENCE_SECONDS,
        "connector_args": {"resolver": _in_its_loop(resolver)},
    }
    if endpoint is not None:
        # A bucket's name before the host's is what few but Amazon understand.
        config["s3"] = {"addressing_style": "path"}
        # Nor checksums behind the content, where nobody asked for them.
        config["request_checksum_calculation"] = "when_required"
    return {
        "anon": connector.anonymous,
        "key": find(connector.key_secret),
        "secret": find(connector.secret_secret),
        "token": find(connector.token_secret),
        "endpoint_url": endpoint,
        "client_kwargs": {} if connector.region is None else {"region_name": connector.region},
        "config_kwargs": config,
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }


def gs_options(
    connector: GsConnector, access: RemoteAccess, *, scope: GoogleScope = "read_only"
) -> dict[str, Any]:
    """What gcsfs is told."""
    endpoint = connector.endpoint_url or GOOGLE
    find = _finder(endpoint, access)

    async def connections() -> TCPConnector:
        return guarded_connector(allow_private=access.allow_private)

    return {
        "token": _google_token(find(connector.token_secret), connector.token_secret),
        "endpoint_url": endpoint,
        "project": "",
        "access": scope,
        "version_aware": True,
        "session_kwargs": {"connector": _in_its_loop(connections)},
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }


def _google_token(value: str | None, name: str | None) -> object:
    if value is None:
        return "anon"
    if not value.startswith("{"):
        credentials = imported("google.oauth2.credentials", extra="gs", what="reaching gs://")
        return cast("object", credentials.Credentials(value))
    try:
        return cast("object", json.loads(value))
    except ValueError:
        raise Invalid(f"secret {name}: neither an access token nor the JSON of a key") from None


def _finder(endpoint: str, access: RemoteAccess) -> Callable[[str | None], str | None]:
    """Secrets by name, for one host; raises Refused if that may not be reached."""
    check_url(endpoint, allow_private=access.allow_private)
    url = parse_url(endpoint)

    def find(name: str | None) -> str | None:
        if name is None:
            return None
        host, port = cast("str", url.host), cast("int", url.port)
        return access.secrets.find(name, host=host, port=port).get_secret_value()

    return find


def _in_its_loop(make: Callable[[], Coroutine[None, None, T]]) -> T:
    """Made in the loop that fsspec connects from: what belongs to another one could not be waited for there."""
    asyn = imported("fsspec.asyn", extra="server", what="reaching buckets")
    return cast("T", asyn.sync(asyn.get_loop(), make))
