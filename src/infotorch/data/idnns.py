"""The synthetic task of the information-plane papers: every pattern of 12 bits, with a fixed binary label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from infotorch.data.assembly import Raw
from infotorch.data.matlab import read_matrices
from infotorch.data.sets import Split
from infotorch.data.splits import holdout
from infotorch.numerics.seeds import seed_streams

_TEST_FRACTION = 0.1


def read_idnns(paths: Mapping[str, Path], seed: int) -> Raw:
    """4,096 rows of 12 bits as float32 0 and 1, and their labels.

    There is no official split: a tenth is test and a tenth validation, stratified, drawn by `seed`.

    Args:
        paths: file name -> path.
        seed: decides the test samples (stream "test split").

    Raises:
        ValueError: not a MATLAB file with bits F (n, d) and labels y (n).

    Source: Shwartz-Ziv & Tishby 2017, arXiv:1703.00810, Sec. 3.1; file var_u.mat.
    """
    path = paths["var_u.mat"]
    found = read_matrices(path)
    if not {"F", "y"} <= set(found):
        raise ValueError(f"{path} is not a MATLAB file with matrices F and y.")
    bits, labels = found["F"], found["y"].reshape(-1)
    if bits.ndim != 2 or len(bits) != len(labels):
        raise ValueError(f"{path}: F and y must be paired row by row, got {bits.shape} and {len(labels)} labels.")
    if not (np.isin(bits, (0, 1)).all() and np.isin(labels, (0, 1)).all()):
        raise ValueError(f"{path}: F and y must hold 0 and 1 alone.")
    every = Split(torch.from_numpy(bits.astype(np.float32)), torch.from_numpy(labels.astype(np.int64)))
    count = round(_TEST_FRACTION * len(every))
    kept, held = holdout(every.y, count, seed_streams(seed).generator("test split"))
    names = tuple(f"bit {k + 1}" for k in range(bits.shape[1]))
    note = f"No official split: {count} test samples and as many for validation, stratified, drawn by the seed."
    return Raw("vectors", every.select(kept), every.select(held), 2, note, validation=count, feature_names=names)
