"""Matrices of numbers in a MATLAB file, and nothing else: scipy's reader of them can be ended by a flipped bit.

Source: MathWorks, "MAT-File Format", level 5: a header of 128 bytes, then elements of a tag (type, bytes) and data.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from infotorch.data.reading import explained, read_bytes

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = range(6, 16)  # double to uint64; before them come cells, structures, objects, texts and sparse matrices
_COMPLEX = 0x800
_LARGEST = 1 << 26  # bytes of what compressed elements may hold together


def read_matrices(path: Path) -> dict[str, np.ndarray]:
    """The real matrices in a MATLAB file of level 5, compressed or not, by their names; others are passed over.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another kind of file, or damaged.

    Example:
        >>> import tempfile
        >>> from scipy.io import savemat
        >>> path = Path(tempfile.mkdtemp()) / "bits.mat"
        >>> savemat(path, {"F": np.eye(2)})
        >>> read_matrices(path)["F"].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    content = read_bytes(path)
    order = {b"IM": "<", b"MI": ">"}.get(content[_HEADER - 2 : _HEADER])
    if not content.startswith(b"MATLAB 5.0") or order is None:
        raise ValueError(f"{path} is not a MATLAB file of level 5.")
    try:
        return dict(_matrices(memoryview(content)[_HEADER:], order))
    # Of the tags or of zlib: a damaged file may hold any bytes at all.
    except Exception as error:
        raise ValueError(f"{path} is not a complete MATLAB file: {explained(error)}.") from error


def _matrices(content: memoryview, order: str) -> Iterator[tuple[str, np.ndarray]]:
    left = _LARGEST
    for kind, data in _elements(content, order):
        if kind == _COMPRESSED:
            stream = zlib.decompressobj()
            unpacked = stream.decompress(data, left)
            left -= len(unpacked)
            if not stream.eof or left <= 0:
                raise ValueError(f"compressed elements that are cut short, or hold more than {_LARGEST:,} bytes")
            kind, data = next(_elements(memoryview(unpacked), order))
        found = _matrix(data, order) if kind == _MATRIX else None
        if found is not None:
            yield found


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and data of every element, one after the other."""
    start = 0
    while start < len(content):
        kind, size = np.frombuffer(content[start : start + 8], f"{order}u4").tolist()
        first, end = start + 8, start + 8 + size
        if kind >> 16:  # up to four bytes stand in the tag itself
            kind, size, first = kind & 0xFFFF, kind >> 16, start + 4
            end = first + min(size, 4)
        if end > len(content) or end - first != size:
            raise ValueError("an element that is cut short")
        yield kind, content[first:end]
        # Elements begin at multiples of eight bytes, but for what follows a compressed one.
        start = end if kind == _COMPRESSED else start + 8 * math.ceil((end - start) / 8)


def _matrix(data: memoryview, order: str) -> tuple[str, np.ndarray] | None:
    """Name and values of a matrix; None where it is none of real numbers."""
    parts = _elements(data, order)
    flags = int(np.frombuffer(next(parts)[1], f"{order}u4")[0])
    if (flags & 0xFF) not in _CLASSES or flags & _COMPLEX:
        return None
    shape = np.frombuffer(next(parts)[1], f"{order}i4").tolist()
    name = bytes(next(parts)[1]).decode("ascii")
    kind, raw = next(parts)
    values = np.frombuffer(raw, f"{order}{_NUMBERS[kind]}")
    if min(shape) < 0 or math.prod(shape) != len(values):
        raise ValueError(f"a matrix of shape {shape} with {len(values)} values")
    return name, values.reshape(shape, order="F")
