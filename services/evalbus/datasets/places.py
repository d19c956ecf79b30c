"""Which files of this machine a source names, and whether they may be read."""

import glob
import os
from collections.abc import Callable, Iterator
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


IsWanted = Callable[[str], bool]
"""Whether a file of a folder belongs to the dataset, by its name."""


def find_files(
    source: str,
    *,
    roots: tuple[Path, ...] | None,
    base: Path,
    is_wanted: IsWanted = lambda _: True,
) -> list[Place]:
    """The files of a path, a folder or a glob, sorted by name; at least one.

    Of a folder these are all that are wanted, however deep; what begins with a dot is hidden. With `roots` a relative
    source is looked for below each of them, and nothing outside of them is ever looked at. Without them it starts
    from `base`. Raises NotFound, NotAllowed or Invalid, naming the source.
    """
    starts = (base,) if roots is None else roots
    if roots is not None:
        _check_below(source, roots)
    for start in starts:
        found = list(islice(_matches(source, start, roots, is_wanted), FILES_MAX + 1))
        if len(found) > FILES_MAX:
            raise OverLimit(f"source {source!r} names more than {FILES_MAX} files")
        if found:
            return [_checked(place, source, roots) for place in sorted(found, key=_name)]
    where = "" if Path(source).is_absolute() else f" below {', '.join(map(str, starts))}"
    raise NotFound(
        f"source {source!r} names no file{where}{_in_folder(source, starts)}",
        {"wanted": "a file", "found": source},
    )


def _in_folder(source: str, starts: tuple[Path, ...]) -> str:
    is_folder = any((start / source).is_dir() for start in starts)
    return " (the folder has none of a known format)" if is_folder else ""


def _name(place: Place) -> str:
    return place.shown


def _matches(
    source: str, start: Path, roots: tuple[Path, ...] | None, is_wanted: IsWanted
) -> Iterator[Place]:
    # A name with brackets in it is a name first, and a pattern only if there is no such file.
    path = start / source
    if path.is_dir():
        _check_real(path, source, roots)
        yield from _below(path, source, is_wanted)
    elif path.exists():
        yield Place(path=path, shown=source)
    elif glob.has_magic(source):
        # Not Path.glob: it takes no absolute pattern, and a source may be one.
        for name in glob.iglob(source, root_dir=start, recursive=True):  # noqa: PTH207
            path = start / name
            if not path.is_dir():
                yield Place(path=path, shown=name)


def _below(folder: Path, source: str, is_wanted: IsWanted) -> Iterator[Place]:
    # Links to folders are not followed: they may lead round in a circle.
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and is_wanted(name):
                yield Place(path=path, shown=str(Path(source, path.relative_to(folder))))


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
    _check_real(place.path, source, roots)
    if not place.path.is_file():
        raise Invalid(f"source {source!r}: {place.shown} is not a regular file")
    return place


def _check_real(path: Path, source: str, roots: tuple[Path, ...] | None) -> None:
    """Refuse what a link leads out of the roots to."""
    if roots is not None:
        real = path.resolve()
        if not any(_is_below(real, root.resolve()) for root in roots):
            raise _outside(source, roots)


def _is_below(path: Path, root: Path) -> bool:
    return path.is_relative_to(root)


def _outside(source: str, roots: tuple[Path, ...]) -> NotAllowed:
    known = [str(root) for root in roots]
    return NotAllowed(
        f"source {source!r} lies outside the folders of {ROOTS_SETTING} ({', '.join(known)})",
        {"wanted": "a source below a root", "found": source, "known": list(known)},
    )
