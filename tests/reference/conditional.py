"""Slow float64 twins of the conditional estimators: row by row, all distances, counts as the papers say."""

import math
from collections import Counter

import numpy as np
from scipy.special import digamma
from tests.reference.neighbours import distances, others


def _spaces(x, y, z, i):
    dx, dy, dz = (distances(points, i, "chebyshev") for points in (x, y, z))
    return np.maximum(dx, dz), np.maximum(dy, dz), dz, np.maximum(np.maximum(dx, dy), dz)


def ksg(x, y, z, k):
    """Frenzel & Pompe 2007; rows with more than k copies as in Gao et al. 2017."""
    total = 0.0
    for i in range(len(x)):
        *marginal, joint = _spaces(x, y, z, i)
        radius = sorted(others(joint, i))[k - 1]
        if radius == 0:
            xz, yz, n_z = (sum(d == 0) for d in marginal)
            k_i = sum(joint == 0)
        else:
            xz, yz, n_z = (sum(others(d, i) < radius) + 1 for d in marginal)
            k_i = k
        total += digamma(k_i) - digamma(xz) - digamma(yz) + digamma(n_z)
    return total / len(x)


def mixed(x, y, z, k):
    """Mesner & Shalizi 2020, Algorithm 1, not clamped."""
    total = 0.0
    for i in range(len(x)):
        spaces = _spaces(x, y, z, i)
        radius = sorted(others(spaces[3], i))[k - 1]
        xz, yz, n_z, k_i = (sum(others(d, i) <= radius) for d in spaces)
        total += digamma(k_i) - digamma(xz) - digamma(yz) + digamma(n_z)
    return total / len(x)


def discrete(a, b, c):
    """sum p(a, b, c) log p(a, b | c) / (p(a | c) p(b | c))."""
    n = len(c)
    abc, ac, bc, only = (
        Counter(s) for s in (zip(a, b, c, strict=True), zip(a, c, strict=True), zip(b, c, strict=True), c)
    )
    return sum(m / n * math.log(m * only[z] / (ac[x, z] * bc[y, z])) for (x, y, z), m in abc.items())
