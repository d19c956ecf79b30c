"""Files of web servers: one for each URL, through fsspec and past the guard."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, cast

from yarl import URL

from evalbus.datasets.connectors import HttpsConnector
from evalbus.datasets.remote import RemoteAccess
from evalbus.datasets.remote_faults import Unreachable, patiently
from evalbus.datasets.remote_file import BLOCK_BYTES, RemoteFile
from evalbus.datasets.web_guard import WebGuard
from evalbus.errors import Invalid, NotAllowed, Refused
from evalbus.extras import imported
from evalbus.outside.addresses import check_url, parse_url

LOOKING_PAUSES_SECONDS = (0.5, 1.0)


def shown_url(source: str) -> str:
    """A URL for a person: without the query, which may hold a signature; raises Invalid for what is none."""
    try:
        return str(parse_url(source).with_query(None).with_fragment(None))
    except Invalid as error:
        plain = source.partition("?")[0].partition("#")[0].rpartition("@")[2]
        raise Invalid(f"source {plain!r}: {error.message}", error.data) from None


def find_on_the_web(
    source: str, *, connector: HttpsConnector | None, access: RemoteAccess
) -> RemoteFile:
    """The file as it is now; raises Invalid, NotAllowed or NotFound that names the source without its query."""
    shown = shown_url(source)
    try:
        check_url(source, allow_private=access.allow_private)
        files = _files(source, shown, connector, access)
        info = patiently(lambda: files.info(source), pauses=LOOKING_PAUSES_SECONDS)
    except Refused as refusal:
        raise type(refusal)(f"source {shown!r}: {refusal.message}", refusal.data) from None
    except Unreachable as error:
        raise Invalid(f"source {shown!r}: {error}", {"found": shown}) from None
    return RemoteFile(
        shown=shown,
        name=parse_url(source).name,
        path=source,
        files=files,
        size=info["size"],
        mtime_ns=_nanoseconds(info.get("Last-Modified")),
        etag=info.get("ETag"),
    )


def _files(source: str, shown: str, connector: HttpsConnector | None, access: RemoteAccess) -> Any:
    http = imported("fsspec.implementations.http", extra="server", what="reading URLs")
    guard = WebGuard(
        shown=shown,
        allow_private=access.allow_private,
        secret_headers={} if connector is None else _secret_headers(connector, access),
        origin=None if connector is None else _origin(source, connector),
    )
    return http.HTTPFileSystem(
        get_client=guard.session,
        block_size=BLOCK_BYTES,
        cache_type="readahead",
        # What is quoted already is sent as it stands: a signature may depend on it.
        encoded="%" in source,
        skip_instance_cache=True,
    )


def _origin(source: str, connector: HttpsConnector) -> URL:
    """Raises NotAllowed unless the source lies below the connector's own URL."""
    base, url = parse_url(connector.endpoint_url), parse_url(source)
    folder = base.path.rstrip("/") + "/"
    if url.origin() != base.origin() or not url.path.startswith(folder):
        raise NotAllowed(
            f"its connector is for files below {base} only",
            {"wanted": f"a URL below {base}", "found": shown_url(source)},
        )
    return url.origin()


def _secret_headers(connector: HttpsConnector, access: RemoteAccess) -> dict[str, str]:
    base = parse_url(connector.endpoint_url)

    def value(name: str) -> str:
        found = access.secrets.find(name, host=cast("str", base.host), port=cast("int", base.port))
        return found.get_secret_value()

    headers = {header: value(name) for header, name in connector.headers.items()}
    if connector.token_secret is not None:
        headers["Authorization"] = f"Bearer {value(connector.token_secret)}"
    return headers


def _nanoseconds(last_modified: str | None) -> int:
    if last_modified is None:
        return 0
    try:
        moment = parsedate_to_datetime(last_modified)
    except ValueError:
        return 0
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 1_000_000_000
