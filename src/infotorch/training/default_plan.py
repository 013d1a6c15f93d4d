"""The objectives that `fit` gives to modules where its caller names none."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.numerics.checks import check_count

#: Of hidden modules where samples have classes; why these: benchmarks/default_plan.py.
HIDDEN = "Y:supcon+Y"


def default_objectives(num_modules: int, y: Tensor | None) -> list[str]:
    """The names of the objectives of so many modules, for samples with these targets.

    Classes: `Y:supcon+Y` in hidden modules and `CE` in the last; one module is plain back-propagation. Real targets:
    `X` in hidden modules and `Y:squared-error` in the last. No targets: `X` in all.

    Args:
        num_modules: how many modules the model is cut into.
        y: targets of all samples, -1 where there is no class, or None.

    Raises:
        TypeError: num_modules is not an integer.
        ValueError: num_modules below 1.

    Example:
        >>> default_objectives(3, torch.tensor([0, 1]))
        ['Y:supcon+Y', 'Y:supcon+Y', 'CE']
        >>> default_objectives(2, None)
        ['X', 'X']
    """
    check_count(num_modules, where="default_objectives", name="num_modules")
    hidden, last = _kinds(y)
    return [hidden] * (num_modules - 1) + [last]


def _kinds(y: Tensor | None) -> tuple[str, str]:
    """Of a hidden module, and of the last one."""
    if y is None:
        return "X", "X"
    if y.is_floating_point():
        return "X", "Y:squared-error"
    return (HIDDEN, "CE") if bool(torch.any(y >= 0)) else ("X", "X")
