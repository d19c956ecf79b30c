"""Which files of other machines a source names, and with what they are reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evalbus.datasets.base import Content
from evalbus.datasets.connectors import (
    Connector,
    GsConnector,
    HttpsConnector,
    S3Connector,
    connector_missing,
    find_connector,
)
from evalbus.errors import Invalid, unknown
from evalbus.extras import imported
from evalbus.outside.secrets import Secrets

SCHEMES = ("gs", "http", "https", "s3", "upload")


@dataclass(frozen=True, kw_only=True)
class RemoteAccess:
    """What this process may reach, and as whom."""

    connectors: Mapping[str, Connector]
    secrets: Secrets
    allow_private: bool


class RemoteContent(Content, Protocol):
    """A file somewhere else."""

    @property
    def name(self) -> str:
        """The last part of its path: what its format is told by."""
        ...


def find_remote(
    source: str,
    *,
    scheme: str,
    connector: str | None,
    access: RemoteAccess,
    is_wanted: Callable[[str], bool],
) -> Sequence[RemoteContent]:
    """The files of a URL: one of the web, or those of a bucket's folder or glob by name. It blocks.

    Raises Invalid, NotAllowed, NotFound or OverLimit that names the source; of a web address without its query,
    because there may be a signature in it.
    """
    imported("aiohttp", extra="server", what=f"reading {scheme}://")
    # Their libraries take half a second to load, and most datasets lie on a disk.
    if scheme in ("http", "https"):
        from evalbus.datasets.web import find_on_the_web, shown_url

        shown = shown_url(source)
        found = find_connector(
            connector, access.connectors, kind="https", where=f"source {shown!r}"
        )
        assert found is None or isinstance(found, HttpsConnector), "it is of that type"
        return [find_on_the_web(source, connector=found, access=access)]
    if scheme not in ("s3", "gs"):
        raise unknown("scheme", scheme, SCHEMES, where="source")
    if "@" in source.removeprefix(f"{scheme}://").partition("/")[0]:
        raise Invalid(
            f"a source of {scheme}:// has credentials in it: they would be kept with the benchmark; name a connector instead"
        )
    from evalbus.datasets.bucket_access import gs_files, s3_files
    from evalbus.datasets.buckets import find_in_bucket

    where = f"source {source!r}"
    found = find_connector(connector, access.connectors, kind=scheme, where=where)
    if found is None:
        raise connector_missing(access.connectors, kind=scheme, where=where)
    if isinstance(found, S3Connector):
        files = s3_files(found, access)
    else:
        assert isinstance(found, GsConnector), "it is of that type"
        files = gs_files(found, access)
    return find_in_bucket(source, files, is_wanted=is_wanted)
