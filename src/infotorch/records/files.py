"""Files that are whole at every moment, and JSON without NaN."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

#: What JSON can hold.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


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
            with partial_file(path).open("wb") as file:
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


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one JSON object, atomically."""
    write_atomic(path, (json.dumps(json_values(content), indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        ValueError: the file is not a JSON object; the message names it.
    """
    return parse_json(path.read_bytes(), where=path)


def parse_json(text: bytes, *, where: Path) -> dict[str, Any]:
    """One JSON object in UTF-8.

    Raises:
        ValueError: it is none; the message names the file `where`.

    Example:
        >>> parse_json(b"[1]", where=Path("run/outcome.json"))
        Traceback (most recent call last):
            ...
        ValueError: run/outcome.json is damaged: expected a JSON object, got list.
    """
    try:
        content = json.loads(text.decode())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{where} is damaged: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{where} is damaged: expected a JSON object, got {type(content).__name__}.")
    return content


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
