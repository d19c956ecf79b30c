"""Which files a source names, and whether they may be read."""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from evalbus.errors import Invalid, NotAllowed, NotFound, OverLimit

ROOTS_SETTING = "EVALBUS_DATASET_ROOTS"
FILES_MAX = 10_000


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file with its name for a person: as the source was written, without the folder that it starts from."""

    path: Path
    shown: str


def find_files(source: str, *, roots: tuple[Path, ...] | None, base: Path) -> list[Place]:
    """The files of a path or a glob, sorted by name; at least one.

    With `roots` a relative source is looked for below each of them, and nothing outside of them is ever looked at.
    Without them it starts from `base`. Raises NotFound, NotAllowed or Invalid, naming the source.
    """
    starts = (base,) if roots is None else roots
    if roots is not None:
        _check_below(source, roots)
    for start in starts:
        found = list(islice(_matches(source, start), FILES_MAX + 1))
        if len(found) > FILES_MAX:
            raise OverLimit(f"source {source!r} names more than {FILES_MAX} files")
        if found:
            return [_checked(place, source, roots) for place in sorted(found, key=_name)]
    where = "" if Path(source).is_absolute() else f" below {', '.join(map(str, starts))}"
    raise NotFound(f"source {source!r} names no file{where}", {"wanted": "a file", "found": source})


def _name(place: Place) -> str:
    return place.shown


def _matches(source: str, start: Path) -> Iterator[Place]:
    # A name with brackets in it is a name first, and a pattern only if there is no such file.
    if (start / source).exists():
        yield Place(path=start / source, shown=source)
    elif glob.has_magic(source):
        # Not Path.glob: it takes no absolute pattern, and a source may be one.
        for name in glob.iglob(source, root_dir=start, recursive=True):  # noqa: PTH207
            path = start / name
            if not path.is_dir():
                yield Place(path=path, shown=name)


def _check_below(source: str, roots: tuple[Path, ...]) -> None:
    """Refuse a source that leaves the roots by its wording alone, before anything is opened."""
    if not roots:
        raise NotAllowed(
            f"source {source!r} cannot be read: {ROOTS_SETTING} is empty, so no file may be named",
            {"wanted": "a source below a root", "found": source, "known": []},
        )
    for root in roots:
        plain = _plain(root / source)
        # A root may itself be known by two names, of which one is a link.
        if _is_below(plain, root) or _is_below(plain.resolve(), root.resolve()):
            return
    raise _outside(source, roots)


def _plain(path: Path) -> Path:
    """Without `..`, as the wording has it; links are not followed."""
    parts: list[str] = []
    for part in path.parts:
        if part != "..":
            parts.append(part)
        elif len(parts) > 1:
            parts.pop()
    return Path(*parts)


def _checked(place: Place, source: str, roots: tuple[Path, ...] | None) -> Place:
    if roots is not None:
        real = place.path.resolve()
        if not any(_is_below(real, root.resolve()) for root in roots):
            raise _outside(source, roots)
    if place.path.is_dir():
        raise Invalid(
            f"source {source!r} is a folder: name the files in it, for instance {source.rstrip('/')}/*.jsonl"
        )
    if not place.path.is_file():
        raise Invalid(f"source {source!r}: {place.shown} is not a regular file")
    return place


def _is_below(path: Path, root: Path) -> bool:
    return path.is_relative_to(root)


def _outside(source: str, roots: tuple[Path, ...]) -> NotAllowed:
    known = [str(root) for root in roots]
    return NotAllowed(
        f"source {source!r} lies outside the folders of {ROOTS_SETTING} ({', '.join(known)})",
        {"wanted": "a source below a root", "found": source, "known": list(known)},
    )
