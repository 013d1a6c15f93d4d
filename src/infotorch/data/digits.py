"""The digits that come with scikit-learn: real data without a download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from infotorch.data.assembly import Raw
from infotorch.data.sets import Split
from infotorch.data.splits import holdout
from infotorch.numerics.seeds import seed_streams

_TEST_FRACTION = 0.2
_VALIDATION_FRACTION = 0.15
# The set has no official split. One fixed draw serves as the test set, so that results of all seeds are comparable.
_TEST_SEED = 0


def read_digits(paths: Mapping[str, Path], seed: int) -> Raw:
    """1,797 images of 8 x 8, scaled to [0, 1].

    Args:
        paths: unused, nothing is read from disk.
        seed: unused, the test samples are the same for every seed.
    """
    del paths, seed
    from sklearn.datasets import load_digits

    rows, target = load_digits(return_X_y=True)
    # scikit-learn counts ink from 0 to 16.
    images = torch.from_numpy(np.asarray(rows)).float().div_(16).reshape(-1, 1, 8, 8)
    labels = torch.from_numpy(np.asarray(target)).long()
    count = round(_TEST_FRACTION * len(labels))
    kept, held = holdout(labels, count, seed_streams(_TEST_SEED).generator("test split"))
    every = Split(images, labels)
    note = f"No official split: {count} test samples, stratified, the same for every seed."
    return Raw("images", every.select(kept), every.select(held), 10, note, validation=_VALIDATION_FRACTION)
