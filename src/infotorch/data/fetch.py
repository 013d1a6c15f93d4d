"""Files of a listed data set: found, verified, or downloaded from the publisher.

A file under its own name is always complete: a download happens in a hidden folder beside, is compared with the
checksum there, and is then moved. A file that is there and does not match its checksum is an error, and is left alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from infotorch.data.catalogue import Download, File, Source
from infotorch.data.reading import from_home

_BROKEN_ARCHIVE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, KeyError)
_NO_CONNECTION = {"ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError"}
_WORKPLACE, _ABANDONED_SECONDS = ".download-", 24 * 60 * 60
_TIMEOUT_SECONDS = (10, 60)  # to connect, and between two pieces


@dataclass(frozen=True)
class FileStatus:
    """What was found of one file.

    Args:
        path: where it was looked for.
        status: "ok", "missing" or "damaged" (there, with another checksum).
        size: bytes of the publisher's file.
        expected: the publisher's checksums; one of them must match.
        found: the checksum of the file that is there, "no regular file", or None.

    Example:
        >>> inspect(File("toy.txt", 3, ("md5:0",)), Path("nowhere")).status
        'missing'
    """

    path: Path
    status: Literal["ok", "missing", "damaged"]
    size: int
    expected: tuple[str, ...]
    found: str | None


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """The data folder: `root`, else INFOTORCH_DATA, else a folder in the user's cache.

    Raises:
        TypeError: root is no path.
        ValueError: it begins with the home folder of a user that is not known.

    Example:
        >>> data_root("sets").name
        'sets'
    """
    if root is not None and not isinstance(root, str | os.PathLike):
        raise TypeError(f"data: root must be a path, got {type(root).__name__}.")
    chosen = root if root is not None else os.environ.get("INFOTORCH_DATA")
    if chosen:
        return from_home(Path(chosen))
    import pooch

    return Path(pooch.os_cache("infotorch")) / "data"


#: What torch_geometric's users call the folder of a family.
_CLASSES = {"planetoid": "Planetoid", "tudataset": "TUDataset"}


def layouts(path: str) -> list[str]:
    """Where a file may lie below the data folder: our place first, then those of torchvision and torch_geometric.

    Example:
        >>> layouts("planetoid/Cora/raw/x")
        ['planetoid/Cora/raw/x', 'Cora/raw/x', 'Planetoid/Cora/raw/x', 'Cora/Cora/raw/x']
    """
    family, _, rest = path.partition("/")
    inside = [rest] if "/" in rest else []
    # torch_geometric makes a folder of the set's name in the root that it is given, which often has it, too.
    theirs = [f"{_CLASSES[family]}/{rest}", f"{rest.partition('/')[0]}/{rest}"] if family in _CLASSES else []
    return [path, *inside, *theirs]


def existing_layout(paths: Sequence[str], root: Path) -> list[str]:
    """The files of a set in the first layout that has them all; where none has, in our own."""
    for places in zip(*map(layouts, paths), strict=True):
        if all((root / place).exists() for place in places):
            return list(places)
    return list(paths)


def raw_folder(family: str, name: str, root: Path) -> Path:
    """Where the raw files of an unlisted set lie, whatever the case of its name; where there are none, our own place.

    Args:
        family: "planetoid" or "tudataset".
        name: of the set.
        root: the data folder.
    """
    for above in (root / family, root, root / _CLASSES[family]):
        for folder in _named(above, name):
            for inner in (folder, *_named(folder, name)):
                if (inner / "raw").is_dir():
                    return inner / "raw"
    return root / family / name / "raw"


def _named(above: Path, name: str) -> list[Path]:
    """Folders of this name in another one, whatever the case."""
    inside = sorted(above.iterdir()) if above.is_dir() else ()
    return [folder for folder in inside if folder.name.lower() == name.lower()]


def as_laid_out(source: Source, root: Path) -> Source:
    """The set with its files where they lie."""
    places = existing_layout([file.path for file in source.files], root)
    files = tuple(replace(file, path=place) for file, place in zip(source.files, places, strict=True))
    return replace(source, files=files)


def inspect(file: File, root: Path) -> FileStatus:
    """Compare one file with its checksum; a folder or a pipe in its place is a damaged file."""
    path = root / file.path
    if not path.exists():
        return FileStatus(path, "missing", file.size, file.checksums, None)
    if not path.is_file():
        return FileStatus(path, "damaged", file.size, file.checksums, "no regular file")
    found = _checksum(path, file.checksums)
    return FileStatus(path, "ok" if found in file.checksums else "damaged", file.size, file.checksums, found)


def _checksum(path: Path, checksums: tuple[str, ...]) -> str:
    algorithm = checksums[0].split(":")[0]
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def ensure(source: Source, root: Path, *, progress: bool = True) -> dict[str, Path]:
    """Verified paths of all files of a set, by file name; what is missing is downloaded.

    Args:
        source: a listed data set.
        root: the data folder.
        progress: show downloads on the standard error.

    Returns:
        File name (without folders) -> path.

    Raises:
        ValueError: a file is damaged, or what a publisher sent has the wrong checksum.
        FileNotFoundError: a file is missing and could not be downloaded.
    """
    source = as_laid_out(source, root)
    found = [inspect(file, root) for file in source.files]
    for status in found:
        if status.status == "damaged":
            raise ValueError(
                f"{source.name}: {status.path} is damaged: expected {' or '.join(status.expected)}, "
                f"got {status.found}. It was left as it is; delete it to download it again."
            )
    missing = [file for file, status in zip(source.files, found, strict=True) if status.status == "missing"]
    if missing:
        _download(source, missing, root, progress=progress)
    return {status.path.name: status.path for status in found}


def require_local(paths: Iterable[Path], *, name: str, page: str) -> None:
    """Raise FileNotFoundError unless all files of an unlisted set are there; nothing unverified is downloaded."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(
                f"{name}: {path.name} is not in {path.parent}. No checksum of this set is known, so it is not "
                f"downloaded: get it from {page} and put it there, or set INFOTORCH_DATA to the folder that has it."
            )


def _download(source: Source, missing: list[File], root: Path, *, progress: bool) -> None:
    with _workplace(source, missing[0], root) as workplace:
        for file in missing:
            arrived = _obtain(source, file, root, Path(workplace), progress=progress)
            (root / file.path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(arrived, root / file.path)


def _workplace(source: Source, file: File, root: Path) -> tempfile.TemporaryDirectory[str]:
    """A hidden folder beside the data, so that a finished file is moved and not copied."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(root)
        return tempfile.TemporaryDirectory(dir=root, prefix=_WORKPLACE)
    except OSError as error:
        reason = f"the folder {root} cannot be written to ({error.strerror})"
        raise FileNotFoundError(_absent(source, file, root, [reason])) from error


def _remove_abandoned(root: Path) -> None:
    """Remove the workplaces of processes that were killed: in them nothing has changed for a day."""
    for folder in root.glob(f"{_WORKPLACE}*"):
        with suppress(OSError):  # another process is faster, or the folder is another user's
            if time.time() - max(path.lstat().st_mtime for path in (folder, *folder.iterdir())) > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _obtain(source: Source, file: File, root: Path, workplace: Path, *, progress: bool) -> Path:
    """One verified file in the workplace, from the first place that has it."""
    problems: list[str] = []
    wrong = False
    for download in file.downloads:
        try:
            arrived = _retrieve(download, workplace, source.name, progress=progress)
        except _BROKEN_ARCHIVE as error:
            problems.append(f"{download.url} is not an archive with {download.member} in it ({error})")
            wrong = True
            continue
        except OSError as error:
            problems.append(f"{download.url}: {_reason(error)}")
            continue
        found = _checksum(arrived, file.checksums)
        if found in file.checksums:
            return arrived
        problems.append(f"{download.url} sent a wrong file: expected {' or '.join(file.checksums)}, got {found}")
        wrong = True
    message = _absent(source, file, root, problems)
    raise ValueError(message) if wrong else FileNotFoundError(message)


def _retrieve(download: Download, workplace: Path, name: str, *, progress: bool) -> Path:
    """Download once for each URL, and unpack the member where there is one."""
    label = hashlib.sha256(download.url.encode()).hexdigest()[:16]
    fetched = workplace / label
    if not fetched.exists():
        partial = workplace / f"{label}.part"
        _transfer(download.url, partial, name, progress=progress)
        os.replace(partial, fetched)
    if download.member is None:
        return fetched
    unpacked = workplace / f"{label}.member"
    _unpack(fetched, download.member, unpacked)
    return unpacked


def _transfer(url: str, target: Path, name: str, *, progress: bool) -> None:
    import pooch

    from infotorch.records.progress import download_bar

    # Some servers mark .gz files as compressed in transit; the checksum is of the file as it is published.
    options = {"timeout": _TIMEOUT_SECONDS, "headers": {"Accept-Encoding": "identity"}}
    with download_bar(f"{name}: {url}", show=progress) as bar:
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, **options)(url, str(target), None)


def _unpack(archive: Path, member: str, target: Path) -> None:
    """Copy one member to `target`; names inside the archive never become paths.

    Raises:
        KeyError: the archive has no such member.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed, packed.open(member) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)
        return
    with tarfile.open(archive) as packed:
        stream = packed.extractfile(member)
        if stream is None:
            raise KeyError(f"{member} is not a file")
        with stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)


def _reason(error: OSError) -> str:
    kind = type(error).__name__
    if kind in _NO_CONNECTION:
        return "no connection"
    if kind == "ChunkedEncodingError":
        return "the connection broke off"
    return f"{kind}: {str(error).splitlines()[0] if str(error) else 'no details'}"


def _absent(source: Source, file: File, root: Path, problems: list[str]) -> str:
    path = root / file.path
    tried = "; ".join(problems) or "no address is known"
    return (
        f"{source.name}: {path.name} is not in {path.parent} and could not be downloaded: {tried}. Get it by hand "
        f"(see {source.page}) and put it there, or set INFOTORCH_DATA to the folder that has it."
    )
