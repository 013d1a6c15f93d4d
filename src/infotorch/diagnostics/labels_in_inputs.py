"""Class labels that stand in the inputs, where no reordering of the labels would show that a module reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def labels_within(x: Any, y: Any) -> str:
    """Where x plainly holds class labels, as numbers or one-hot in neighbouring columns; "" where it does not.

    Example:
        >>> x, y = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
        >>> labels_within(x, y), labels_within(torch.cat([x, 2 * torch.eye(3)[y]], 1), y)
        ('', 'columns 5 to 7')
    """
    if not isinstance(x, Tensor | np.ndarray) or not isinstance(y, Tensor | np.ndarray):
        return ""
    rows = torch.as_tensor(x).detach().cpu().double().reshape(len(x), -1)
    classes = torch.as_tensor(y).detach().cpu()
    if classes.ndim != 1 or len(classes) != len(rows) or classes.is_floating_point() or len(classes.unique()) < 2:
        return ""
    for column in (rows == classes.double()[:, None]).all(0).nonzero().flatten().tolist():
        return f"column {column}"
    known = classes.clamp_min(0).long()
    wanted = torch.eye(int(known.max()) + 1, dtype=torch.double)[known]
    width, size = wanted.shape[1], rows.abs().amax(0)
    scaled = torch.where(size > 0, rows / size.clamp_min(1e-300), 0.0)
    for start in range(rows.shape[1] - width + 1):
        if torch.equal(scaled[:, start : start + width], wanted):
            return f"columns {start} to {start + width - 1}"
    return ""
