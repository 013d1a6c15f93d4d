"""CIFAR-10 and CIFAR-100: pickled batches of 32 x 32 colour images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from infotorch.data.assembly import Raw
from infotorch.data.sets import Split
from infotorch.data.unpickle import load_pickle

_SHAPE = (3, 32, 32)
_VALIDATION_ROWS = 5_000


def read_cifar10(paths: Mapping[str, Path], seed: int) -> Raw:
    """Five training batches and the official test batch.

    Args:
        paths: file name -> path.
        seed: unused, the split is official.

    Raises:
        ValueError: a file is damaged or does not hold what it should.
    """
    del seed
    batches = [read_batch(path, b"labels", 10) for name, path in sorted(paths.items()) if name != "test_batch"]
    train = Split(torch.cat([batch.x for batch in batches]), torch.cat([batch.y for batch in batches]))
    return _raw(train, read_batch(paths["test_batch"], b"labels", 10), 10)


def read_cifar100(paths: Mapping[str, Path], seed: int) -> Raw:
    """The official training and test files, with the 100 fine labels.

    Args:
        paths: file name -> path.
        seed: unused, the split is official.

    Raises:
        ValueError: a file is damaged or does not hold what it should.
    """
    del seed
    train, test = (read_batch(paths[part], b"fine_labels", 100) for part in ("train", "test"))
    return _raw(train, test, 100)


def _raw(train: Split, test: Split, num_classes: int) -> Raw:
    note = f"Official split: {len(train)} training and {len(test)} test samples; validation is taken from training."
    return Raw("images", train, test, num_classes, note, validation=_VALIDATION_ROWS)


def read_batch(path: Path, label_key: bytes, num_classes: int) -> Split:
    """One pickled batch as uint8 images (n, 3, 32, 32) and int64 labels (n,).

    Args:
        path: the file.
        label_key: b"labels" or b"fine_labels".
        num_classes: labels must lie in 0 .. num_classes - 1.

    Raises:
        ValueError: not a data pickle, no images of 3,072 bytes, or labels that do not belong to them.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; a row holds the red, green and
    blue planes one after the other.
    """
    content = load_pickle(path, encoding="bytes")
    if not isinstance(content, dict) or b"data" not in content or label_key not in content:
        raise ValueError(f"{path} is not a CIFAR batch: it must hold 'data' and {label_key.decode()!r}.")
    pixels, labels = content[b"data"], _integers(content[label_key], path)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise ValueError(f"{path} is not a CIFAR batch: 'data' must be bytes of shape (n, 3072).")
    if len(labels) != len(pixels):
        raise ValueError(f"{path} holds {len(pixels)} images and {len(labels)} labels.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f"{path} must hold labels 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}.")
    return Split(torch.from_numpy(pixels.reshape(-1, *_SHAPE)), torch.from_numpy(labels))


def _integers(values: object, path: Path) -> np.ndarray:
    # Lists in lists are refused before numpy sees them: a few of them, each named twice in the next, have no end.
    if isinstance(values, list | tuple) and all(type(value) is int and abs(value) < 2**31 for value in values):
        return np.array(values, dtype=np.int64)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return values.astype(np.int64).reshape(-1)
    raise ValueError(f"{path} is not a CIFAR batch: its labels are not integers.")
