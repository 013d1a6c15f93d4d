"""MNIST and Fashion-MNIST: arrays in the IDX format, gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from infotorch.data.assembly import Raw
from infotorch.data.reading import LARGEST, check_file, explained
from infotorch.data.sets import Split

_UNSIGNED_BYTE = 0x08
_MOST_AXES = 8
_MOST_GZIP = 1032  # bytes of content in a byte of gzip, at the very most
_VALIDATION_ROWS = 5_000


def read_idx(path: Path) -> Tensor:
    """An IDX file of unsigned bytes, gzipped or not.

    Returns:
        uint8, of the shape that the header gives.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not gzip, cut short, not IDX, or more or fewer bytes than the header says; no more are unpacked.

    Source: LeCun, Cortes & Burges, "The MNIST database": magic 0, 0, type, axes; then big-endian sizes.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        >>> read_idx(path).tolist()
        [7, 9]
    """
    size = check_file(path)
    try:
        with path.open("rb") as file:
            if path.suffix != ".gz":
                return _read(file, path, largest=size)
            with gzip.open(file) as stream:
                return _read(stream, path, largest=min(LARGEST, _MOST_GZIP * size))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a complete gzip file: {explained(error)}.") from error


def _read(stream: BinaryIO | gzip.GzipFile, path: Path, *, largest: int) -> Tensor:
    """What the header asks for, unless that is more than the file can hold."""
    content = stream.read(4)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE or content[3] == 0:
        raise ValueError(
            f"{path} is not an IDX file of unsigned bytes: it starts with {content[:4].hex() or 'nothing'}."
        )
    if content[3] > _MOST_AXES:
        raise ValueError(f"{path} must have at most {_MOST_AXES} axes, got {content[3]}.")
    sizes = stream.read(4 * content[3])
    shape = tuple(int.from_bytes(sizes[k : k + 4], "big") for k in range(0, len(sizes), 4))
    needed = math.prod(shape)
    pixels = b"" if needed > largest else stream.read(needed)
    if len(sizes) != 4 * content[3] or len(pixels) != needed or stream.read(1):
        raise ValueError(f"{path} is cut short or too long: its header says {shape}, which is {needed:,} bytes.")
    return torch.from_numpy(np.frombuffer(pixels, dtype=np.uint8).reshape(shape).copy())


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
    note = f"Official split: {len(train)} training and {len(test)} test samples; validation is taken from training."
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
