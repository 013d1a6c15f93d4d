"""Laws drawn at random, with their information: what the amortised estimator is trained on.

Normal laws; independent pairs (copulas, functions with noise, rings) side by side; mixtures of normal laws; curves and
sheets with noise; ellipsoids with an edge. Then each side is turned, twisted, bent by couplings, its margins bent, and
idle columns are mixed in: none of that changes information. Left out, to be tested on: Student's t, additive uniform
and log-gamma noise, uniform x with normal noise, spirals, Swiss rolls, wiggly, bimodal, half-cube, normal-cdf and
heavy-tailed margins of the suites.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.special

from amortised.pairs import Pair, Rng, Rows

FAMILIES = ("normal", "pairs", "mixture", "curve", "independent", "ellipsoid")
_SHARES = (0.2, 0.34, 0.16, 0.18, 0.04, 0.08)
# Samples among which log-ratios of mixtures are averaged.
_DRAWS = 4000


@dataclass(frozen=True)
class Drawn:
    """Samples of one law.

    Args:
        x: shape (n, d_x).
        y: shape (n, d_y).
        mi: nats.
        family: one of `FAMILIES`.
    """

    x: Rows
    y: Rows
    mi: float
    family: str


def draw(n: int, d_x: int, d_y: int, pool: list[Pair], rng: Rng, *, family: str | None = None) -> Drawn:
    """A law of so many columns, and so many samples of it."""
    family = family or str(rng.choice(FAMILIES, p=_SHARES))
    most = min(d_x, d_y)
    informative = int(rng.integers(1, most + 1))
    made = (_normal, _pairs, _mixture, _curve, _independent, _ellipsoid)[FAMILIES.index(family)]
    x, y, mi = made(n, informative, pool, rng)
    x, y = (_widened(rows, d, rng) for rows, d in ((x, d_x), (y, d_y)))
    for side in range(2):
        rows = (x, y)[side]
        if rng.uniform() < 0.55:
            rows = _turned(rows, rng)
        if rng.uniform() < 0.25:
            for _ in range(int(rng.integers(1, 3))):
                rows = _coupled(rows, rng) if rng.uniform() < 0.7 else _twisted(rows, rng)
        if rng.uniform() < 0.25:
            rows = _bent(rows, rng)
        x, y = (rows, y) if side == 0 else (x, rows)
    return Drawn(x, y, mi, family)


def _normal(n: int, d: int, pool: list[Pair], rng: Rng) -> tuple[Rows, Rows, float]:
    del pool
    return *_correlated(rng.standard_normal((n, 2 * d)), total := _total(rng), rng), total


def _ellipsoid(n: int, d: int, pool: list[Pair], rng: Rng) -> tuple[Rows, Rows, float]:
    """A density (1 - r^2)^power inside an ellipsoid, 0 outside: what is correlated, and the edge that all share."""
    del pool
    power, total = rng.choice([0, 0.5, 1, 3]), _total(rng)
    rows = rng.standard_normal((n, 2 * d))
    rows *= np.sqrt(rng.beta(d, power + 1, size=n) / np.square(rows).sum(axis=1))[:, None]
    edge = 2 * _entropy_inside(d, power + d / 2) - _entropy_inside(2 * d, power)
    return *_correlated(rows, total, rng), total + edge


def _entropy_inside(d: int, power: float) -> float:
    """Of a density (1 - r^2)^power in the ball of radius 1, in nats."""
    constant = scipy.special.gammaln(d / 2 + power + 1) - scipy.special.gammaln(power + 1) - d / 2 * math.log(math.pi)
    psi = scipy.special.digamma
    return float(power * (psi(power + 1 + d / 2) - psi(power + 1)) - constant)


def _total(rng: Rng) -> float:
    least, most = ((0, 2.5), (2.5, 5), (5, 10))[rng.choice(3, p=[0.7, 0.2, 0.1])]
    return float(rng.uniform(least, most))


def _correlated(rows: Rows, total: float, rng: Rng) -> tuple[Rows, Rows]:
    """Uncorrelated columns as x and y that share so many nats if they are normal, divided at random among pairs."""
    d = rows.shape[1] // 2
    parts = total * rng.dirichlet(np.full(d, rng.choice([0.3, 1, 10])))
    x = rows[:, :d]
    return x, np.sqrt(-np.expm1(-2 * parts)) * x + np.exp(-parts) * rows[:, d:]


def _independent(n: int, d: int, pool: list[Pair], rng: Rng) -> tuple[Rows, Rows, float]:
    a, b = (draw(n, d, d, pool, rng, family=str(rng.choice(["pairs", "mixture", "curve"]))) for _ in range(2))
    return a.x, b.y, 0.0


def _pairs(n: int, d: int, pool: list[Pair], rng: Rng) -> tuple[Rows, Rows, float]:
    same = rng.uniform() < 0.4
    first = pool[rng.integers(len(pool))]
    chosen = [first if same else pool[rng.integers(len(pool))] for _ in range(d)]
    columns = [_oriented(*pair.sample(n, rng), pair, rng) for pair in chosen]
    x, y = (np.stack([column[side] for column in columns], axis=1) for side in (0, 1))
    return x, y, sum(pair.mi for pair in chosen)


def _oriented(u: Rows, v: Rows, pair: Pair, rng: Rng) -> tuple[Rows, Rows]:
    """Copulas on normal scale, from any corner; x and y of functions either way round."""
    if pair.family == "copula":
        u, v = (scipy.special.ndtri(side.clip(1e-12, 1 - 1e-12)) for side in (u, v))
    u, v = (side * rng.choice([-1, 1]) for side in (u, v))
    u, v = (side / (np.std(side) or 1.0) for side in (u, v))
    return (v, u) if rng.uniform() < 0.5 else (u, v)


def _mixture(n: int, d: int, pool: list[Pair], rng: Rng) -> tuple[Rows, Rows, float]:
    del pool
    count = int(rng.integers(2, 7))
    means = rng.normal(size=(count, 2 * d)) * rng.choice([0, 1, 2.5])
    spread = rng.choice([0.0, 0.3, 1.0])  # of scales: 0 and one covariance is a normal law, tails come of the others
    strength = rng.uniform(0.2, 3)
    roots = []
    for _ in range(count):
        shared = rng.normal(size=(d, 2 * d)) * strength
        covariance = shared.T @ shared + np.eye(2 * d)
        covariance /= covariance.diagonal().mean()
        roots.append(np.linalg.cholesky(covariance) * math.exp(spread * rng.normal()))
    if rng.uniform() < 0.3:
        scales = np.exp(spread * rng.normal(size=count))
        roots = [roots[0] * scale for scale in scales]
    weights = rng.dirichlet(np.full(count, 2.0))
    return _of_components(n, d, means, np.stack(roots), weights, rng)


def _curve(n: int, d: int, pool: list[Pair], rng: Rng) -> tuple[Rows, Rows, float]:
    """X = f(z) + noise, y = g(z) + noise, z one of 160 points on a line or in a square."""
    del pool
    points, latent = 160, int(rng.integers(1, 3))
    z = np.linspace(-1, 1, points)[:, None]
    if latent == 2:
        z = np.stack([z[:, 0], (np.arange(points) * 0.6180339887 % 1) * 2 - 1], axis=1)
    frequency = rng.uniform(0.5, 7 if latent == 1 else 4)
    f, g = (
        np.sin(frequency * z @ rng.normal(size=(latent, d)) + rng.uniform(0, 6.3, size=d))
        + rng.uniform(0, 1) * z @ rng.normal(size=(latent, d))
        for _ in range(2)
    )
    noise = np.exp(rng.uniform(math.log(0.03), math.log(0.8), size=2)).repeat(d)
    root = np.diag(noise)
    return _of_components(n, d, np.concatenate([f, g], axis=1), root[None], np.full(points, 1 / points), rng)


def _of_components(n: int, d: int, means: Rows, roots: Rows, weights: Rows, rng: Rng) -> tuple[Rows, Rows, float]:
    """Samples of a mixture of normal laws, and its information as the mean log-ratio of others."""
    count = len(weights)

    def sample(size: int) -> Rows:
        which = rng.choice(count, size=size, p=weights)
        noise = rng.standard_normal((size, 2 * d))
        if len(roots) == 1:
            return means[which] + noise @ roots[0].T
        return means[which] + np.einsum("nij,nj->ni", roots[which], noise)

    rows = sample(_DRAWS)
    covariances = roots @ roots.transpose(0, 2, 1)
    parts = [
        _log_density(rows[:, own], means[:, own], covariances[:, own, own], weights)
        for own in (slice(None), slice(0, d), slice(d, None))
    ]
    together = sample(n)
    return together[:, :d], together[:, d:], max(float((parts[0] - parts[1] - parts[2]).mean()), 0.0)


def _log_density(rows: Rows, means: Rows, covariances: Rows, weights: Rows) -> Rows:
    logs = np.empty((len(rows), len(weights)))
    for own, covariance in enumerate(covariances):
        inverse = np.linalg.inv(np.linalg.cholesky(covariance))
        constant = np.log(np.diag(inverse)).sum()
        if len(covariances) == 1:
            a, b = rows @ inverse.T, means @ inverse.T
            squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
            logs = constant - 0.5 * squares + np.log(weights)
        else:
            logs[:, own] = (
                constant - 0.5 * np.square((rows - means[own]) @ inverse.T).sum(axis=1) + math.log(weights[own])
            )
    top = logs.max(axis=1)
    return top + np.log(np.exp((logs - top[:, None]).astype(np.float32)).sum(axis=1))


def _widened(rows: Rows, columns: int, rng: Rng) -> Rows:
    idle = columns - rows.shape[1]
    if idle <= 0:
        return rows
    scale = np.std(rows, axis=0).mean() * math.exp(rng.uniform(-1, 0.5))
    return np.concatenate([rows, scale * rng.standard_normal((len(rows), idle))], axis=1)


def _turned(rows: Rows, rng: Rng) -> Rows:
    """By a rotation, or by a map that stretches too."""
    d = rows.shape[1]
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    if rng.uniform() < 0.4:
        turn = turn * np.exp(0.7 * rng.normal(size=d)) @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    return rows @ turn


def _coupled(rows: Rows, rng: Rng) -> Rows:
    """Some columns moved and scaled by a small random network of the others: one-to-one."""
    d = rows.shape[1]
    if d == 1:
        return rows
    order = rng.permutation(d)
    cut = int(rng.integers(1, d))
    given, moved = order[:cut], order[cut:]
    scale = rows.std(axis=0)
    seen = (rows[:, given] - rows[:, given].mean(axis=0)) / scale[given]
    hidden = np.tanh(seen @ rng.normal(size=(cut, 8)) * rng.uniform(0.5, 1.5) + rng.normal(size=8))
    shift = hidden @ rng.normal(size=(8, d - cut)) * rng.uniform(0.1, 0.8)
    stretch = 0.3 * np.tanh(hidden @ rng.normal(size=(8, d - cut)) / 2)
    changed = rows.copy()
    changed[:, moved] = rows[:, moved] * np.exp(stretch) + shift * scale[moved]
    return changed


def _twisted(rows: Rows, rng: Rng) -> Rows:
    """The plane of two columns turned by an angle that grows with a third column: one-to-one."""
    if rows.shape[1] < 3:
        return rows
    score = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    i, j, third = rng.permutation(rows.shape[1])[:3]
    angle = rng.uniform(0.2, 1.2) * score[:, third]
    cos, sin = np.cos(angle), np.sin(angle)
    turned = score.copy()
    turned[:, i], turned[:, j] = cos * score[:, i] - sin * score[:, j], sin * score[:, i] + cos * score[:, j]
    return turned


def _bent(rows: Rows, rng: Rng) -> Rows:
    """Each column by a sinh-arcsinh map or squashed by a logistic one, both increasing."""
    score = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    skew, tail = rng.normal(size=2) * [0.5, 0.4]
    if rng.uniform() < 0.3:
        return 1 / (1 + np.exp(-score.clip(-30, 30) * math.exp(tail + 0.5)))
    return np.sinh((np.arcsinh(score) * math.exp(tail) + skew).clip(-30, 30))
