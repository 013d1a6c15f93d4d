"""Pairs of one column each with information known by integration: copulas, functions with noise, rings with edges."""

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
# In which the integral is taken, so that a part stays in a core's cache.
_PARTS = 40


@dataclass(frozen=True)
class Pair:
    """A law of two numbers.

    Args:
        family: "copula", "noise" or "ring".
        mi: nats.
        sample: (n, rng) -> x and y, each of shape (n,).
    """

    family: str
    mi: float
    sample: Callable[[int, Rng], tuple[Rows, Rows]]


def pool(size: int, rng: Rng) -> list[Pair]:
    """So many pairs of 0.01 to 5 nats: of ten 4 copulas, 3 functions with noise, 2 of them with edges, 1 ring."""
    kinds = (_copula, _with_noise, _with_edges, _copula, _with_noise, _copula, _with_edges, _with_noise, _copula, _ring)
    pairs: list[Pair] = []
    while len(pairs) < size:
        pair = kinds[len(pairs) % len(kinds)](rng)
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
    """Y = f(x) + s(x) e, where no density has an edge."""
    return _noisy(_quantiles(rng), _noise(rng), (0.03, 3), rng)


def _with_edges(rng: Rng) -> Pair:
    """The same of bounded x, with noise that ends."""
    return _noisy(_bounded(rng), _ending(rng), (0.05, 2), rng)


def _noisy(
    quantile: Callable[[Rows], Rows],
    noise: tuple[Callable[[int, Rng], Rows], Callable[[Rows], Rows]],
    scales: tuple[float, float],
    rng: Rng,
) -> Pair:
    f, scale = _function(rng), math.exp(rng.uniform(*np.log(scales)))
    draw, log_noise = noise
    wave, own = rng.uniform(0.5, 3), rng.uniform(0, 0.8) * (rng.uniform() < 0.5)

    def s(x: Rows) -> Rows:
        return scale * np.exp(own * np.sin(wave * x))

    def sample(n: int, rng: Rng) -> tuple[Rows, Rows]:
        x = quantile(rng.uniform(size=n))
        return x, f(x) + s(x) * draw(n, rng)

    grid = quantile((np.arange(_GRID) + 0.5) / _GRID)
    x = quantile((np.arange(_DRAWS) + rng.uniform(size=_DRAWS)) / _DRAWS)
    e = draw(_DRAWS, rng)
    y = f(x) + s(x) * e
    given = log_noise(e) - np.log(s(x))
    marginal = np.concatenate([
        _log_mean(log_noise((some[:, None] - f(grid)) / s(grid)) - np.log(s(grid))) for some in np.split(y, _PARTS)
    ])
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


def _log_mean(logs: Rows) -> Rows:
    """Of the exponentials along a row; not finite where no point of the grid reaches."""
    top = np.nan_to_num(logs.max(axis=1), neginf=0.0)
    return top + _log(np.exp(logs - top[:, None]).mean(axis=1))


def _bounded(rng: Rng) -> Callable[[Rows], Rows]:
    """Quantiles of a law of x between -1 and 1: a power, an arcsine, a triangle, two lumps."""
    kind, power, gap = rng.integers(4), rng.uniform(0.7, 1.5), rng.uniform(0.2, 0.6)
    return [
        lambda p: 2 * p**power - 1,
        lambda p: np.sin(math.pi * (p - 0.5)),
        lambda p: np.where(p < 0.5, np.sqrt(2 * p) - 1, 1 - np.sqrt(2 * (1 - p))),
        lambda p: (2 * p - 1) * (1 - gap) + gap * np.sign(p - 0.5),
    ][kind]


def _ending(rng: Rng) -> tuple[Callable[[int, Rng], Rows], Callable[[Rows], Rows]]:
    """Exponential, a triangle, a parabola, half a normal law: each with an end, none of them uniform."""
    kind = rng.integers(4)
    if kind == 0:
        return lambda n, rng: rng.exponential(size=n), lambda e: np.where(e >= 0, -e, -np.inf)
    if kind == 1:
        return lambda n, rng: rng.triangular(-1, 0, 1, size=n), lambda e: _log(1 - np.abs(e))
    if kind == 2:
        return lambda n, rng: 2 * rng.beta(2, 2, size=n) - 1, lambda e: _log(0.75 * (1 - e * e))
    constant = 0.5 * math.log(2 / math.pi)
    return lambda n, rng: np.abs(rng.standard_normal(n)), lambda e: np.where(e >= 0, constant - 0.5 * e * e, -np.inf)


def _log(density: Rows) -> Rows:
    return np.log(density, out=np.full_like(density, -np.inf), where=density > 0)


def _ring(rng: Rng) -> Pair:
    """Uniform between two circles about 0, of radius 1 and of at most 1."""
    inner = rng.uniform(0, 0.98)
    area = math.pi * (1 - inner**2)

    def sample(n: int, rng: Rng) -> tuple[Rows, Rows]:
        radius = np.sqrt(rng.uniform(inner**2, 1, size=n))
        angle = rng.uniform(0, 2 * math.pi, size=n)
        return radius * np.cos(angle), radius * np.sin(angle)

    def chord(x: Rows) -> Rows:
        return 2 * (np.sqrt(1 - x * x) - np.sqrt((inner**2 - x * x).clip(0)))

    x, y = sample(20 * _DRAWS, rng)
    return Pair("ring", float((math.log(area) - np.log(chord(x)) - np.log(chord(y))).mean()), sample)
