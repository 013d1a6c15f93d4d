"""What single columns still tell of one variable once another is known: by the chain rule, whatever the three are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.conditional import conditional_ksg
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.single_columns import Column, K, column_informations, information_of_symbols, normal_grid
from infotorch.numerics.symbols import symbols


def conditional_column_informations(columns: Sequence[Column], y: Column, z: Column) -> Tensor:
    """I(X_j; Y | Z) of every column, in nats, (d,), float64, not clamped.

    Three columns of numbers: `conditional_ksg` of their normal scores. Given symbols, numbers with numbers: the mean of
    `ksg` over the symbols. All else is a difference of unconditional estimates: I(X; (Y, Z)) - I(X; Z) where y and z
    are symbols, I((X, Z); Y) - I(Z; Y) where y alone is, and the like.

    Args:
        columns: of the same samples as y and z.
        y: the variable.
        z: what is known; a column that equals it tells 0 more.

    Example:
        >>> x = torch.randn(2, 400, generator=torch.Generator().manual_seed(0))
        >>> columns = [Column.read(values, f"x{j}") for j, values in enumerate(x)]
        >>> y = Column.read((x.sum(dim=0) > 0).long(), "y")
        >>> found = conditional_column_informations(columns, y, columns[0])
        >>> float(found[0]), float(found[1]) > 0.2
        (0.0, True)
    """
    if len(y.codes) < K + 2:
        return torch.zeros(len(columns), dtype=torch.float64, device=y.codes.device)
    given = _given_symbols if z.discrete else _given_numbers
    return given(columns, y, z)


def _given_symbols(columns: Sequence[Column], y: Column, z: Column) -> Tensor:
    if y.discrete:
        return column_informations(columns, _pair(y, z)) - column_informations(columns, z)
    found = torch.zeros(len(columns), dtype=torch.float64, device=y.codes.device)
    for j, column in enumerate(columns):
        if column.discrete:
            found[j] = information_of_symbols(_pair(column, z).codes, y) - information_of_symbols(z.codes, y)
        elif column is not y:
            found[j] = _mean_over_symbols(column, y, z.codes)
    return found


def _mean_over_symbols(x: Column, y: Column, z: Tensor) -> Tensor:
    """Of numbers; symbols of too few samples add nothing."""
    total = torch.zeros((), dtype=torch.float64, device=z.device)
    for symbol in range(int(z.max()) + 1):
        rows = (z == symbol).nonzero().flatten()
        if len(rows) > K:
            total += column_informations([x.take(rows)], y.take(rows))[0] * len(rows)
    return total / len(z)


def _given_numbers(columns: Sequence[Column], y: Column, z: Column) -> Tensor:
    of_two: Callable[[Column, Column, Column], Tensor | float]
    found = torch.zeros(len(columns), dtype=torch.float64, device=y.codes.device)
    for j, x in enumerate(columns):
        if x is z:
            continue
        if x.discrete and y.discrete:
            together, alone = information_of_symbols(_pair(x, y).codes, z), information_of_symbols(x.codes, z)
            found[j] = information_of_symbols(x.codes, y) + together - alone - information_of_symbols(y.codes, z)
            continue
        of_two = _of_numbers if not (x.discrete or y.discrete) else _symbols_of_plane
        found[j] = of_two(x, y, z)
    return found


def _of_numbers(x: Column, y: Column, z: Column) -> float:
    grid = normal_grid(len(z.codes), z.codes.device)
    with unexamined():
        return float(conditional_ksg(grid[x.codes], grid[y.codes], grid[z.codes], k=K))


def _symbols_of_plane(x: Column, y: Column, z: Column) -> Tensor:
    """Symbols and numbers, x and y in whichever order: how much more the plane tells of the symbols than z alone."""
    labels, numbers = (x, y) if x.discrete else (y, x)
    rows = (torch.bincount(labels.codes)[labels.codes] > 1).nonzero().flatten()
    labels, numbers, z = labels.take(rows), numbers.take(rows), z.take(rows)
    if len(rows) <= K:
        return torch.zeros((), dtype=torch.float64, device=rows.device)
    grid = normal_grid(len(rows), rows.device)
    plane = torch.stack([grid[numbers.codes], grid[z.codes]], dim=1)
    with unexamined():
        together = ross(plane, labels.codes, k=K, metric="chebyshev").value
    return together - information_of_symbols(labels.codes, z)


def _pair(a: Column, b: Column) -> Column:
    return Column(symbols(torch.stack([a.codes, b.codes], dim=1)), True)
