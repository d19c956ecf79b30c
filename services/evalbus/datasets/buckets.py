"""Files of buckets: which of them a source names."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from glob import has_magic
from pathlib import PurePosixPath
from typing import Any, cast

from evalbus.datasets.places import FILES_MAX
from evalbus.datasets.remote_faults import Unreachable, patiently
from evalbus.datasets.remote_file import RemoteFile
from evalbus.errors import Invalid, NotFound, OverLimit

LOOKING_PAUSES_SECONDS = ()
"""Both libraries try again by themselves, for half a minute."""

Info = Mapping[str, Any]
"""What fsspec knows of a file."""


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
