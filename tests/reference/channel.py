"""Slow float64 twins of the known-channel bounds: the sums as the papers write them."""

import math

import numpy as np


def log_normal(t, mean, std):
    return sum(
        -0.5 * ((a - b) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi)) for a, b in zip(t, mean, strict=True)
    )


def pairwise(features, factor):
    """-1/n sum_i log 1/n sum_j exp(-|f_i - f_j|^2 / factor)."""
    n = len(features)
    total = 0.0
    for i in range(n):
        mixture = sum(math.exp(-sum((features[i] - features[j]) ** 2) / factor) for j in range(n)) / n
        total -= math.log(mixture)
    return total / n


def contrast(features, noisy, std, *, leave_one_out):
    """mean_i [log p(t_i | x_i) - log mean_j p(t_i | x_j)], over all j or over j != i."""
    n = len(features)
    total = 0.0
    for i in range(n):
        others = [j for j in range(n) if not (leave_one_out and j == i)]
        mixture = sum(math.exp(log_normal(noisy[i], features[j], std)) for j in others) / len(others)
        total += log_normal(noisy[i], features[i], std) - math.log(mixture)
    return total / n


def gaussian(features, std):
    """1/2 log det(I + S / std^2), S divided by n, from the eigenvalues of S."""
    covariance = np.atleast_2d(np.cov(features.T, bias=True))
    return 0.5 * sum(math.log1p(max(value, 0.0) / std**2) for value in np.linalg.eigvalsh(covariance))
