"""Slow float64 twin of the normalised HSIC, as Ma, Lewis & Kleijn 2020 write it: whole matrices and an inverse."""

import math

import numpy as np


def gram(rows, bandwidth):
    """exp(-|a - b|^2 / (2 bandwidth^2 d)), entry by entry."""
    n, d = rows.shape
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            out[i, j] = math.exp(-sum((rows[i] - rows[j]) ** 2) / (2 * bandwidth**2 * d))
    return out


def regularised(kernel, epsilon):
    n = len(kernel)
    centre = np.eye(n) - np.ones((n, n)) / n
    centred = centre @ kernel @ centre
    return centred @ np.linalg.inv(centred + epsilon * n * np.eye(n))


def nhsic(a, b, *, bandwidth, epsilon):
    return np.trace(regularised(gram(a, bandwidth), epsilon) @ regularised(gram(b, bandwidth), epsilon))
