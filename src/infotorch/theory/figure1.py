"""Figure 1 of Amjad & Geiger 2019: I(X; L) of f(x) = relu(x - a) - relu(x - a - b), over a and b.

The figure's coordinates stand in no text. Chosen once, between the steps of its grid: four points with masses, twelve
data points around them, and intervals of width 0.08 around the points with the points' masses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from infotorch.figures.demonstration import Heat
from infotorch.numerics.checks import check_positive
from infotorch.theory.demonstration import Claim, Demonstrated, in_bits
from infotorch.theory.pieces import Piece, Pieces, entropy

#: (place, mass) of input (a).
POINTS = ((0.12, 0.2), (0.33, 0.3), (0.62, 0.4), (0.87, 0.1))
#: Data points of input (b), equally likely.
DATA = (0.08, 0.11, 0.14, 0.28, 0.31, 0.33, 0.37, 0.58, 0.61, 0.64, 0.66, 0.88)
#: Half the width of the intervals of input (c), around the points of (a).
HALF_WIDTH = 0.04
# A parameter's move that changes no group of inputs: smaller than any distance between them and the grid.
_TINY = 1e-6


def inputs() -> dict[str, Pieces]:
    """The three laws of X on [0, 1]: (a) points, (b) a data set, (c) intervals."""
    return {
        "a": Pieces(Piece(mass, at, at, 0) for at, mass in POINTS),
        "b": Pieces(Piece(1 / len(DATA), at, at, 0) for at in DATA),
        "c": Pieces(Piece(mass, at - HALF_WIDTH, at + HALF_WIDTH, 0) for at, mass in POINTS),
    }


def information(law: Pieces, a: float, b: float) -> float:
    """I(X; f(X)) in nats, exact: f joins all inputs below a, and all above a + b, and keeps the others apart.

    Args:
        law: of X.
        a: where f starts to rise.
        b: how far it does; 0 makes it constant, and below 0 it falls.

    Example:
        >>> law = Pieces([Piece(0.5, 0.2, 0.2, 0), Piece(0.5, 0.8, 0.8, 0)])
        >>> round(in_bits(information(law, 0.5, 0.1)), 6), information(law, 0.9, 0.1)
        (1.0, 0.0)
    """
    if b == 0:
        return 0.0
    low, high = sorted((a, a + b))
    below, kept, above = 0.0, [], 0.0
    for piece in law.pieces:
        if piece.low == piece.high:
            below, above = below + piece.mass * (piece.low <= low), above + piece.mass * (piece.low >= high)
            kept += [piece.mass] if low < piece.low < high else []
            continue
        under, over = piece.below(low), 1 - piece.below(high)
        if under + over < 1:
            return math.inf
        below, above = below + piece.mass * under, above + piece.mass * over
    return entropy([below, *kept, above])


def figure_1(*, step: float = 0.05) -> Demonstrated:
    """I(X; L) over a and b in [0, 1] for the three inputs.

    Args:
        step: of the grid; the paper has 0.05.

    Raises:
        ValueError: step not positive, or above 1.
        TypeError: step is no number.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Fig. 1 and Sec. 4.2.

    Example:
        >>> figure_1(step=0.25).metrics["c_infinite_cells"]
        16.0
    """
    check_positive(step, where="figure_1", name="step")
    if step > 1:
        raise ValueError(f"figure_1: step must be at most 1, got {step}.")
    # Divided, not added up, so that a place of the grid is the float next to it.
    grid = [n * step for n in range(math.floor(1 / step + 1e-9) + 1)]
    laws = inputs()
    values = {name: [[in_bits(information(law, a, b)) for a in grid] for b in grid] for name, law in laws.items()}
    finite = {name: [v for row in rows for v in row if math.isfinite(v)] for name, rows in values.items()}
    levels = {name: _levels(found) for name, found in finite.items()}
    cells = len(grid) ** 2
    blank = cells - len(finite["c"])
    still = {name: _still(law, grid) for name, law in laws.items()}
    metrics: dict[str, float] = {"cells": float(cells), "c_infinite_cells": float(blank)}
    for name in laws:
        metrics |= {f"{name}_levels": float(len(levels[name])), f"{name}_highest_bits": max(finite[name])}
    kinds = {"a": "points", "b": "a data set", "c": "intervals"}
    figures = [
        Heat(
            f"({name}) X on {kinds[name]}", "a", "b", "bits", grid, grid, values[name],
            "Blank cells are infinite." if name == "c" else "",
        )
        for name in laws
    ]  # fmt: skip
    return Demonstrated(metrics, _claims(levels, still, blank, cells, max(finite["b"])), figures)


def _levels(values: Sequence[float]) -> list[float]:
    """The different values, equal up to rounding."""
    ordered = sorted(values)
    return ordered[:1] + [high for low, high in pairwise(ordered) if high - low > 1e-9]


def _still(law: Pieces, grid: Sequence[float]) -> int:
    """At how many places of the grid with a finite value a tiny move of a or b changes it."""
    changed = 0
    for a in grid:
        for b in grid[1:]:
            here = information(law, a, b)
            moves = ((a + _TINY, b), (a - _TINY, b), (a, b + _TINY), (a, b - _TINY))
            if math.isfinite(here):
                changed += any(abs(information(law, *to) - here) > 1e-12 for to in moves)
    return changed


def _claims(
    levels: dict[str, list[float]], still: dict[str, int], blank: int, cells: int, highest: float
) -> tuple[Claim, ...]:
    place = "Sec. 4.2, Fig. 1"
    return (
        Claim(
            "X discrete: I(X; L) is piecewise constant, its gradient 0 almost everywhere",
            f"{place} (a, e)",
            f"{len(levels['a'])} values on {cells} cells; a tiny move changes {still['a']} of them",
            still["a"] == 0 and len(levels["a"]) < cells,
        ),
        Claim(
            "learning from data: the same, at most log |D|",
            f"{place} (b, f)",
            f"{len(levels['b'])} values, the highest {highest:.4f} bits; log2 {len(DATA)} is "
            f"{math.log2(len(DATA)):.4f}; a tiny move changes {still['b']} cells",
            still["b"] == 0 and highest <= math.log2(len(DATA)) + 1e-9,
        ),
        Claim(
            "X continuous on intervals: infinite in some cells and piecewise constant in the others",
            f"{place} (c, g)",
            f"{blank} of {cells} cells infinite; {len(levels['c'])} values elsewhere, of which a tiny move changes "
            f"{still['c']}",
            0 < blank < cells and still["c"] == 0,
        ),
    )
