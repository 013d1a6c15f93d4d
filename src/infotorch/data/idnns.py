"""The synthetic task of the information-plane papers: every pattern of 12 bits, with a fixed binary label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from infotorch.data.assembly import Raw
from infotorch.data.reading import check_file, explained
from infotorch.data.sets import Split
from infotorch.data.splits import holdout
from infotorch.numerics.seeds import seed_streams

_TEST_FRACTION = 0.1
_NAMES = ("F", "y")
_NUMBERS = {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_MOST_VALUES, _MOST_BYTES = 2**22, 2**20  # the published file has 49,152 values in 1,003 bytes


def read_idnns(paths: Mapping[str, Path], seed: int) -> Raw:
    """4,096 rows of 12 bits as float32 0 and 1, and their labels.

    There is no official split: a tenth is test and a tenth validation, stratified, drawn by `seed`.

    Args:
        paths: file name -> path.
        seed: decides the test rows (stream "test split").

    Raises:
        ValueError: not a MATLAB file with bits F (n, d) and labels y (n).

    Source: Shwartz-Ziv & Tishby 2017, arXiv:1703.00810, Sec. 3.1; file var_u.mat.
    """
    path = paths["var_u.mat"]
    bits, labels = _read_matlab(path)
    if bits.ndim != 2 or len(bits) != len(labels):
        raise ValueError(f"{path}: F and y must be paired row by row, got {bits.shape} and {len(labels)} labels.")
    if not (np.isin(bits, (0, 1)).all() and np.isin(labels, (0, 1)).all()):
        raise ValueError(f"{path}: F and y must hold 0 and 1 alone.")
    every = Split(torch.from_numpy(bits.astype(np.float32)), torch.from_numpy(labels.astype(np.int64)))
    count = round(_TEST_FRACTION * len(every))
    kept, held = holdout(every.y, count, seed_streams(seed).generator("test split"))
    names = tuple(f"bit {k + 1}" for k in range(bits.shape[1]))
    note = f"No official split: {count} test rows and as many for validation, stratified, drawn by the seed."
    return Raw("vectors", every.select(kept), every.select(held), 2, note, validation=count, feature_names=names)


def _read_matlab(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat, whosmat

    size = check_file(path)
    if size > _MOST_BYTES:
        raise ValueError(f"{path} must have at most {_MOST_BYTES:,} bytes, got {size:,}.")
    try:
        for name, shape, kind in whosmat(path, appendmat=False):
            # Cells, objects and sparse arrays ask for memory by their header alone.
            if name in _NAMES and (kind not in _NUMBERS or math.prod(shape) > _MOST_VALUES):
                raise ValueError(f"{name} must be at most {_MOST_VALUES:,} numbers, got {kind} of shape {shape}")
        content = loadmat(path, variable_names=_NAMES, appendmat=False)
        return np.asarray(content["F"]), np.asarray(content["y"]).reshape(-1)
    # scipy has no one error for a damaged file: it raises whatever the parser stumbles over.
    except Exception as error:
        raise ValueError(f"{path} is not a MATLAB file with F and y: {explained(error)}.") from error
