"""Which columns of the input are continuous: on those I(X; T) can be infinite, on the others it never is."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from infotorch.numerics.symbols import multiplicity

InputKind = Literal["continuous", "mixed", "discrete"]

#: Share of tied entries, beside a column's most frequent value, from which it counts as discrete. Rows of a density
#: tie in about n / 2^24 of the entries (float32 has no more numbers of one size), 256 levels in half of 200.
TIED = 0.1
# Entries beside the most frequent value that a column of its own needs: of 256 levels a third of 100 has a twin, and of
# 30, as at the border of an image, a tenth, which chance may halve.
_FEW, _LEVELS = 100, 256
# Columns of fewer entries are judged together, by half of the ties that so many levels would make; but those of which
# half tie show few values by themselves, and those without a tie a density, where chance alone rarely does that.
_HALF, _PLAIN, _CHANCE = 0.5, 0.5, 0.05


def continuous_columns(x: Tensor) -> Tensor:
    """Which columns of x look as if drawn from a density, perhaps beside one value with mass (such as 0).

    A column is continuous where its values do not repeat, apart from the most frequent one. Pixels of 256 levels
    repeat, also after each column was centred and scaled; measurements with many digits do not. More levels than the
    square of the number of rows (16 bits on a few hundred) cannot be told from a density. Columns that differ from
    their most frequent value in fewer than 100 rows, as at the border of an image, are judged together.

    Args:
        x: shape (n, ...); integers and booleans are discrete whatever their values.

    Returns:
        Booleans, one for each column of x flattened; False for constant columns.

    Example:
        >>> x = torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
        >>> x[:, 1] = (x[:, 1] * 255).round() / 255
        >>> x[:, 2] = x[:, 2].relu() * (torch.arange(100) % 2)
        >>> continuous_columns(x).tolist()
        [True, False, True]
    """
    rows = x.flatten(1) if x.ndim > 1 else x[:, None]
    if not x.is_floating_point():
        return torch.zeros(rows.shape[1], dtype=torch.bool)
    others, tied = (torch.tensor(counts, dtype=torch.float64) for counts in zip(*map(_ties, rows.T), strict=True))
    share = tied / others.clamp_min(1)
    few = (others < _FEW) & (share < _PLAIN)
    # One without a tie stands for itself where no tie in any such column of 256 levels is unlikely.
    few &= (tied > 0) | (few.sum() * (-others * (others - 1) / 2 / _LEVELS).exp() > _CHANCE)
    expected = others[few] * (1 - (1 - 1 / _LEVELS) ** (others[few] - 1).clamp_min(0))
    # One entry more, as tied as all columns are: where the few tell nothing they go with the others.
    together = (tied[few].sum() + tied.sum() / others.sum().clamp_min(1)) / (expected.sum() + 1)
    discrete = torch.where(few, together >= _HALF, share >= TIED)
    return (others > 0) & ~discrete


def _ties(column: Tensor) -> tuple[int, int]:
    """Entries beside the most frequent value, and how many of them have a twin."""
    often = multiplicity(column[:, None])
    modal = column == column[often.argmax()] if int(often.max()) > 1 else torch.zeros_like(column, dtype=torch.bool)
    if bool(modal.all()):
        return 0, 0
    return int((~modal).sum()), int((often[~modal] > 1).sum())


def input_kind(continuous: Tensor, x: Tensor) -> InputKind:
    """The input as a whole, by its columns; constant columns do not count.

    Example:
        >>> input_kind(torch.tensor([True, False]), torch.tensor([[0.1, 1.0], [0.7, 1.0]]))
        'continuous'
    """
    rows = x.flatten(1) if x.ndim > 1 else x[:, None]
    varying = (rows != rows[:1]).any(dim=0).to(continuous.device)
    if not bool(continuous.any()):
        return "discrete"
    return "continuous" if bool(continuous[varying].all()) else "mixed"
