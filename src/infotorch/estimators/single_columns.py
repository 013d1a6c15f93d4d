"""Mutual information of many single columns with one variable, in one pass.

A number is read by its place among the others alone, so that no increasing map of a column changes anything. All
columns then lie on one grid, the normal scores: how many values lie within a radius is looked up in it, and Ross'
estimate is one sort for all columns. On the same grid KSG leaves only the search in the plane to each column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infotorch.numerics.plane import plane_radii
from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.symbols import symbols

#: Neighbours. With 5 numbers err less than with 3, numbers with symbols about as little, of 300 to 10,000 samples; more
#: tell high values too low (the laws of benchmarks/feature_scores.py).
K = 5
# Entries that are held at a time: columns beyond are another pass.
_AT_ONCE = 2_000_000
# A symbol that occurs less often on average says little about its frequency, as in `mutual_information`.
_ROWS_PER_INTEGER = 2
# Cells of a table, for each sample: with more, pairs are sorted.
_CELLS = 4


@dataclass(frozen=True)
class Column:
    """One variable: symbols, or numbers of which only the order is read.

    Args:
        codes: int64, (n,): the number of each symbol from 0, or each value's place from 0, no two the same.
        discrete: whether codes are symbols.

    Example:
        >>> Column.read(torch.tensor([0.3, -1.0, 7.5]), "x", discrete=False).codes.tolist()
        [1, 0, 2]
    """

    codes: Tensor
    discrete: bool

    @staticmethod
    def read(values: Tensor, name: str, *, discrete: bool | None = None) -> Column:
        """Of plain values, (n,).

        Args:
            values: finite.
            name: decides the order of ties, which is random, and the same in every call.
            discrete: None: integers, unless nearly every value is another one. A constant is one symbol.
        """
        if discrete is None:
            few = max(len(values) / _ROWS_PER_INTEGER, 1)
            discrete = not values.is_floating_point() and len(values.unique()) <= few
        if discrete or bool((values == values[:1]).all()):
            return Column(symbols(values[:, None]), True)
        generator = torch.Generator().manual_seed(derive_seed(0, f"ties of {name}"))
        shuffled = torch.randperm(len(values), generator=generator, device="cpu").to(values.device)
        order = shuffled[values[shuffled].argsort(stable=True)]
        return Column(places(order), False)

    def take(self, rows: Tensor) -> Column:
        """Some of the samples."""
        kept = self.codes[rows]
        if self.discrete or len(kept) < 2:
            return Column(symbols(kept[:, None]), True)
        return Column(places(kept.argsort()), False)


def places(order: Tensor) -> Tensor:
    """The inverse of permutations, along the last axis.

    Example:
        >>> places(torch.tensor([2, 0, 1])).tolist()
        [1, 2, 0]
    """
    inverse = torch.empty_like(order)
    return inverse.scatter_(-1, order, torch.arange(order.shape[-1], device=order.device).expand_as(order))


def normal_grid(n: int, device: torch.device | str = "cpu") -> Tensor:
    """Normal scores of the places 0 to n - 1, ascending, float64.

    Example:
        >>> normal_grid(3).round(decimals=3).tolist()
        [-0.674, 0.0, 0.674]
    """
    return torch.special.ndtri(torch.arange(1, n + 1, dtype=torch.float64, device=device) / (n + 1))


def column_informations(columns: Sequence[Column], y: Column, *, k: int = K) -> Tensor:
    """I(X_j; Y) of every column with y, in nats, (d,), float64, not clamped.

    Two columns of numbers: `ksg` of their normal scores. Numbers and symbols: `ross` of the numbers' normal scores. Two
    columns of symbols: `discrete_mi` with Miller and Madow's correction.

    Args:
        columns: of the same samples as y.
        y: the variable.
        k: number of neighbours; one less than there are samples, of a class or in all, where these are too few.

    Example:
        >>> x = torch.randn(2, 400, generator=torch.Generator().manual_seed(0))
        >>> columns = [Column.read(values, f"x{j}") for j, values in enumerate(x)]
        >>> y = Column.read((x[0] > 0).long(), "y")
        >>> [abs(round(value, 1)) for value in column_informations(columns, y).tolist()]  # log 2 = 0.69, and 0
        [0.7, 0.0]
    """
    found = torch.zeros(len(columns), dtype=torch.float64, device=y.codes.device)
    numbers = [j for j, column in enumerate(columns) if not column.discrete]
    of_numbers = ross_of_places if y.discrete else ksg_of_places
    at_once = max(1, _AT_ONCE // len(y.codes))
    for start in range(0, len(numbers), at_once):
        some = numbers[start : start + at_once]
        found[some] = of_numbers(torch.stack([columns[j].codes for j in some]), y.codes, k)
    for j, column in enumerate(columns):
        if column.discrete:
            found[j] = information_of_symbols(column.codes, y, k)
    return found


def information_of_symbols(codes: Tensor, y: Column, k: int = K) -> Tensor:
    """I(X; Y) of symbols with any variable, in nats, 0-d."""
    if y.discrete:
        return _information_of_counts(*pair_counts(codes, y.codes), len(codes))
    return ross_of_places(y.codes[None], codes, k)[0]


def pair_counts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of numbered symbols how often each pair that occurs does, and how often its symbols do, each (pairs,).

    Example:
        >>> [counts.tolist() for counts in pair_counts(torch.tensor([0, 0, 1]), torch.tensor([1, 0, 1]))]
        [[1, 1, 1], [2, 2, 1], [1, 2, 2]]
    """
    of_a, of_b = torch.bincount(a), torch.bincount(b)
    pairs = a * len(of_b) + b
    if len(of_a) * len(of_b) <= _CELLS * len(a):
        counts = torch.bincount(pairs)
        found = counts.nonzero().flatten()
        counts = counts[found]
    else:
        found, counts = torch.unique(pairs, return_counts=True)
    return counts, of_a[found // len(of_b)], of_b[found % len(of_b)]


def _information_of_counts(counts: Tensor, of_a: Tensor, of_b: Tensor, n: int) -> Tensor:
    """By Miller and Madow's correction: of each symbol its pairs hold together as many samples as itself."""
    counts, of_a, of_b = counts.double(), of_a.double(), of_b.double()
    plug_in = (counts * (counts * n / of_a / of_b).log()).sum() / n
    num_a, num_b = ((counts / own).sum().round() for own in (of_a, of_b))
    return plug_in + (num_a + num_b - len(counts) - 1) / (2 * n)


def ksg_of_places(columns: Tensor, y: Tensor, k: int = K) -> Tensor:
    """KSG, variant 1, of the normal scores of each column with those of y.

    Args:
        columns: the place of each value among its column's, (d, n).
        y: likewise, (n,).
        k: number of neighbours, fewer where there are too few samples.

    Returns:
        Nats, (d,).
    """
    n = len(y)
    k = min(k, n - 1)
    if k < 1:
        return torch.zeros(len(columns), dtype=torch.float64, device=y.device)
    grid, in_order = normal_grid(n, y.device), columns[:, places(y)]
    itself, radius = torch.arange(n, device=y.device), plane_radii(grid[in_order], grid, k)
    # One ulp below: counts are inclusive, and variant 1 is strict.
    radius = torch.nextafter(radius, torch.zeros_like(radius))
    psi = _digammas(n, y.device)
    of_both = psi[within(grid, in_order, radius)] + psi[within(grid, itself.expand_as(radius), radius)]
    return psi[k] + psi[n] - of_both.mean(dim=1)


def ross_of_places(columns: Tensor, labels: Tensor, k: int = K) -> Tensor:
    """Ross' estimate of the normal scores of each column with symbols; samples alone in their class are left out.

    Args:
        columns: the place of each value among its column's, (d, n).
        labels: numbers of symbols, (n,).
        k: number of neighbours, fewer in a class that has too few samples.

    Returns:
        Nats, (d,); 0 where every sample is a class of its own.
    """
    kept = torch.bincount(labels)[labels] > 1
    if not bool(kept.all()):
        columns, labels = places(columns[:, kept].argsort(dim=1)), symbols(labels[kept][:, None])
    n, d = len(labels), len(columns)
    if n == 0:
        return torch.zeros(d, dtype=torch.float64, device=columns.device)
    grid, psi = normal_grid(n, columns.device), _digammas(n, columns.device)
    # The classes along each sorted column, then for each class the places of its samples.
    by_class = labels[places(columns)].argsort(dim=1, stable=True)
    total, start = torch.zeros(d, dtype=torch.float64, device=columns.device), 0
    for size in (own for own in torch.bincount(labels).tolist() if own):
        own = by_class[:, start : start + size]
        radius, inside = _nearest_of_class(grid[own], min(k, size - 1))
        # Counts include the sample itself, which Ross' leave out.
        of_all = psi[within(grid, own, radius) - 1] - psi[n]
        # Two differences value by value: they are exactly 0 of one class.
        total += (psi[inside - 1] - psi[size] - of_all).sum(dim=1)
        start += size
    return total / n


def _nearest_of_class(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Of ascending values, (d, m), the distance to the k-th nearest, and how many lie within it, each itself included.

    The k nearest and the value itself are one of k + 1 runs. No two values are equal, so that k places to either side
    hold all that lie within.
    """
    d, m = values.shape
    beyond = values.new_full((d, k), torch.inf)
    padded = torch.cat([-beyond, values, beyond], dim=1)
    runs = [torch.maximum(values - padded[:, j : j + m], padded[:, j + k : j + k + m] - values) for j in range(k + 1)]
    radius = torch.stack(runs).amin(dim=0)
    near = [(padded[:, j : j + m] - values).abs() <= radius for j in range(2 * k + 1)]
    return radius, torch.stack(near).sum(dim=0)


def within(grid: Tensor, at: Tensor, radius: Tensor) -> Tensor:
    """How many values of the grid lie within a radius (inclusive) of the value at a place, itself included.

    Args:
        grid: ascending, no two values equal, (n,).
        at: places, any shape.
        radius: of the same shape.

    Example:
        >>> within(torch.tensor([0.0, 1.0, 3.0]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0])).tolist()
        [2, 3]
    """
    last, middle = len(grid) - 1, grid[at]
    # A sum rounds otherwise than the difference that the radius is: who lies on it is decided by the difference.
    right = torch.searchsorted(grid, middle + radius, right=True) - 1
    more = (right + 1).clamp(max=last)
    right = torch.where(grid[more] - middle <= radius, more, right)
    right = right - (grid[right] - middle > radius).long()
    left = torch.searchsorted(grid, middle - radius)
    more = (left - 1).clamp(min=0)
    left = torch.where(middle - grid[more] <= radius, more, left)
    left = left + (middle - grid[left.clamp(max=last)] > radius).long()
    return right - left + 1


def _digammas(n: int, device: torch.device) -> Tensor:
    """Psi of 0 to n; of 0 it is never read."""
    return torch.arange(n + 1, dtype=torch.float64, device=device).digamma()
