"""Slow float64 twins of the kernel estimators: distances, eigenvalues and traces as the papers write them."""

import math

import numpy as np


def gram(x, bandwidth, kernel):
    """Gaussian kernel entry by entry; integers: 1 where equal."""
    n = len(x)
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            d2 = sum((float(a) - float(b)) ** 2 for a, b in zip(x[i], x[j], strict=True))
            if bandwidth == "symbols":
                out[i, j] = d2 == 0
            else:
                out[i, j] = math.exp(-d2 / (bandwidth if kernel == "exp(-d2/s)" else 2 * bandwidth**2))
    return out


def entropy(gram, alpha):
    """Giraldo et al. 2015: log(sum of eigenvalues^alpha) / (1 - alpha) of the trace-normalised matrix."""
    values = [v for v in np.linalg.eigvalsh(gram / np.trace(gram)) if v > 1e-15]
    if alpha == 1:
        return -sum(v * math.log(v) for v in values)
    return math.log(sum(v**alpha for v in values)) / (1 - alpha)


def joint(*grams):
    return np.prod(np.stack(grams), axis=0)


def mutual_information(first, second, alpha):
    return entropy(first, alpha) + entropy(second, alpha) - entropy(joint(first, second), alpha)


def knn_bandwidth(x, k):
    n, total = len(x), 0.0
    for i in range(n):
        distances = sorted(math.dist(x[i], x[j]) for j in range(n) if j != i)
        total += sum(distances[:k]) / k
    return total / n


def median_bandwidth(x):
    n = len(x)
    distances = sorted(math.dist(x[i], x[j]) for i in range(n) for j in range(i))
    return distances[(len(distances) - 1) // 2]


def hsic_biased(k, length):
    n = len(k)
    center = np.eye(n) - np.ones((n, n)) / n
    return np.trace(k @ center @ length @ center) / (n - 1) ** 2


def hsic_unbiased(k, length):
    """Song et al. 2012, eq. 4, as the average over distinct i, j, q, r that it stands for."""
    n, first, second, third = len(k), 0.0, 0.0, 0.0
    for i in range(n):
        for j in range(n):
            if j == i:
                continue
            first += k[i, j] * length[i, j]
            for q in range(n):
                if q in {i, j}:
                    continue
                second += k[i, j] * length[i, q]
                third += sum(k[i, j] * length[q, r] for r in range(n) if r not in {i, j, q})
    pairs, triples = n * (n - 1), n * (n - 1) * (n - 2)
    return first / pairs + third / (triples * (n - 3)) - 2 * second / triples
