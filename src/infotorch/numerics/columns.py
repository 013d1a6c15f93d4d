"""Complex features as real ones."""

from __future__ import annotations

import torch
from torch import Tensor


def as_real(values: Tensor) -> Tensor:
    """Real and imaginary parts side by side along the second axis; what is real already stays as it is.

    Args:
        values: (n, d, ...).

    Returns:
        (n, 2 d, ...) of complex values: a bijection, so that no information is lost.

    Example:
        >>> as_real(torch.tensor([[1 + 2j]])).tolist()
        [[1.0, 2.0]]
    """
    return torch.cat([values.real, values.imag], dim=1) if values.is_complex() else values
