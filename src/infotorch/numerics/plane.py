"""Distances to the k-th nearest point of the plane, exact, in float64."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from infotorch.numerics.compiled import in_threads, plane_loops
from infotorch.numerics.trees import nearest_by_tree

# Of n points some root of n lie as near in y as the k-th neighbour, side by side in memory: up to so many points, going
# through them is faster than a tree (measured, normal scores of independent and of dependent variables).
_MOST_POINTS = 100_000


def plane_radii(columns: Tensor, y: Tensor, k: int) -> Tensor:
    """Chebyshev distance of each point (x_i, y_i) to its k-th nearest other point, for many columns x beside one y.

    Args:
        columns: float64, (d, n), in the order of y.
        y: float64, ascending, (n,), n > k.
        k: which neighbour.

    Returns:
        (d, n).

    Example:
        >>> y = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
        >>> plane_radii(torch.stack([y, y.flip(0)]), y, 1).tolist()
        [[1.0, 1.0, 2.0], [2.0, 2.0, 2.0]]
    """
    loops = plane_loops() if len(y) <= _MOST_POINTS else None
    if loops is None:
        found = [nearest_by_tree([x[:, None], y[:, None]], k, "chebyshev")[0][:, -1] for x in columns]
        return torch.stack(found)
    xs, ys = columns.cpu().contiguous().numpy(), y.cpu().contiguous().numpy()
    radius = np.empty(xs.shape)
    in_threads(lambda j: loops.plane_radii(xs[j], ys, k, 0, len(ys), radius[j]), list(range(len(xs))))
    return torch.from_numpy(radius).to(y.device)
