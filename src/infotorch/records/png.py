"""PNG files without an imaging library."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def png(pixels: np.ndarray) -> bytes:
    r"""A PNG file.

    Args:
        pixels: 0 to 255, uint8, (height, width, 1) in grey or (height, width, 3) in colour.

    Raises:
        ValueError: another shape or type.

    Example:
        >>> import numpy as np
        >>> png(np.zeros((2, 3, 1), np.uint8))[:4]
        b'\x89PNG'
    """
    if pixels.dtype != "uint8" or pixels.ndim != 3 or pixels.shape[2] not in {1, 3} or not pixels.size:
        raise ValueError(
            f"png: pixels must be uint8 of shape (height, width, 1 or 3), got {pixels.dtype} of {pixels.shape}."
        )

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, channels = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)  # a zero before each: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
