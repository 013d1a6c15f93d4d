"""Twins of the read-outs' likelihoods, with loops in float64."""

from __future__ import annotations

import math
from collections import Counter


def gaussian_terms(scores: list[list[float]], y: list[list[float]], variance: list[float]) -> tuple[float, float]:
    """The gain, and the bound on I(Y; T), of predictions of standardised targets; y are the training targets too."""
    columns = range(len(y[0]))
    z = [[float("nan")] * len(columns) for _ in y]
    for c in columns:
        known = [row[c] for row in y if not math.isnan(row[c])]
        mean = sum(known) / len(known)
        spread = math.sqrt(sum((value - mean) ** 2 for value in known) / len(known))
        for number, row in enumerate(y):
            z[number][c] = (row[c] - mean) / spread

    def log_normal(value: float, mean: float, var: float) -> float:
        return -0.5 * math.log(2 * math.pi * var) - (value - mean) ** 2 / (2 * var)

    def gain_of(target: list[float], score: list[float], c: int) -> float:
        return log_normal(target[c], score[c], variance[c]) - log_normal(target[c], 0.0, 1.0)

    gain = 0.0
    for c in columns:
        gains = [gain_of(z[i], scores[i], c) for i in range(len(y)) if not math.isnan(z[i][c])]
        gain += sum(gains) / len(gains)
    whole = [i for i, row in enumerate(z) if not any(map(math.isnan, row))]
    bounds: list[float] = []
    for i in whole:
        densities = [math.exp(sum(log_normal(z[i][c], scores[j][c], variance[c]) for c in columns)) for j in whole]
        own = math.exp(sum(log_normal(z[i][c], scores[i][c], variance[c]) for c in columns))
        bounds.append(math.log(own / (sum(densities) / len(densities))))
    return gain, sum(bounds) / len(bounds)


def bernoulli_terms(scores: list[list[float]], y: list[list[int]]) -> tuple[float, float]:
    """The gain, and the bound on I(Y; T), of logits; y are the training labels too."""

    def entropy(counts: list[int]) -> float:
        return -sum(count / sum(counts) * math.log(count / sum(counts)) for count in counts if count)

    def cross_entropy(logit: float, label: int) -> float:
        return -math.log(1 / (1 + math.exp(-logit if label else logit)))

    gain, entropies = 0.0, []
    for c in range(len(y[0])):
        known = [i for i, row in enumerate(y) if row[c] >= 0]
        entropies.append(entropy(list(Counter(y[i][c] for i in known).values())))
        gain += entropies[-1] - sum(cross_entropy(scores[i][c], y[i][c]) for i in known) / len(known)
    whole = [i for i, row in enumerate(y) if min(row) >= 0]
    joint = max(entropy(list(Counter(tuple(y[i]) for i in whole).values())), *entropies)
    errors = [sum(cross_entropy(scores[i][c], y[i][c]) for c in range(len(y[0]))) for i in whole]
    return gain, joint - sum(errors) / len(errors)
