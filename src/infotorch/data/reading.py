"""Files of data sets as they come from anywhere: ordinary files of a size that can be read, and errors of one line."""

from __future__ import annotations

from pathlib import Path

from infotorch.records.files import check_regular

#: Bytes of the largest file that is read whole, and of what a compressed one may hold; the largest of CIFAR has 155 MB.
LARGEST = 2 << 30
#: Bytes that samples may take in memory when they take more than their file, as one-hot columns do.
MEMORY_LIMIT = 4 << 30
_MESSAGE = 200  # characters of an error that another library raised over a damaged file


def check_file(path: Path, *, largest: int | None = LARGEST) -> int:
    """The size in bytes of a regular file; a pipe would wait for ever, and a device may never end.

    Raises:
        FileNotFoundError: there is nothing of that name.
        ValueError: a folder, a pipe or a device; or more than `largest` bytes.

    Example:
        >>> check_file(Path("nowhere"))
        Traceback (most recent call last):
            ...
        FileNotFoundError: nowhere does not exist.
    """
    size = check_regular(path, largest=largest)
    if size is None:
        raise FileNotFoundError(f"{path} does not exist.")
    return size


def read_bytes(path: Path) -> bytes:
    """The content of an ordinary file; raises as `check_file` does."""
    check_file(path)
    return path.read_bytes()


def read_text(path: Path) -> str:
    """The content of an ordinary file in ASCII.

    Raises:
        FileNotFoundError: as `check_file`.
        ValueError: as `check_file`, or other characters.
    """
    try:
        return read_bytes(path).decode("ascii")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: {error}.") from error


def from_home(path: Path) -> Path:
    """The path, with the home folder in place of "~".

    Raises:
        ValueError: this machine knows no such user, or no home folder of theirs.

    Example:
        >>> from_home(Path("data")).name
        'data'
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(
            f"data: {path.parts[0]} is no folder, as no home of this user is known; give the whole path."
        ) from None


def check_memory(size: int, what: str) -> None:
    """Refuse to fill more memory than samples may take.

    Args:
        size: bytes.
        what: would take them.

    Raises:
        ValueError: more than 4 GiB.

    Example:
        >>> check_memory(10**12, "toy: one-hot labels")
        Traceback (most recent call last):
            ...
        ValueError: toy: one-hot labels would take 931.3 GiB of memory, more than 4 GiB.
    """
    if size > MEMORY_LIMIT:
        raise ValueError(f"{what} would take {size / 2**30:.1f} GiB of memory, more than {MEMORY_LIMIT >> 30} GiB.")


def shown(value: object) -> str:
    """The start of a value, as an error quotes it.

    Example:
        >>> len(shown("a" * 10**6))
        60
    """
    return repr(value)[:60]


def explained(error: Exception) -> str:
    """What another library says of a damaged file, on one line of 200 printable characters at most.

    Example:
        >>> explained(KeyError("a" * 1000))[:12], explained(EOFError())
        ("KeyError: 'a", 'EOFError')
    """
    plain = isinstance(error, ValueError | OSError) and str(error)
    text = str(error) if plain else f"{type(error).__name__}: {error}".removesuffix(": ")
    return "".join(c if c.isprintable() else " " for c in text)[:_MESSAGE].rstrip(". ")
