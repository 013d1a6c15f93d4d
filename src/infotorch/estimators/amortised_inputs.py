"""What the amortised estimator reads of samples: cheap estimates, shapes, and a few samples with their neighbours.

All of it is unchanged by increasing maps of single columns and by the order of samples, but for which of them are drawn
where there are many.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.special

from infotorch.estimators.ensemble import weights_of
from infotorch.estimators.gaussianised import mean_log_distance

#: float, shape (n,) or (n, d)
Rows = np.ndarray

#: Numbers of neighbours.
KS = (1, 2, 4, 8, 16)
_CANONICAL_KS = (1, 4, 16)
#: Samples whose neighbours are sought, among all, and samples that the network sees one by one.
MOST_QUERIES, MOST_SEEN = 1024, 192
_QUERIES_OF_PAIRS = 384
#: Numbers seen of each sample beside its columns.
ROW_WIDTH = 14
# Canonical correlations and single pairs of columns that are told one by one, the largest first.
_PAIRS = 5
_RIDGE = 1e-6
# Distances that are handled at a time: half a megabyte.
_BLOCK = 2**17
# As if nothing were nearer: logs of distances stay finite where samples coincide.
_LEAST_SQUARE = 1e-12
# Places in `Inputs.shapes` and `Inputs.rows` that tell of x, and of y in the same way.
_SHAPES_OF_SIDES = ([2, 23, 29, 32], [3, 24, 30, 33])
_ROWS_OF_SIDES = ([7, 11], [8, 12])
#: Names of the estimates that the network weighs, in the order of `Inputs.candidates`.
CANDIDATES = (
    *(f"neighbours {k}" for k in KS),
    *(f"canonical neighbours {k}" for k in _CANONICAL_KS),
    "extrapolated",
    "canonical extrapolated",
    "normal",
    "normal and entropies",
    "single pairs",
)


@dataclass(frozen=True)
class Inputs:
    """Of one set of samples, float32.

    Args:
        candidates: estimates in nats, shape (13,), as `CANDIDATES` names them.
        shapes: numbers about all samples, shape (s,).
        scores: canonical columns of each seen sample, x before y, shape (m, d_x + d_y).
        columns: of each column the side (-1 or 1), its canonical correlation and place, shape (d_x + d_y, 3).
        rows: of each seen sample, shape (m, 14): terms of the estimates, distances.
    """

    candidates: np.ndarray
    shapes: np.ndarray
    scores: np.ndarray
    columns: np.ndarray
    rows: np.ndarray


def inputs_of(x: Rows, y: Rows) -> Inputs:
    """Of scores, shapes (n, d_x) and (n, d_y), each column normal scores of its ranks, in an order of no meaning."""
    n = len(x)
    linear = _Canonical.of(x, y)
    queries = min(n, MOST_QUERIES)
    as_given = _neighbours(x, y, queries)
    together = _uncorrelated(np.concatenate([linear.x, linear.y], axis=1))
    canonical, entropies = _canonical_neighbours(linear.x, linear.y, together, queries)
    excess = entropies[0] + entropies[1] - entropies[2]
    pairs = _single_pairs(linear.x, linear.y, min(queries, _QUERIES_OF_PAIRS))
    normal = linear.information(n)
    d = x.shape[1] + y.shape[1]
    estimates = [
        *as_given.values,
        *canonical.values,
        _extrapolated(as_given.values, KS, d),
        _extrapolated(canonical.values, _CANONICAL_KS, d),
        normal,
        normal + float(excess.mean()),
        float(pairs.sum()),
    ]
    half = n // 2
    of_half = _neighbours(x[:half], y[:half], min(queries, half)).values
    shapes = _shapes(linear, together, entropies, pairs, of_half, as_given, canonical)
    seen = min(queries, MOST_SEEN)
    return Inputs(
        np.array(estimates, np.float32),
        np.array(shapes, np.float32),
        np.concatenate([linear.x[:seen], linear.y[:seen]], axis=1).clip(-5, 5).astype(np.float32),
        _told_of_columns(linear),
        _rows_seen(as_given, canonical, entropies, linear, seen),
    )


def swapped(inputs: Inputs) -> Inputs:
    """As if y had been x, and x y, but for the order of columns; of several sets too, stacked along a first axis."""
    shapes, rows, columns = inputs.shapes.copy(), inputs.rows.copy(), inputs.columns.copy()
    for values, (x, y) in ((shapes, _SHAPES_OF_SIDES), (rows, _ROWS_OF_SIDES)):
        values[..., x + y] = values[..., y + x]
    columns[..., 0] *= -1
    return replace(inputs, shapes=shapes, rows=rows, columns=columns)


@dataclass(frozen=True)
class _Canonical:
    """Columns of x and of y turned so that they are uncorrelated within, and positively correlated in pairs across.

    Args:
        x: shape (n, d_x), covariance 1.
        y: shape (n, d_y), covariance 1.
        correlations: shape (min(d_x, d_y),), descending.
    """

    x: Rows
    y: Rows
    correlations: np.ndarray

    @classmethod
    def of(cls, x: Rows, y: Rows) -> _Canonical:
        a, b = _uncorrelated(x), _uncorrelated(y)
        left, correlations, right = np.linalg.svd(a.T @ b / len(a))
        u, v = a @ left, b @ right.T
        # Of a pair's two possible signs the one that makes it lean to the right, whatever the library returned.
        leaning = [(rows**3).sum(axis=0) for rows in (u, v)]
        paired = len(correlations)
        leaning[0][:paired] = leaning[1][:paired] = leaning[0][:paired] + leaning[1][:paired]
        u, v = (rows * np.where(lean < 0, -1, 1) for rows, lean in zip((u, v), leaning, strict=True))
        return cls(u, v, correlations.clip(0, 1 - 1e-9))

    def information(self, n: int) -> float:
        """Of a normal law with these correlations, less the bias of so many samples."""
        d_x, d_y = self.x.shape[1], self.y.shape[1]
        found = -0.5 * np.log1p(-np.square(self.correlations)).sum()

        def lack(d: int) -> float:
            free = np.maximum(n - 1 - np.arange(d), 1) / 2
            return 0.5 * float((scipy.special.digamma(free) - math.log(n / 2)).sum())

        return float(found) - lack(d_x) - lack(d_y) + lack(d_x + d_y)


def _uncorrelated(rows: Rows) -> Rows:
    centred = rows - rows.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
    return centred @ (vectors / np.sqrt(values.clip(_RIDGE)))


class _Distances:
    """Of rows, shape (n, d), float32: squared Euclidean distances of some of them to all."""

    def __init__(self, rows: Rows) -> None:
        own = np.square(rows, dtype=np.float32).sum(axis=1, keepdims=True)
        one = np.ones_like(own)
        # One product of matrices is |a|^2 - 2 ab + |b|^2.
        self._from = np.concatenate([-2 * rows.astype(np.float32), own, one], axis=1)
        self._to = np.concatenate([rows.astype(np.float32), one, own], axis=1).T
        self._found = np.empty((_block(len(rows)), len(rows)), np.float32)

    def squares(self, some: slice) -> np.ndarray:
        """Shape (len(some), n), 0 of a row to itself; until the next call."""
        found = np.matmul(self._from[some], self._to, out=self._found[: some.stop - some.start])
        np.maximum(found, 0, out=found)
        np.fill_diagonal(found[:, some], 0)
        return found


def _block(n: int) -> int:
    return max(1, _BLOCK // n)


def _blocks(queries: int, n: int) -> list[slice]:
    """Queries whose distances to n rows stay near the processor."""
    step = _block(n)
    return [slice(start, min(start + step, queries)) for start in range(0, queries, step)]


@dataclass(frozen=True)
class _Neighbours:
    """KSG for several k, x and y each by Euclidean distance.

    Args:
        terms: of each query, shape (queries, ks): psi(k) + psi(n) - psi(n_x) - psi(n_y).
        radii: logs of the distance to the k-th neighbour, the same shape.
        values: their means, in nats.
    """

    terms: np.ndarray
    radii: np.ndarray

    @property
    def values(self) -> list[float]:
        return [float(value) for value in self.terms.mean(axis=0)]

    @classmethod
    def of(cls, squares_x: np.ndarray, squares_y: np.ndarray, ks: Sequence[int]) -> _Neighbours:
        n = squares_x.shape[1]
        most = min(max(ks), n - 1)
        nearest = np.sort(_nearest(np.maximum(squares_x, squares_y), most), axis=1)
        radii = np.stack([nearest[:, min(k, most)] for k in ks])
        counts = [np.stack([_nearer(squares, radius) for radius in radii]).T for squares in (squares_x, squares_y)]
        inside = _psi(n)
        of_k = np.array([inside[min(k, most)] for k in ks])
        terms = of_k + inside[n] - inside[counts[0].clip(1)] - inside[counts[1].clip(1)]
        return cls(terms, 0.5 * np.log(radii.T.clip(_LEAST_SQUARE)))

    @classmethod
    def joined(cls, parts: Sequence[_Neighbours]) -> _Neighbours:
        return cls(np.concatenate([part.terms for part in parts]), np.concatenate([part.radii for part in parts]))


def _nearest(distances: np.ndarray, most: int) -> np.ndarray:
    """The least of each row and the `most` next to it, in no order but for the last; moves the entries."""
    distances.partition(most, axis=1)
    return distances[:, : most + 1]


def _nearer(distances: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How many of each row are below its radius."""
    return (distances < radius[:, None]).view(np.uint8).sum(axis=1, dtype=np.uint16)


def _neighbours(x: Rows, y: Rows, queries: int) -> _Neighbours:
    near = _Distances(x), _Distances(y)
    blocks = _blocks(queries, len(x))
    return _Neighbours.joined([_Neighbours.of(near[0].squares(some), near[1].squares(some), KS) for some in blocks])


def _canonical_neighbours(x: Rows, y: Rows, both: Rows, queries: int) -> tuple[_Neighbours, list[np.ndarray]]:
    """Neighbours of canonical columns, and the entropy terms of x, y and both."""
    near = [_Distances(rows) for rows in (x, y, both)]
    found, terms = [], []
    for some in _blocks(queries, len(x)):
        squares = [distances.squares(some) for distances in near]
        found.append(_Neighbours.of(squares[0], squares[1], _CANONICAL_KS))
        terms.append([_entropy_terms(part, rows.shape[1]) for part, rows in zip(squares, (x, y, both), strict=True)])
    return _Neighbours.joined(found), [np.concatenate(own) for own in zip(*terms, strict=True)]


@functools.lru_cache(maxsize=4)
def _psi(n: int) -> np.ndarray:
    return scipy.special.digamma(np.maximum(np.arange(n + 1), 1))


def _extrapolated(values: list[float], ks: Sequence[int], columns: int) -> float:
    return float(weights_of(ks, columns).numpy() @ np.array(values))


def _entropy_terms(squares: np.ndarray, d: int) -> np.ndarray:
    """Of each query the entropy of d whitened columns by the fourth neighbour, less that of a normal law in nats."""
    n = squares.shape[1]
    k = min(4 if d > 1 else max(4, math.isqrt(n)), n - 1)
    squared = _nearest(squares, k)[:, k]
    return d * (0.5 * np.log(squared.clip(_LEAST_SQUARE)) - mean_log_distance(n, d, k))


def _single_pairs(u: Rows, v: Rows, queries: int) -> np.ndarray:
    """KSG of each canonical pair by itself, shape (5,), 0 where there is none."""
    n = len(u)
    k = min(6, n - 1)
    inside, found = _psi(n), np.zeros(_PAIRS)
    for pair in range(min(_PAIRS, u.shape[1], v.shape[1])):
        sides = [rows[:, pair].astype(np.float32) for rows in (u, v)]
        lost = 0.0
        for some in _blocks(queries, n):
            near = [np.abs(side[some, None] - side) for side in sides]
            radius = _nearest(np.maximum(*near), k)[:, k]
            lost += sum(inside[_nearer(side, radius).clip(1)].sum() for side in near)
        found[pair] = inside[k] + inside[n] - lost / queries
    return found


def _shapes(
    linear: _Canonical,
    together: Rows,
    entropies: list[np.ndarray],
    pairs: np.ndarray,
    of_half: list[float],
    as_given: _Neighbours,
    canonical: _Neighbours,
) -> list[float]:
    n, d_x, d_y = len(linear.x), linear.x.shape[1], linear.y.shape[1]
    correlations = np.zeros(_PAIRS)
    correlations[: min(_PAIRS, len(linear.correlations))] = linear.correlations[:_PAIRS]
    tails = []
    for rows in (linear.x, linear.y, together):
        d = rows.shape[1]
        tails.append(math.log(float(np.square(np.square(rows).sum(axis=1)).mean()) / (d * (d + 2))))
    squares = [np.square(rows) for rows in (linear.x, linear.y)]
    squares = [(rows - rows.mean(axis=0)) / rows.std(axis=0).clip(1e-6) for rows in squares]
    of_squares = np.linalg.svd(squares[0].T @ squares[1] / n, compute_uv=False)
    lengths = np.corrcoef(np.square(linear.x).sum(axis=1), np.square(linear.y).sum(axis=1))[0, 1]
    few, many = (1 / math.sqrt(n), math.log(n))
    return [
        few,
        many,
        d_x,
        d_y,
        math.log(d_x + d_y),
        min(d_x, d_y),
        n ** (-1 / (d_x + d_y)),
        (d_x + d_y) / math.sqrt(n),
        *correlations,
        *(-0.5 * np.log1p(-np.square(correlations))),
        *pairs,
        *tails,
        of_squares[0],
        float(np.square(of_squares).sum()),
        lengths,
        *(float(terms.mean()) for terms in entropies),
        *(float(terms.std()) / 3 for terms in entropies),
        *of_half,
        *(a - b for a, b in zip(as_given.values, of_half, strict=True)),
        *(as_given.terms.std(axis=0) * few),
        *(canonical.terms.std(axis=0) * few),
    ]


def _told_of_columns(linear: _Canonical) -> np.ndarray:
    parts = []
    for side, rows in ((-1, linear.x), (1, linear.y)):
        d = rows.shape[1]
        own = np.zeros(d)
        own[: len(linear.correlations)] = linear.correlations[:d]
        parts.append(np.stack([np.full(d, side), own, 1 / (1 + np.arange(d))], axis=1))
    return np.concatenate(parts).astype(np.float32)


def _rows_seen(
    as_given: _Neighbours, canonical: _Neighbours, entropies: list[np.ndarray], linear: _Canonical, seen: int
) -> np.ndarray:
    r = linear.correlations
    u, v = linear.x[:seen, : len(r)], linear.y[:seen, : len(r)]
    density = (-np.square(r) * (np.square(u) + np.square(v)) + 2 * r * u * v) / (1 - np.square(r)) / 2
    normal = (density - 0.5 * np.log1p(-np.square(r))).sum(axis=1).clip(-20, 20)
    lengths = [np.log(np.square(rows[:seen]).mean(axis=1).clip(1e-6)) for rows in (linear.x, linear.y)]
    parts = [
        *as_given.terms[:seen, 1::2].T,
        *canonical.terms[:seen].T,
        *(canonical.radii[:seen, [0, 2]].T),
        *(terms[:seen] for terms in entropies),
        normal,
        *lengths,
        as_given.radii[:seen, 2],
    ]
    return np.stack(parts, axis=1).astype(np.float32)
