"""The k-th neighbour in the plane by going up and down one sorted coordinate, compiled by numba."""

from __future__ import annotations

import numpy as np

from infotorch.numerics.jit import compiled


@compiled
def plane_radii(x, y, k, start, stop, radius):
    """Write the Chebyshev distance to the k-th nearest other point, for the points start to stop.

    Args:
        x: shape (n,), in the order of y.
        y: ascending, shape (n,).
        k: which neighbour, below n.
        start: first point.
        stop: last point, not included.
        radius: output, (n,).
    """
    n, near = len(y), np.empty(k)
    for i in range(start, stop):
        near[:] = np.inf
        worst, a, b = np.inf, x[i], y[i]
        low, high = i - 1, i + 1
        below = b - y[low] if low >= 0 else np.inf
        above = y[high] - b if high < n else np.inf
        while min(below, above) < worst:
            if below <= above:
                distance = max(below, abs(x[low] - a))
                low -= 1
                below = b - y[low] if low >= 0 else np.inf
            else:
                distance = max(above, abs(x[high] - a))
                high += 1
                above = y[high] - b if high < n else np.inf
            if distance < worst:
                p = k - 1
                while p > 0 and near[p - 1] > distance:
                    near[p] = near[p - 1]
                    p -= 1
                near[p] = distance
                worst = near[k - 1]
        radius[i] = worst
