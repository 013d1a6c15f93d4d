"""One-to-one maps that make samples look normal: of each column, and of all together.

Information does not change under a one-to-one map of x alone or of y alone, and an entropy changes by the mean log of
the map's slope. The maps are smooth, where ranks are not: ranks keep nothing finer than the gap between samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.interpolate
import scipy.special

#: float64, shape (n,) or (n, d)
Rows = np.ndarray

# Distance of two knots on the normal side: some 20 for 3,000 samples. Each costs 1 / (2n) nats of over-fitting.
_STEP = 0.4
# Knots nearer than this share of the range are one: the slope between them is rounding.
_LEAST_GAP = 1e-12
_LEAST_SLOPE = 1e-12
# Rotations are sought among so many samples.
_MOST_FOR_ROTATION = 10_000
_ROUNDS, _TOLERANCE = 50, 1e-4


@dataclass(frozen=True)
class NormalMap:
    """An increasing smooth map of a number that makes a sample of it about N(0, 1): a monotone cubic through quantiles.

    Beyond the outermost knots it goes on along a line. Made by `of`.

    Args:
        knots: of the number, ascending.
        scores: where the map carries them, ascending.
    """

    knots: Rows
    scores: Rows

    @classmethod
    def of(cls, column: Rows) -> NormalMap | None:
        """From a sample, shape (n,); None of fewer than four different values, which leave nothing to interpolate.

        A knot is the mean of the order statistics around it, so that single samples do not bend the map.
        """
        n, ordered = len(column), np.sort(column)
        if np.count_nonzero(np.diff(ordered)) < 3:
            return None
        farthest = scipy.special.ndtri(n / (n + 1))
        scores = np.linspace(-farthest, farthest, max(3, round(2 * farthest / _STEP) + 1))
        ranks = np.rint(scipy.special.ndtr(scores) * (n + 1) - 1).astype(int).clip(0, n - 1)
        share = scipy.special.ndtr(scores + _STEP / 3) - scipy.special.ndtr(scores - _STEP / 3)
        halves = np.minimum((share * n / 2).astype(int), np.minimum(ranks, n - 1 - ranks))
        sums = np.concatenate([[0.0], ordered.cumsum()])
        knots = (sums[ranks + halves + 1] - sums[ranks - halves]) / (2 * halves + 1)
        least = _LEAST_GAP * max(abs(ordered[0]), abs(ordered[-1]))
        kept = np.concatenate([[True], np.diff(knots) > least])
        return cls(knots[kept], scores[kept]) if kept.sum() > 3 else None

    def __call__(self, column: Rows) -> tuple[Rows, Rows]:
        """The mapped values and the log of the slope, each of shape (n,)."""
        curve = scipy.interpolate.PchipInterpolator(self.knots, self.scores)
        slope = np.maximum(curve(column.clip(self.knots[0], self.knots[-1]), nu=1), _LEAST_SLOPE)
        mapped = curve(column.clip(self.knots[0], self.knots[-1]))
        for end, inner, beyond in ((0, 1, column < self.knots[0]), (-1, -2, column > self.knots[-1])):
            chord = (self.scores[inner] - self.scores[end]) / (self.knots[inner] - self.knots[end])
            mapped[beyond] = self.scores[end] + chord * (column[beyond] - self.knots[end])
            slope[beyond] = chord
        return mapped, np.log(slope)


def normal_margins(rows: Rows) -> Rows:
    """Each column mapped by its own `NormalMap`; one of fewer than four values stays as it is.

    Example:
        >>> rows = np.exp(np.random.default_rng(0).standard_normal((2000, 1)))
        >>> mapped = normal_margins(rows)
        >>> bool(abs(mapped.mean()) < 0.01 and abs(mapped.std() - 1) < 0.02)
        True
    """
    maps = [NormalMap.of(column) for column in rows.T]
    return np.stack([column if map is None else map(column)[0] for map, column in zip(maps, rows.T, strict=True)], 1)


def whitened(rows: Rows) -> tuple[Rows, Rows]:
    """Linearly mapped to mean 0 and covariance 1, and the log of the map's inverse determinant, a term for each sample.

    The mean of the terms is unbiased for normal samples, and their deviations are each sample's influence on it. Shapes
    (n, d), (n,).

    Raises:
        numpy.linalg.LinAlgError: a column follows from others.

    Example:
        >>> rows, terms = whitened(np.random.default_rng(0).standard_normal((500, 2)) * [1.0, 10.0])
        >>> np.cov(rows.T, ddof=0).round(6).tolist(), bool(abs(terms.mean() - math.log(10)) < 0.1)
        ([[1.0, 0.0], [0.0, 1.0]], True)
    """
    centered = rows - rows.mean(axis=0)
    n, d = rows.shape
    root = np.linalg.cholesky(centered.T @ centered / n)
    white = np.linalg.solve(root, centered.T).T
    log_det = np.log(np.diag(root)).sum()
    too_low = 0.5 * (scipy.special.digamma((n - 1 - np.arange(d)) / 2) + math.log(2 / n)).sum()
    return white, log_det - too_low + 0.5 * (np.square(white).sum(axis=1) - d)


def independent_directions(white: Rows) -> Rows:
    """The rotation of whitened rows after which columns look most independent, by FastICA; shape (d, d), orthogonal.

    Where directions are normal any rotation is as good. It starts always the same way and may stop short: it is a
    proposal, that the caller judges.

    Source: Hyvärinen 1999, doi:10.1109/72.761722, symmetric, with log cosh.

    Example:
        >>> white = np.random.default_rng(0).uniform(-(3**0.5), 3**0.5, (2000, 2))
        >>> turned = white @ np.array([[0.6, 0.8], [-0.8, 0.6]])
        >>> found = np.abs(independent_directions(whitened(turned)[0]) @ np.array([[0.6, -0.8], [0.8, 0.6]]))
        >>> bool(np.allclose(found.max(axis=0), 1, atol=0.02))
        True
    """
    used, d = white[:_MOST_FOR_ROTATION], white.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0]
    # scikit-learn's own tells of stopping short by a warning, and no thread can silence that for itself alone.
    for _ in range(_ROUNDS if d > 1 else 0):
        slopes = np.tanh(used @ rotation.T)
        step = slopes.T @ used / len(used) - (1 - np.square(slopes)).mean(axis=0)[:, None] * rotation
        left, _, right = np.linalg.svd(step)
        turned = left @ right
        moved = np.abs(np.abs((turned * rotation).sum(axis=1)) - 1).max()
        rotation = turned
        if moved < _TOLERANCE:
            break
    return rotation
