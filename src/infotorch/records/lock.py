"""One writer a directory: a lock of the operating system, free as soon as its holder is gone, be it by SIGKILL."""

from __future__ import annotations

import os
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from infotorch.records.files import check_own, naming

if sys.platform == "win32":
    import msvcrt

    def _flock(file: BinaryIO) -> None:
        file.seek(1 << 20)  # far from the process id, which others read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _flock(file: BinaryIO) -> None:
        # Not lockf: this lock is of the opened file, and keeps a second thread of the process out too.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


#: Holds the writer's process id while a directory is written; what a kill leaves of it locks nothing.
LOCK = ".lock"


@contextmanager
def sole_writer(directory: Path) -> Iterator[None]:
    """Be the only one that writes a directory. Those that only read it are not kept out.

    The directory is made where it is missing, and goes again if nothing was written there.

    Raises:
        FileExistsError: the directory is a file.
        BlockingIOError: another process, or another thread of this one, is writing there.
        ValueError: in place of the lock is a link, or no file.

    Example:
        >>> import tempfile
        >>> directory = Path(tempfile.mkdtemp()) / "run"
        >>> with sole_writer(directory):
        ...     print(directory.exists(), is_empty(directory))
        True True
        >>> directory.exists()
        False
    """
    if _is_a_file(directory):
        raise FileExistsError(f"{directory} is a file, and a run needs a directory.")
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    file = _take(directory)
    try:
        yield
    finally:
        _leave(directory / LOCK, file)
        with suppress(OSError):  # something was written
            for path in made:
                path.rmdir()


def is_empty(directory: Path) -> bool:
    """Whether a directory holds nothing but a lock.

    Example:
        >>> import tempfile
        >>> is_empty(Path(tempfile.mkdtemp()))
        True
    """
    return all(path.name == LOCK for path in directory.iterdir())


def _is_a_file(path: Path) -> bool:
    """Asked once: between two questions another writer may take its directory away."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _take(directory: Path) -> BinaryIO:
    path = directory / LOCK
    while True:
        # A holder that leaves takes its file away, and its directory if nothing was written: then once more.
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            if _is_a_file(directory):
                raise
            continue
        with suppress(FileNotFoundError), naming(path), ExitStack() as opened:
            check_own(path)
            file = opened.enter_context(path.open("a+b", buffering=0))
            if not _lock(file, directory):
                raise BlockingIOError(_refusal(directory, file))
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                file.truncate(0)
                file.write(str(os.getpid()).encode())
                opened.pop_all()
                return file


def _lock(file: BinaryIO, directory: Path) -> bool:
    """Whether the lock is ours now."""
    try:
        _flock(file)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        told = f"{directory}: its file system has no locks ({error.strerror}); see that no other process writes there."
        warnings.warn(told, stacklevel=2)
    return True


def _leave(path: Path, file: BinaryIO) -> None:
    if sys.platform == "win32":  # where nothing can be removed while it is open
        file.close()
    with suppress(OSError):
        path.unlink()
    file.close()


def _refusal(directory: Path, file: BinaryIO) -> str:
    file.seek(0)
    holder = file.read(20).decode(errors="replace")
    who = "another thread of this process" if holder == str(os.getpid()) else f"another process (pid {holder or '?'})"
    return f"{directory} is being written by {who}; wait until it ends, or choose another --out."
