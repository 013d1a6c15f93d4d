"""Files that are whole at every moment, read only where they are regular files of a bounded size, and JSON without NaN.

A run directory may come from anywhere. What is read of it is bounded, and what it says is checked: see also `forms`.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

#: What JSON can hold.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

#: Bytes of a file, or of what a compressed one holds; the largest of a committed table has 8 MB.
LARGEST = 2**28
#: How deep JSON may be nested: a recipe needs five.
DEEPEST = 50
#: Digits of a whole number in JSON: enough for a seed of 64 bits.
_DIGITS = 20


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a reader, or a crash at any moment, sees the old file or the new one.

    What a crash leaves lies in a hidden file beside `path`, which the next write replaces.
    """
    write_together({path: content})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Replace several files that belong together, as `write_atomic` does: none before all are written beside them."""
    try:
        for path, content in files.items():
            # Not tempfile: its files are private to the user, and a report is there to be read.
            with naming(path), open_partial(path) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path in files:
            os.replace(partial_file(path), path)
    except BaseException:
        for path in files:
            partial_file(path).unlink(missing_ok=True)
        raise


def partial_file(path: Path) -> Path:
    """Where the content of `path` lies until it is whole."""
    return path.with_name(f".{path.name}.partial")


def open_partial(path: Path) -> BinaryIO:
    """The file of `partial_file`, new: a link that a stranger's directory has in its place leads anywhere."""
    partial_file(path).unlink(missing_ok=True)
    return partial_file(path).open("xb")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """A context in which an error of the operating system names the file: that of a full disk names none.

    Raises:
        OSError: the error, with the file's name.

    Example:
        >>> with naming(Path("run/outcome.json")):
        ...     raise OSError(28, "No space left on device")
        Traceback (most recent call last):
            ...
        OSError: [Errno 28] No space left on device: 'run/outcome.json'
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def check_own(path: Path) -> None:
    """Refuse a place that a file is going to be changed in, where it holds something else than a regular file.

    Raises:
        ValueError: it does; a link would have the file changed that it leads to, which may be anyone's.
    """
    if path.is_symlink():
        raise ValueError(
            f"{path} is a link, and what it leads to would be changed; put a copy in its place, or remove it."
        )
    check_regular(path, largest=None)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one JSON object, atomically."""
    write_atomic(path, (json.dumps(json_values(content), indent=2, ensure_ascii=False) + "\n").encode())


def read_regular(path: Path) -> bytes | None:
    """The content of a regular file, or None where there is nothing of that name.

    Raises:
        ValueError: it is something else, which may never end or never begin (a folder, a pipe, a device), or larger
            than `LARGEST`.
        OSError: it cannot be read.

    Example:
        >>> read_regular(Path("/dev/zero"))
        Traceback (most recent call last):
            ...
        ValueError: /dev/zero is damaged: it is no regular file; put the file back, or remove it.
    """
    if check_regular(path) is None:
        return None
    with path.open("rb") as file:
        return file.read(LARGEST)


def check_regular(path: Path, *, largest: int | None = LARGEST) -> int | None:
    """The size of a regular file in bytes, or None where there is nothing of that name.

    Raises:
        ValueError: as for `read_regular`.
        OSError: it cannot be looked at.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise ValueError(f"{path} is damaged: it is {what}; put the file back, or remove it.")
    if largest is not None and found.st_size > largest:
        raise ValueError(f"{path} is too large: it must have at most {largest:,} bytes, got {found.st_size:,}.")
    return found.st_size


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a JSON object; the message names it.
    """
    content = read_regular(path)
    if content is None:
        raise FileNotFoundError(f"{path} is missing.")
    return parse_json(content, where=path)


def parse_json(text: bytes, *, where: Path) -> dict[str, Any]:
    """One JSON object in UTF-8, of text that can be written again and numbers that are finite.

    Raises:
        ValueError: it is none, or nested deeper than `DEEPEST`; the message names the file `where`.

    Example:
        >>> parse_json(b"[1]", where=Path("run/outcome.json"))
        Traceback (most recent call last):
            ...
        ValueError: run/outcome.json is damaged: expected a JSON object, got list.
    """
    try:
        content = json.loads(text.decode(), parse_constant=_finite, parse_float=_finite, parse_int=_whole)
        _check_nested(content)
    except RecursionError:
        raise ValueError(f"{where} is damaged: it is nested deeper than {DEEPEST} levels.") from None
    except ValueError as error:
        raise ValueError(f"{where} is damaged: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{where} is damaged: expected a JSON object, got {type(content).__name__}.")
    return content


def parse_json_lines(text: bytes, *, where: Path) -> list[dict[str, Any]]:
    r"""The JSON objects of a file that has one a line; a last line that a crash cut short is left out.

    Raises:
        ValueError: a line is no JSON object; the message names the file `where` and the line.

    Example:
        >>> parse_json_lines(b'{"epoch": 1}\n{"epo', where=Path("run/metrics.jsonl"))
        [{'epoch': 1}]
    """
    lines = text.split(b"\n")[:-1]
    return [parse_json(line, where=Path(f"{where}, line {n},")) for n, line in enumerate(lines, start=1) if line]


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a number must be finite, got {text[:_DIGITS]}")
    return value


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS:
        raise ValueError(f"a whole number must have at most {_DIGITS} digits, got {len(text)}")
    return int(text)


def _check_nested(content: Any) -> None:
    level = [content]
    for _ in range(DEEPEST):
        below = [item for one in level for item in _inside(one)]
        for text in below:
            if isinstance(text, str) and not text.isascii():
                text.encode()  # half of a surrogate pair is no text that a page could hold
        level = [item for item in below if isinstance(item, list | dict)]
        if not level:
            return
    raise RecursionError


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def json_values(value: Any) -> Any:
    """The same with None for every float that is NaN or infinite, which JSON has no word for, and lists for tuples.

    Example:
        >>> json_values({"error": float("nan"), "sizes": (0.5, float("inf"))})
        {'error': None, 'sizes': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
