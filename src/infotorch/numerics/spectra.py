"""Eigenvalues that are found where the routine for the given precision gives up."""

from __future__ import annotations

import torch
from torch import Tensor


def eigenvalues(matrix: Tensor) -> Tensor:
    """Eigenvalues of a symmetric matrix, ascending, with their gradient.

    LAPACK's iteration now and then does not converge in float32 on kernel matrices, whose small eigenvalues are many
    and alike; those are then found in float64, and rounded.

    Args:
        matrix: (n, n), finite.

    Raises:
        torch.linalg.LinAlgError: it does not converge in float64 either.

    Example:
        >>> eigenvalues(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
        tensor([1., 3.])
    """
    try:
        return torch.linalg.eigvalsh(matrix)
    except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
        if matrix.dtype == torch.float64:
            raise
        return torch.linalg.eigvalsh(matrix.double()).to(matrix.dtype)
