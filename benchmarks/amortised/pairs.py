"""Pairs of one column each with information known by integration: copulas, and functions with noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator
Rows = np.ndarray

#: (n, rng) -> u and v, each of shape (n,); (u, v) -> the log of the density there
Copula = tuple[Callable[[int, Rng], tuple[Rows, Rows]], Callable[[Rows, Rows], Rows]]

# Points of the integral over x, and samples of y among which log-ratios are averaged.
_GRID, _DRAWS = 1500, 4000


@dataclass(frozen=True)
class Pair:
    """A law of two numbers.

    Args:
        family: "copula" or "noise".
        mi: nats.
        sample: (n, rng) -> x and y, each of shape (n,).
    """

    family: str
    mi: float
    sample: Callable[[int, Rng], tuple[Rows, Rows]]


def pool(size: int, rng: Rng) -> list[Pair]:
    """So many pairs, half copulas, half functions with noise, of 0.01 to 5 nats."""
    pairs: list[Pair] = []
    while len(pairs) < size:
        pair = _copula(rng) if len(pairs) % 2 else _with_noise(rng)
        if 0.01 < pair.mi < 5:
            pairs.append(pair)
    return pairs


def _copula(rng: Rng) -> Pair:
    make = [_clayton, _frank, _plackett][rng.integers(3)]
    sample, log_density = make(rng)
    u, v = sample(20 * _DRAWS, rng)
    return Pair("copula", float(log_density(u, v).mean()), sample)


def _clayton(rng: Rng) -> Copula:
    theta = math.exp(rng.uniform(math.log(0.2), math.log(12)))

    def sample(n: int, rng: Rng) -> tuple[Rows, Rows]:
        u, w = rng.uniform(size=(2, n))
        return u, (u**-theta * (w ** (-theta / (1 + theta)) - 1) + 1) ** (-1 / theta)

    def log_density(u: Rows, v: Rows) -> Rows:
        inner = np.logaddexp(-theta * np.log(u), -theta * np.log(v))
        inner = inner + np.log1p(-np.exp(-inner))
        return math.log1p(theta) - (1 + theta) * (np.log(u) + np.log(v)) - (2 + 1 / theta) * inner

    return sample, log_density


def _frank(rng: Rng) -> Copula:
    theta = math.exp(rng.uniform(math.log(1.0), math.log(40)))
    whole = -math.expm1(-theta)

    def sample(n: int, rng: Rng) -> tuple[Rows, Rows]:
        u, w = rng.uniform(size=(2, n))
        v = -np.log1p(-w * whole / (w + (1 - w) * np.exp(-theta * u))) / theta
        return u, v.clip(1e-12, 1 - 1e-12)

    def log_density(u: Rows, v: Rows) -> Rows:
        below = whole - (1 - np.exp(-theta * u)) * (1 - np.exp(-theta * v))
        return math.log(theta * whole) - theta * (u + v) - 2 * np.log(below)

    return sample, log_density


def _plackett(rng: Rng) -> Copula:
    theta = math.exp(rng.uniform(math.log(1.5), math.log(300)))
    eta = theta - 1

    def sample(n: int, rng: Rng) -> tuple[Rows, Rows]:
        u, t = rng.uniform(size=(2, n))
        a = t * (1 - t)
        b = theta + a * eta**2
        c = 2 * a * (u * theta**2 + 1 - u) + theta * (1 - 2 * a)
        root = np.sqrt(theta) * np.sqrt(theta + 4 * a * u * (1 - u) * (1 - theta) ** 2)
        return u, ((c - (1 - 2 * t) * root) / (2 * b)).clip(1e-12, 1 - 1e-12)

    def log_density(u: Rows, v: Rows) -> Rows:
        top = theta * (1 + eta * (u + v - 2 * u * v))
        return np.log(top) - 1.5 * np.log((1 + eta * (u + v)) ** 2 - 4 * theta * eta * u * v)

    return sample, log_density


def _with_noise(rng: Rng) -> Pair:
    """Y = f(x) + s(x) e."""
    quantile, f, scale = _quantiles(rng), _function(rng), math.exp(rng.uniform(math.log(0.03), math.log(3)))
    wave, own = rng.uniform(0.5, 3), rng.uniform(0, 0.8) * (rng.uniform() < 0.5)

    def s(x: Rows) -> Rows:
        return scale * np.exp(own * np.sin(wave * x))

    draw, log_noise = _noise(rng)

    def sample(n: int, rng: Rng) -> tuple[Rows, Rows]:
        x = quantile(rng.uniform(size=n))
        return x, f(x) + s(x) * draw(n, rng)

    grid = quantile((np.arange(_GRID) + 0.5) / _GRID)
    x = quantile((np.arange(_DRAWS) + rng.uniform(size=_DRAWS)) / _DRAWS)
    e = draw(_DRAWS, rng)
    y = f(x) + s(x) * e
    given = log_noise(e) - np.log(s(x))
    log_p = log_noise((y[:, None] - f(grid)) / s(grid)) - np.log(s(grid))
    top = log_p.max(axis=1, keepdims=True)
    marginal = top[:, 0] + np.log(np.exp(log_p - top).mean(axis=1))
    return Pair("noise", float((given - marginal).mean()), sample)


def _quantiles(rng: Rng) -> Callable[[Rows], Rows]:
    """Of a law of x of variance about 1: logistic, skewed, of two lumps."""
    kind, skew = rng.integers(3), rng.uniform(0.2, 1.0)
    if kind == 0:
        return lambda p: np.log(p / (1 - p)) / 1.8
    if kind == 1:
        return lambda p: (-np.log1p(-p)) ** skew - 1
    gap = rng.uniform(0.5, 2)
    return lambda p: np.log(p / (1 - p)) / 3 + gap * np.tanh(8 * (p - 0.5))


def _function(rng: Rng) -> Callable[[Rows], Rows]:
    kind, a, b, c = rng.integers(5), rng.uniform(0.5, 3), rng.uniform(-1, 1), rng.uniform(0, 6.3)
    return [
        lambda x: x,
        lambda x: np.tanh(a * (x - b)) + 0.3 * x,
        lambda x: np.square(x - 0.5 * b),
        lambda x: np.sin(a * x + c),
        lambda x: np.abs(x - b) + 0.3 * b * x,
    ][kind]


def _noise(rng: Rng) -> tuple[Callable[[int, Rng], Rows], Callable[[Rows], Rows]]:
    kind = rng.integers(4)
    if kind == 0:
        return lambda n, rng: rng.standard_normal(n), lambda e: -0.5 * e * e - 0.5 * math.log(2 * math.pi)
    if kind == 1:
        return lambda n, rng: rng.laplace(size=n), lambda e: -np.abs(e) - math.log(2)
    if kind == 2:
        return lambda n, rng: rng.logistic(size=n), lambda e: -np.abs(e) - 2 * np.log1p(np.exp(-np.abs(e)))
    return lambda n, rng: rng.gumbel(size=n), lambda e: -e - np.exp((-e).clip(max=50))
