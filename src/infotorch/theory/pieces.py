"""Laws on a line made of uniform pieces and points, and the functions, straight between knots, that make them.

L is the output of a one-dimensional network that is linear where its input lives; each piece carries a class. Its
information has a closed form under every remedy: no sampling, no quadrature. In nats.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from infotorch.numerics.checks import check_number, check_positive


@dataclass(frozen=True)
class Piece:
    """Mass that lies evenly between two ends, or at one point where they are equal.

    Args:
        mass: its probability.
        low: lower end.
        high: upper end.
        label: class of the inputs that it comes from.

    Raises:
        ValueError: mass not positive, or ends that are not finite or do not rise.
        TypeError: mass or an end is no number.
    """

    mass: float
    low: float
    high: float
    label: int

    def __post_init__(self) -> None:
        check_positive(self.mass, where="Piece", name="mass")
        for name in ("low", "high"):
            check_number(getattr(self, name), where="Piece", name=name)
        if not -math.inf < self.low <= self.high < math.inf:
            raise ValueError(f"Piece: low and high must be finite and not fall, got {self.low} and {self.high}.")

    def below(self, t: float) -> float:
        """Share of the piece that lies below t; a point at t lies not below it."""
        if self.low == self.high:
            return float(self.low < t)
        return min(max((t - self.low) / (self.high - self.low), 0.0), 1.0)


class Pieces:
    """A law on the line with a class attached: L, and Y.

    Args:
        pieces: their masses add up to 1.

    Raises:
        ValueError: no piece, or masses that do not add up to 1.

    Source: the functions of Amjad & Geiger 2019, arXiv:1802.09766, Fig. 2, have such outputs.

    Example:
        >>> law = Pieces([Piece(0.5, 0.0, 0.5, label=0), Piece(0.5, 0.5, 1.0, label=1)])
        >>> law.information(), round(law.noisy_information(0.5), 6), round(law.label_information() / math.log(2), 6)
        (inf, 0.5, 1.0)
    """

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.pieces = tuple(pieces)
        total = sum(piece.mass for piece in self.pieces)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"Pieces: the masses must add up to 1, got {total}.")

    def information(self) -> float:
        """I(X; L) of a deterministic L, which is H(L): infinite as soon as any mass is spread out."""
        if any(piece.low < piece.high for piece in self.pieces):
            return math.inf
        return entropy(_sums((piece.low, piece.mass) for piece in self.pieces).values())

    def label_entropy(self) -> float:
        """H(Y)."""
        return entropy(self._labels().values())

    def label_information(self) -> float:
        """I(Y; L): H(Y) less what pieces of several classes that overlap leave open."""
        points = [piece for piece in self.pieces if piece.low == piece.high]
        spread = [piece for piece in self.pieces if piece.low < piece.high]
        ends = sorted({end for piece in spread for end in (piece.low, piece.high)})
        places = [_sums((p.label, p.mass) for p in points if p.low == at) for at in {p.low for p in points}]
        for low, high in pairwise(ends):
            places.append(_sums((p.label, p.mass * (p.below(high) - p.below(low))) for p in spread))
        return self.label_entropy() - sum(_open(place) for place in places)

    def noisy_information(self, half_width: float) -> float:
        """I(X; L + noise), the noise uniform on [-half_width, half_width] and independent: h(L + noise) - h(noise).

        Raises:
            ValueError: half_width not positive.
            TypeError: half_width is no number.
        """
        return self._noisy_entropy(self.pieces, half_width) - math.log(2 * half_width)

    def noisy_label_information(self, half_width: float) -> float:
        """I(Y; L + noise); errors as `noisy_information`."""
        told = self._noisy_entropy(self.pieces, half_width)
        for label, mass in self._labels().items():
            told -= mass * self._noisy_entropy([p for p in self.pieces if p.label == label], half_width)
        return told

    def cell_information(self, borders: Sequence[float]) -> float:
        """I(X; Q(L)) = H(Q(L)), Q telling which of the rising borders L exceeds."""
        return entropy(_sums((cell, mass) for cell, _, mass in self._cells(borders)).values())

    def cell_label_information(self, borders: Sequence[float]) -> float:
        """I(Y; Q(L)), Q as above; one border alone is the hard decision rule."""
        found = list(self._cells(borders))
        cells = {cell for cell, _, _ in found}
        left = sum(_open(_sums((label, mass) for at, label, mass in found if at == cell)) for cell in cells)
        return self.label_entropy() - left

    def soft_information(self) -> float:
        """I(X; Yhat), Yhat drawn to be 1 with probability L.

        Raises:
            ValueError: L leaves [0, 1].
        """
        return _binary(self._mean(self.pieces)) - sum(p.mass * _mean_binary(p.low, p.high) for p in self.pieces)

    def soft_label_information(self) -> float:
        """I(Y; Yhat), Yhat as above."""
        told = _binary(self._mean(self.pieces))
        for label, mass in self._labels().items():
            told -= mass * _binary(self._mean([p for p in self.pieces if p.label == label]))
        return told

    def _labels(self) -> dict[float, float]:
        return _sums((piece.label, piece.mass) for piece in self.pieces)

    def _cells(self, borders: Sequence[float]) -> Iterable[tuple[int, int, float]]:
        """Cell, class and mass, of every piece in every cell that it reaches; a border belongs to the cell below."""
        edges = [-math.inf, *borders, math.inf]
        for piece in self.pieces:
            if piece.low == piece.high:
                yield bisect_left(borders, piece.low), piece.label, piece.mass
                continue
            for cell, (low, high) in enumerate(pairwise(edges)):
                share = piece.below(high) - piece.below(low)
                if share > 0:
                    yield cell, piece.label, piece.mass * share

    @staticmethod
    def _mean(pieces: Sequence[Piece]) -> float:
        if any(piece.low < 0 or piece.high > 1 for piece in pieces):
            raise ValueError("Pieces: a soft decision needs L in [0, 1].")
        total = sum(piece.mass for piece in pieces)
        return min(sum(piece.mass * (piece.low + piece.high) / 2 for piece in pieces) / total, 1.0)

    @staticmethod
    def _noisy_entropy(pieces: Sequence[Piece], half_width: float) -> float:
        """Differential entropy of these pieces, as a law of their own, plus the noise.

        The density of the sum is linear between the pieces' ends moved by the half width either way.
        """
        check_positive(half_width, where="Pieces", name="half_width")
        total = sum(piece.mass for piece in pieces)
        ends = (end for piece in pieces for end in (piece.low, piece.high))
        knots = sorted({moved for end in ends for moved in (end - half_width, end + half_width)})

        def density(t: float) -> float:
            return sum(p.mass * _covered(p, t, half_width) for p in pieces) / (2 * half_width * total)

        found = 0.0
        for low, high in pairwise(knots):
            quarter = (high - low) / 4
            first, second = density(low + quarter), density(high - quarter)
            # A point's density jumps at a knot, so that its ends are told from inside.
            found += (high - low) * _mean_entropy((3 * first - second) / 2, (3 * second - first) / 2)
        return found


class PiecewiseLinear:
    """A continuous function on the line, straight between knots and constant beyond them.

    Args:
        at: places of the knots, rising, two or more.
        values: heights there.

    Raises:
        ValueError: places that do not rise, fewer than two, or not as many values.

    Example:
        >>> ramp = PiecewiseLinear([0.0, 1.0], [0.0, 2.0])
        >>> ramp(-1.0), ramp(0.5), ramp(7.0), ramp.crossings(1.0)
        (0.0, 1.0, 2.0, [0.5])
    """

    def __init__(self, at: Sequence[float], values: Sequence[float]) -> None:
        if len(at) < 2 or any(right <= left for left, right in pairwise(at)):
            raise ValueError(f"PiecewiseLinear: at must be two places or more that rise, got {list(at)}.")
        if len(values) != len(at):
            raise ValueError(f"PiecewiseLinear: values must be one for each of {len(at)} places, got {len(values)}.")
        self.at, self.values = tuple(at), tuple(values)

    def __call__(self, x: float) -> float:
        """The height at x."""
        if x <= self.at[0] or x >= self.at[-1]:
            return self.values[0] if x <= self.at[0] else self.values[-1]
        right = bisect_left(self.at, x)
        (left, a), (end, b) = self.knots()[right - 1 : right + 1]
        return b if x == end else a + (x - left) / (end - left) * (b - a)

    def knots(self) -> list[tuple[float, float]]:
        """(place, height) of every knot."""
        return list(zip(self.at, self.values, strict=True))

    def crossings(self, height: float) -> list[float]:
        """Where the function passes between "above `height`" and "not above", rising."""
        return [
            left + (height - a) / (b - a) * (right - left)
            for (left, a), (right, b) in pairwise(self.knots())
            if (a > height) != (b > height)
        ]


def entropy(masses: Iterable[float]) -> float:
    """Entropy of probabilities, in nats.

    Example:
        >>> round(entropy([0.25] * 4) / math.log(2), 12), entropy([1.0])
        (2.0, 0.0)
    """
    return sum((-mass * math.log(mass) for mass in masses if mass > 0), 0.0)


def _covered(piece: Piece, t: float, half_width: float) -> float:
    """Share of a piece within half_width of t."""
    if piece.low == piece.high:
        return float(abs(t - piece.low) < half_width)
    return piece.below(t + half_width) - piece.below(t - half_width)


def _mean_entropy(first: float, last: float) -> float:
    """Mean of -p log p while p goes evenly from `first` to `last`."""
    first, last = max(first, 0.0), max(last, 0.0)
    # Below, the difference of the primitives would lose what the middle misses, some (1e-5)^2 / 24 of the value.
    if abs(last - first) <= 1e-5 * max(first, last, 1e-300):
        return entropy([(first + last) / 2])

    def primitive(p: float) -> float:
        return p * p * (1 - 2 * math.log(p)) / 4 if p > 0 else 0.0

    return (primitive(last) - primitive(first)) / (last - first)


def _binary(p: float) -> float:
    return entropy([p, 1 - p])


def _mean_binary(low: float, high: float) -> float:
    """Mean entropy of a coin whose probability lies evenly between two ends."""
    return _mean_entropy(low, high) + _mean_entropy(1 - high, 1 - low)


def _open(place: dict[float, float]) -> float:
    """What one place leaves open of the class, weighed by its mass."""
    mass = sum(place.values())
    return mass * entropy(part / mass for part in place.values()) if mass > 0 else 0.0


def _sums(parts: Iterable[tuple[float, float]]) -> dict[float, float]:
    found: dict[float, float] = {}
    for key, mass in parts:
        found[key] = found.get(key, 0.0) + mass
    return found
