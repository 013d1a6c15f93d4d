"""MNIST and Fashion-MNIST: arrays in the IDX format, gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infotorch.data.assembly import Raw
from infotorch.data.sets import Split

_UNSIGNED_BYTE = 0x08
_VALIDATION_ROWS = 5_000


def read_idx(path: Path) -> Tensor:
    """An IDX file of unsigned bytes, gzipped or not.

    Returns:
        uint8, of the shape that the header gives.

    Raises:
        ValueError: not gzip, cut short, not IDX, or more or fewer bytes than the header says.

    Source: LeCun, Cortes & Burges, "The MNIST database": magic 0, 0, type, axes; then big-endian sizes.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        >>> read_idx(path).tolist()
        [7, 9]
    """
    content = _decompressed(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE or content[3] == 0:
        raise ValueError(
            f"{path} is not an IDX file of unsigned bytes: it starts with {content[:4].hex() or 'nothing'}."
        )
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[k : k + 4], "big") for k in range(4, start, 4))
    if len(content) != start + math.prod(shape):
        raise ValueError(f"{path} is cut short or too long: its header says {shape}, it holds {len(content)} bytes.")
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy())


def _decompressed(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a complete gzip file: {error}.") from error


def read_mnist(paths: Mapping[str, Path], seed: int) -> Raw:
    """The four files that MNIST and Fashion-MNIST share, with the official test set.

    Args:
        paths: file name -> path.
        seed: unused, the split is official.

    Raises:
        ValueError: a file is damaged, or images and labels do not belong together.
    """
    del seed
    train, test = (_paired(paths, part) for part in ("train", "t10k"))
    note = f"Official split: {len(train)} training and {len(test)} test rows; validation is taken from training."
    return Raw("images", train, test, num_classes=10, note=note, validation=_VALIDATION_ROWS)


def _paired(paths: Mapping[str, Path], part: str) -> Split:
    image_path, label_path = paths[f"{part}-images-idx3-ubyte.gz"], paths[f"{part}-labels-idx1-ubyte.gz"]
    images, labels = read_idx(image_path), read_idx(label_path)
    if images.ndim != 3:
        raise ValueError(f"{image_path} must hold grey images (n, h, w), got shape {tuple(images.shape)}.")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{label_path} must hold a label for each of {len(images)} images, got {tuple(labels.shape)}.")
    if labels.numel() and int(labels.max()) > 9:
        raise ValueError(f"{label_path} must hold labels 0 to 9, got {int(labels.max())}.")
    return Split(images.unsqueeze(1), labels.long())
