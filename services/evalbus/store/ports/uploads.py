"""Contents that a client sends page by page."""

from collections.abc import AsyncIterator
from typing import Protocol

from evalbus_schemas.catalogue import Upload, Uploaded


class UploadStore(Protocol):
    async def add(self, page: Upload) -> Uploaded:
        """Store a page behind those that are there; one that is there changes nothing.

        Raises Conflict for another size or for a page that leaves a gap, Invalid for a page that is no base64 or too
        long, and for a last page with which the content has another hash: then nothing of it is kept.
        """
        ...

    async def uploaded(self, sha256: str) -> Uploaded:
        """Nothing received for a content that nobody sent."""
        ...

    def pages(self, sha256: str) -> AsyncIterator[bytes]:
        """A complete content, in order; raises NotFound."""
        ...
