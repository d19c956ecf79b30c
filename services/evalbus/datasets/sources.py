"""From where datasets may be read, and what stands behind each source that one names."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Self

from evalbus.datasets.base import Content
from evalbus.datasets.connectors import Connector, load_connectors
from evalbus.datasets.formats import is_known
from evalbus.datasets.local import LocalFile, UploadedFile
from evalbus.datasets.places import find_files
from evalbus.datasets.remote import RemoteAccess, find_remote
from evalbus.errors import Invalid, NotFound
from evalbus.outside.secrets import Secrets
from evalbus.settings import Settings
from evalbus_schemas.benchmark import Dataset

UNPACKED_BYTES_MAX = 64 * 1024**3

Uploads = Callable[[str], Path]
"""From a source `upload://<sha256>/<name>` to the copy of that file on this machine."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_UPLOAD: Final = re.compile(r"upload://([0-9a-f]{64})/([^/]+)")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What this process may read datasets from."""

    roots: tuple[Path, ...] | None
    """Folders below which files may be named; None means anywhere."""
    base: Path | None = None
    """Where relative sources start when there are no roots; by default the current folder."""
    connectors: Mapping[str, Connector] = field(default_factory=dict[str, Connector])
    secrets: Secrets = field(default_factory=Secrets)
    allow_private: bool = False
    unpacked_bytes_max: int = UNPACKED_BYTES_MAX
    uploads: Uploads | None = None

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        roots: tuple[Path, ...] | None,
        base: Path | None = None,
        uploads: Uploads | None = None,
    ) -> Self:
        """As the settings have it; reads the file with the connectors. Raises WrongSettings."""
        return cls(
            roots=roots,
            base=base,
            connectors=load_connectors(settings.connectors_file),
            secrets=Secrets.of(settings),
            allow_private=settings.allow_private_endpoints,
            unpacked_bytes_max=settings.source_bytes_max,
            uploads=uploads,
        )

    @property
    def remote(self) -> RemoteAccess:
        """What of it lies on other machines."""
        return RemoteAccess(
            connectors=self.connectors, secrets=self.secrets, allow_private=self.allow_private
        )


class Found(NamedTuple):
    """A file of a dataset."""

    content: Content
    name: str
    """What its format is told by."""


def find_contents(dataset: Dataset, sources: Sources) -> list[Found]:
    """The files of every source in turn, those of a folder or glob by name; raises Refused that names the source."""
    return [found for source in dataset.sources for found in _found(source, dataset, sources)]


def _found(source: str, dataset: Dataset, sources: Sources) -> list[Found]:
    match _scheme(source):
        case None:
            return _local(source, dataset, sources)
        case "upload":
            return [_uploaded(source, sources)]
        case scheme:
            files = find_remote(
                source,
                scheme=scheme,
                connector=dataset.connector,
                access=sources.remote,
                is_wanted=_wanted(dataset),
            )
            return [Found(file, file.name) for file in files]


def _scheme(source: str) -> str | None:
    """`s3` of `s3://…` and so on; None for a path."""
    named = _SCHEME.match(source)
    return None if named is None else named[1].lower()


def _local(source: str, dataset: Dataset, sources: Sources) -> list[Found]:
    places = find_files(
        source,
        roots=sources.roots,
        base=sources.base or Path.cwd(),
        is_wanted=_wanted(dataset),
    )
    return [
        Found(LocalFile(path=place.path, shown=place.shown), place.path.name) for place in places
    ]


def _wanted(dataset: Dataset) -> Callable[[str], bool]:
    """Of a folder: files of known formats, or all of them if the dataset says what they are."""
    return is_known if dataset.format is None else lambda _: True


def _uploaded(source: str, sources: Sources) -> Found:
    named = _UPLOAD.fullmatch(source)
    if named is None:
        raise Invalid(
            f"source {source!r} is no uploaded file",
            {"wanted": "upload://<sha256>/<name>", "found": source},
        )
    if sources.uploads is None:
        raise NotFound(
            f"source {source!r}: uploaded files are read by the service that they were uploaded to, not here",
            {"wanted": "a file", "found": source},
        )
    content_sha256, name = named.groups()
    file = UploadedFile(path=sources.uploads(source), shown=source, content_sha256=content_sha256)
    return Found(file, name)
