"""Checkpoints: one file with a checksum, proved readable before it replaces the last, read without executing anything.

A crash at any moment leaves the old checkpoint or the new one, whole: the new one is written beside the old one,
flushed to the disk, read back and compared with its checksum, and only then takes its place.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import torch

from infotorch.records.files import check_regular, naming, open_partial, partial_file

_FILE = "state.pt"
#: What follows torch's own file: this word and 32 bytes of SHA-256 over all before. torch reads the file with it, too.
_MARK = b"infotorch checkpoint 1\n"
_TRAILER = len(_MARK) + hashlib.sha256().digest_size
_CHUNK = 2**20


def checkpoint_file(directory: Path) -> Path:
    """Where the checkpoint in `directory` lies."""
    return directory / _FILE


def ways_out(directory: Path) -> str:
    """What a person can do about a checkpoint that cannot be used, for the end of a message."""
    return f"Put a copy of it back; or delete {directory}, and --resume starts afresh; or choose another --out."


def save_checkpoint(directory: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint in `directory` by `state`: tensors, numbers, strings and containers of them.

    A crash at any moment leaves the old checkpoint or the new one.

    Raises:
        OSError: the new one cannot be written, or is not on the disk as it was written; the old one is still there.

    Example:
        >>> import tempfile
        >>> directory = Path(tempfile.mkdtemp())
        >>> save_checkpoint(directory, {"weight": torch.ones(2), "step": 3})
        >>> load_checkpoint(directory)["step"]
        3
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = checkpoint_file(directory)
    partial = partial_file(path)
    try:
        with naming(path), open_partial(path) as file:
            hashed = _Hashed(file)
            try:
                torch.save(state, hashed)  # pyright: ignore[reportArgumentType]  # all that torch asks for
            except RuntimeError as error:  # of a full disk torch says that its file has ended at another place
                raise hashed.failure or error from None
            file.write(_MARK + hashed.sha256.digest())
            file.flush()
            os.fsync(file.fileno())
        with partial.open("rb") as file:
            if not _is_whole(file):
                raise OSError(f"{partial} does not read as it was written: the disk may be failing; {path} was kept.")
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def has_checkpoint(directory: Path) -> bool:
    """Whether `directory` holds a checkpoint, be it a damaged one."""
    return os.path.lexists(checkpoint_file(directory))


def load_checkpoint(directory: Path, *, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The checkpoint in `directory`, its tensors on `device`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is damaged, or holds more than tensors and plain values; nothing of it has been executed.
    """
    path = checkpoint_file(directory)
    if check_regular(path, largest=None) is None:
        raise FileNotFoundError(f"{directory} holds no checkpoint.")
    with path.open("rb") as file:
        if not _is_whole(file):
            raise ValueError(f"{path} is damaged: its checksum does not match what it holds. {ways_out(directory)}")
        file.seek(0)
        try:
            state = torch.load(file, map_location=device, weights_only=True)
        # torch's reader meets whatever somebody has put there, and its own advice is to execute it.
        except Exception as error:
            raise ValueError(
                f"{path} is not a checkpoint of infotorch: it holds more than tensors and plain values "
                f"({type(error).__name__}). {ways_out(directory)}"
            ) from error
    if not isinstance(state, dict):
        raise ValueError(
            f"{path} is not a checkpoint of infotorch: it holds {type(state).__name__}. {ways_out(directory)}"
        )
    return state


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()
        self.failure: OSError | None = None

    def write(self, content: bytes) -> int:
        """Write and hash."""
        self.sha256.update(content)
        try:
            return self.file.write(content)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """Asked for by torch."""
        self.file.flush()


def _is_whole(file: BinaryIO) -> bool:
    """Whether the checksum at a file's end is that of all before it."""
    left = file.seek(0, os.SEEK_END) - _TRAILER
    if left <= 0:
        return False
    file.seek(left)
    kept = file.read()
    if not kept.startswith(_MARK):  # told before a terabyte of zeros is hashed
        return False
    file.seek(0)
    sha256 = hashlib.sha256()
    while left:
        chunk = file.read(min(_CHUNK, left))
        if not chunk:
            return False
        sha256.update(chunk)
        left -= len(chunk)
    return kept == _MARK + sha256.digest()
