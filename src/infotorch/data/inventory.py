"""What stands behind `infotorch data list | get | check`. No torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from infotorch.data.catalogue import SOURCES, Kind, Source, find
from infotorch.data.fetch import FileStatus, as_laid_out, data_root, ensure, inspect


@dataclass(frozen=True)
class Entry:
    """One line of the list of data sets.

    Args:
        name: what `load` takes.
        kind: what it is.
        summary: one line for people.
        place: the folder that has its files, "embedded", "not here", or "incomplete: ..." with the folder.
        size: bytes of its files; 0 when embedded or not known.

    Example:
        >>> next(entry.size for entry in describe() if entry.name == "mnist")
        11594722
    """

    name: str
    kind: Kind
    summary: str
    place: str
    size: int


def describe(root: str | os.PathLike[str] | None = None) -> list[Entry]:
    """All listed data sets, and where they are; files are looked for, not verified.

    Args:
        root: the data folder; None: INFOTORCH_DATA, else the user's cache.

    Example:
        >>> next(entry.place for entry in describe() if entry.name == "digits")
        'embedded'
    """
    folder = data_root(root)
    return [Entry(s.name, s.kind, s.summary, _place(as_laid_out(s, folder), folder), s.size) for s in SOURCES.values()]


def _place(source: Source, root: Path) -> str:
    if source.embedded:
        return "embedded"
    if source.folder is not None:
        return str(root / source.folder) if (root / source.folder).is_dir() else "not here"
    there = [(root / file.path).is_file() for file in source.files]
    folder = (root / source.files[0].path).parent
    if all(there):
        return str(folder)
    return f"incomplete: {sum(there)} of {len(there)} files in {folder}" if any(there) else "not here"


def get(name: str, root: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Paths of a set's files, verified; those that are missing are downloaded first, with progress.

    Args:
        name: a listed set, see `names`.
        root: the data folder; None: INFOTORCH_DATA, else the user's cache.

    Raises:
        ValueError: an unknown name, or a damaged file.
        FileNotFoundError: a file is missing and cannot be downloaded.

    Example:
        >>> get("digits")
        ()
    """
    source, folder = find(name), data_root(root)
    if source.folder is None:
        return tuple(ensure(source, folder).values())
    if not (folder / source.folder).is_dir():
        raise FileNotFoundError(
            f"{source.name}: there is no folder {folder / source.folder}, and it cannot be downloaded without an "
            f"account: get it from {source.page} and unpack it there."
        )
    return (folder / source.folder,)


def check(name: str, root: str | os.PathLike[str] | None = None) -> tuple[FileStatus, ...]:
    """What is there of a set, file by file; nothing is changed.

    A set without listed files (imagenet) has one status for its folder; an embedded one has none.

    Args:
        name: a listed set, see `names`.
        root: the data folder; None: INFOTORCH_DATA, else the user's cache.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> check("digits")
        ()
    """
    source, folder = find(name), data_root(root)
    if source.folder is not None:
        path = folder / source.folder
        return (FileStatus(path, "ok" if path.is_dir() else "missing", 0, (), None),)
    return tuple(inspect(file, folder) for file in as_laid_out(source, folder).files)
