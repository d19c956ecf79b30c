"""Where an export may go: everything that can be known of a bucket before it is asked, and with what it is."""

import re
from dataclasses import dataclass
from typing import Final

from evalbus.datasets.bucket_access import gs_files, s3_files
from evalbus.datasets.connectors import (
    GsConnector,
    S3Connector,
    find_connector,
    known_connectors,
)
from evalbus.datasets.remote import RemoteAccess
from evalbus.errors import Invalid
from evalbus.exporting.configs import config_of_command
from evalbus.producer.buckets import BucketObject, BucketRefused, GoogleParts, S3Parts
from evalbus_schemas.base import JsonObject
from evalbus_schemas.exports import ExportJob

BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
KEY_BYTES_MAX = 1024

NOBODY = {
    "s3": S3Connector(type="s3", anonymous=True),
    "gs": GsConnector(type="gs", anonymous=True),
}
"""Without a connector a bucket of Amazon's or Google's is written as anybody may write it."""


@dataclass(frozen=True, kw_only=True)
class Place:
    scheme: str
    bucket: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Destinations:
    """What it raises says what is wrong with the destination, or with the connector, and which ones there are."""

    access: RemoteAccess

    def check(self, command: ExportJob) -> None:
        """Blocks, but asks nobody. Raises Invalid, NotAllowed, or NotFound for a secret that is not set."""
        config_of_command(command)
        self.open(command)

    def open(self, command: ExportJob) -> BucketObject:
        """Nothing is asked before something is written. Raises as `check` does."""
        place = place_of(command.destination)
        connector = find_connector(
            command.connector,
            self.access.connectors,
            kind=place.scheme,
            where=f"destination {command.destination!r}",
        )
        match connector or NOBODY[place.scheme]:
            case S3Connector() as found:
                return BucketObject(S3Parts(s3_files(found, self.access), place.bucket, place.key))
            case GsConnector() as found:
                files = gs_files(found, self.access, scope="read_write")
                return BucketObject(GoogleParts(files, place.bucket, place.key))
            case _:
                raise AssertionError("it is of the type of the destination")

    def explained(self, command: ExportJob, refused: BucketRefused) -> BucketRefused:
        """With the destination, and with the connectors that there are where one may be missing."""
        said = f"{command.destination}: {refused.message}"
        if refused.code != "not_allowed" or command.connector is not None:
            return BucketRefused(refused.code, said)
        kind = command.destination.partition(":")[0]
        known = ", ".join(known_connectors(self.access.connectors, kind=kind)) or "none"
        return BucketRefused(
            "connector_missing", f"{said}; it needs a connector of type {kind} (known: {known})"
        )


def place_of(destination: str) -> Place:
    """Raises Invalid."""
    scheme, _, path = destination.partition("://")
    bucket, _, key = path.partition("/")
    wanted: JsonObject = {"wanted": f"{scheme}://bucket/name", "found": destination}
    if "@" in bucket:
        raise Invalid(
            f"a destination of {scheme}:// has credentials in it: they would be kept; name a connector instead"
        )
    if not BUCKET.fullmatch(bucket):
        raise Invalid(f"destination {destination!r} names no bucket", wanted)
    if not key or key.endswith("/"):
        raise Invalid(f"destination {destination!r} is a folder: wanted the name of a file", wanted)
    # `..` would be taken out of the URL, and with it the bucket.
    if not {".", ".."}.isdisjoint(key.split("/")) or not key.isprintable():
        raise Invalid(f"destination {destination!r}: no object can have that name", wanted)
    if len(key.encode("utf-8", "replace")) > KEY_BYTES_MAX:
        raise Invalid(f"the name of the object has more than {KEY_BYTES_MAX} bytes", wanted)
    return Place(scheme=scheme, bucket=bucket, key=key)
