"""The documents on disk: written, and compared with what the code says today."""

from collections.abc import Mapping
from pathlib import Path


def write(documents: Mapping[str, bytes], folder: Path) -> None:
    """Afterwards the folder holds these JSON documents and no other."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in documents.items():
        (folder / name).write_bytes(body)
    for stale in folder.glob("*.json"):
        if stale.name not in documents:
            stale.unlink()


def differences(documents: Mapping[str, bytes], folder: Path) -> list[str]:
    """A sentence for each document that is missing, different or no longer made; none when all is well."""
    found = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    lines = [f"{folder / name} is missing" for name in documents if name not in found]
    lines += [f"{folder / name} is no longer made" for name in found if name not in documents]
    lines += [
        f"{folder / name} is not what the code says"
        for name, body in documents.items()
        if name in found and found[name] != body
    ]
    return sorted(lines)
