"""Files of buckets: S3 and whatever speaks like it, and Google Cloud Storage."""

import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime
from glob import has_magic
from pathlib import PurePosixPath
from typing import Any, TypeVar, cast

from aiohttp import TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver

from evalbus.datasets.connectors import GsConnector, S3Connector
from evalbus.datasets.places import FILES_MAX
from evalbus.datasets.remote import RemoteAccess
from evalbus.datasets.remote_faults import Unreachable, patiently
from evalbus.datasets.remote_file import RemoteFile
from evalbus.errors import Invalid, NotFound, OverLimit
from evalbus.extras import imported
from evalbus.outside.addresses import check_url, parse_url
from evalbus.outside.connector import GuardedResolver, guarded_connector

LOOKING_PAUSES_SECONDS = ()
"""Both libraries try again by themselves, for half a minute."""
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 20.0

AMAZON = "https://s3.amazonaws.com"
GOOGLE = "https://storage.googleapis.com"

T = TypeVar("T")

Info = Mapping[str, Any]
"""What fsspec knows of a file."""


def s3_files(connector: S3Connector, access: RemoteAccess) -> Any:
    """An fsspec file system; raises Refused for an address or a secret that cannot be had."""
    s3fs = imported("s3fs", extra="s3", what="reading s3://")
    return s3fs.S3FileSystem(**s3_options(connector, access))


def gs_files(connector: GsConnector, access: RemoteAccess) -> Any:
    """An fsspec file system; raises Refused for an address or a secret that cannot be had."""
    # Not the one that the package itself offers: that asks by ways of its own, past every guard.
    gcsfs = imported("gcsfs.core", extra="gs", what="reading gs://")
    return gcsfs.GCSFileSystem(**gs_options(connector, access))


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


def gs_options(connector: GsConnector, access: RemoteAccess) -> dict[str, Any]:
    """What gcsfs is told."""
    endpoint = connector.endpoint_url or GOOGLE
    find = _finder(endpoint, access)

    async def connections() -> TCPConnector:
        return guarded_connector(allow_private=access.allow_private)

    return {
        "token": _google_token(find(connector.token_secret), connector.token_secret),
        "endpoint_url": endpoint,
        "project": "",
        "access": "read_only",
        "version_aware": True,
        "session_kwargs": {"connector": _in_its_loop(connections)},
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }


def _google_token(value: str | None, name: str | None) -> object:
    if value is None:
        return "anon"
    if not value.startswith("{"):
        credentials = imported("google.oauth2.credentials", extra="gs", what="reading gs://")
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
    asyn = imported("fsspec.asyn", extra="server", what="reading buckets")
    return cast("T", asyn.sync(asyn.get_loop(), make))


def find_in_bucket(
    source: str, files: Any, *, is_wanted: Callable[[str], bool]
) -> list[RemoteFile]:
    """The file, those of the folder that are wanted, or those of the glob; at least one, sorted by name.

    Raises NotFound, Invalid or OverLimit that names the source.
    """
    scheme, _, path = source.partition("://")
    path = path.rstrip("/")
    if not path or has_magic(path.partition("/")[0]):
        raise Invalid(f"source {source!r} names no bucket", {"wanted": f"{scheme}://bucket/…"})
    try:
        infos = patiently(lambda: _infos(files, path, is_wanted), pauses=LOOKING_PAUSES_SECONDS)
    except Unreachable as error:
        raise Invalid(f"source {source!r}: {error}", {"found": source}) from None
    if not infos:
        raise NotFound(f"source {source!r} names no file", {"wanted": "a file", "found": source})
    if len(infos) > FILES_MAX:
        raise OverLimit(f"source {source!r} names more than {FILES_MAX} files")
    return [_file(info, scheme, files) for info in sorted(infos, key=_name)]


def _infos(files: Any, path: str, is_wanted: Callable[[str], bool]) -> list[Info]:
    # A name with brackets in it is a name first, and a pattern only if there is no such file.
    info = _info(files, path)
    if info is None:
        found: Iterable[Info] = files.glob(path, detail=True).values() if has_magic(path) else ()
        # As everywhere: a star stands for no hidden name, unless hidden ones are asked for.
        shows_hidden = _has_hidden(path)
        return [
            info
            for info in found
            if _is_file(info) and (shows_hidden or not _has_hidden(_name(info)))
        ]
    if _is_file(info):
        return [info]
    below: Iterable[Info] = files.find(path, detail=True).values()
    return [info for info in below if _is_file(info) and _is_shown(info, path, is_wanted)]


def _info(files: Any, path: str) -> Info | None:
    try:
        return cast("Info", files.info(path))
    except FileNotFoundError:
        return None


def _is_file(info: Info) -> bool:
    # What is called a folder in consoles is an empty file whose name ends in a slash.
    return info["type"] == "file" and not _name(info).endswith("/")


def _is_shown(info: Info, folder: str, is_wanted: Callable[[str], bool]) -> bool:
    below = PurePosixPath(_name(info)).relative_to(folder)
    return is_wanted(below.name) and not _has_hidden(str(below))


def _has_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _name(info: Info) -> str:
    return cast("str", info["name"])


def _file(info: Info, scheme: str, files: Any) -> RemoteFile:
    moment = info.get("LastModified") or info.get("mtime")
    # One version from the first byte to the last; S3 is asked for it by its etag.
    version = f"#{info['generation']}" if "generation" in info else ""
    return RemoteFile(
        shown=f"{scheme}://{_name(info)}",
        name=PurePosixPath(_name(info)).name,
        path=_name(info) + version,
        files=files,
        size=info["size"],
        mtime_ns=int(moment.timestamp() * 1_000_000_000) if isinstance(moment, datetime) else 0,
        etag=info.get("ETag") or info.get("etag"),
    )
