"""Whether numbers are finite, asked at every step of a training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def all_finite(tensors: Iterable[Tensor | None]) -> bool:
    """Whether no entry is NaN or infinite.

    Example:
        >>> all_finite([torch.ones(2), None]), all_finite([torch.tensor(float("inf"))])
        (True, False)
    """
    given = [t.detach() for t in tensors if t is not None]
    dense = [t.coalesce().values() if t.is_sparse else t for t in given]
    # A sum hands on NaN and infinity and is much faster; where it may have overflowed the entries are looked at.
    if not dense or bool(torch.stack([t.sum().isfinite() for t in dense]).all()):
        return True
    return all(bool(t.isfinite().all()) for t in dense)
