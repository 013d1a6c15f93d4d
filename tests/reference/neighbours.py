"""Slow float64 twins of the neighbour estimators: row by row, all distances, counts as the papers say."""

import math

import numpy as np
from scipy.special import digamma


def distances(points, i, metric):
    gaps = [[abs(a - b) for a, b in zip(point, points[i], strict=True)] for point in points]
    if metric == "chebyshev":
        return np.array([max(gap) for gap in gaps])
    return np.array([math.sqrt(sum(g * g for g in gap)) for gap in gaps])


def others(values, i):
    return np.delete(values, i)


def ksg(x, y, k, variant, metric):
    """Kraskov et al. 2004, eqs. 8 and 9; rows with more than k copies as in Gao et al. 2017."""
    n, total = len(x), 0.0
    for i in range(n):
        dx, dy = distances(x, i, metric), distances(y, i, metric)
        joint = np.maximum(dx, dy)
        order = [j for j in np.argsort(joint, kind="stable") if j != i][:k]
        radius = joint[order[-1]]
        if radius == 0:
            total += digamma(sum(joint == 0)) - digamma(sum(dx == 0)) - digamma(sum(dy == 0))
        elif variant == 1:
            n_x, n_y = sum(others(dx, i) < radius), sum(others(dy, i) < radius)
            total += digamma(k) - digamma(n_x + 1) - digamma(n_y + 1)
        else:
            n_x, n_y = sum(others(dx, i) <= max(dx[order])), sum(others(dy, i) <= max(dy[order]))
            total += digamma(k) - 1 / k - digamma(n_x) - digamma(n_y)
    return total / n + digamma(n)


def ross(x, labels, k, metric):
    """Ross 2014 with ties counted; a radius of 0 counts the row itself."""
    n, total = len(x), 0.0
    for i in range(n):
        d = distances(x, i, metric)
        same = labels == labels[i]
        size = sum(same)
        radius = sorted(d[[j for j in range(n) if same[j] and j != i]])[min(k, size - 1) - 1]
        itself = int(radius > 0)
        in_class, in_all = sum(d[same] <= radius) - itself, sum(d <= radius) - itself
        total += digamma(in_class) - digamma(size) - digamma(in_all)
    return total / n + digamma(n)


def mixed_ksg(x, y, k):
    """Gao et al. 2017, line by line as in the authors' code."""
    n, total = len(x), 0.0
    for i in range(n):
        dx, dy = distances(x, i, "chebyshev"), distances(y, i, "chebyshev")
        joint = np.maximum(dx, dy)
        radius = sorted(joint)[k]
        if radius == 0:
            k_i, n_x, n_y = sum(joint <= 1e-15), sum(dx <= 1e-15), sum(dy <= 1e-15)
        else:
            k_i, n_x, n_y = k, sum(dx <= radius - 1e-15), sum(dy <= radius - 1e-15)
        total += digamma(k_i) + math.log(n) - digamma(n_x) - digamma(n_y)
    return total / n


def entropy(x, k, metric):
    """Kraskov et al. 2004, eq. 20, with the radius of the ball."""
    n, d = len(x), len(x[0])
    volume = 2.0**d if metric == "chebyshev" else math.pi ** (d / 2) / math.gamma(d / 2 + 1)
    logs = [math.log(sorted(distances(x, i, metric))[k]) for i in range(n)]
    return digamma(n) - digamma(k) + math.log(volume) + d * sum(logs) / n
