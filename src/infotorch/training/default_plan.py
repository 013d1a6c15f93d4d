"""The objectives that `fit` gives to modules where its caller names none."""

from __future__ import annotations

from torch import Tensor

from infotorch.data.targets import kind_of_targets, known_targets
from infotorch.numerics.checks import check_count
from infotorch.objectives.names import OUTPUT_NAMES

#: Of hidden modules where samples have classes; why these: benchmarks/default_plan.py.
HIDDEN = "Y:supcon+Y"


def default_objectives(num_modules: int, y: Tensor | None) -> list[str]:
    """The names of the objectives of so many modules, for samples with these targets.

    Classes: `Y:supcon+Y` in hidden modules and `CE` in the last; one module is plain back-propagation. Real targets:
    `Y` in hidden modules and `MSE` in the last. Several labels a sample: `Y` and `CE`. No targets: `X` in all.

    Args:
        num_modules: how many modules the model is cut into.
        y: targets of all samples as `read_targets` gives them, -1 or NaN where one is missing; or None.

    Raises:
        TypeError: num_modules is not an integer.
        ValueError: num_modules below 1.

    Example:
        >>> import torch
        >>> default_objectives(3, torch.tensor([0, 1]))
        ['Y:supcon+Y', 'Y:supcon+Y', 'CE']
        >>> default_objectives(2, torch.tensor([0.5, 1.5])), default_objectives(2, None)
        (['Y', 'MSE'], ['X', 'X'])
    """
    check_count(num_modules, where="default_objectives", name="num_modules")
    hidden, last = _kinds(y)
    return [hidden] * (num_modules - 1) + [last]


def _kinds(y: Tensor | None) -> tuple[str, str]:
    """Of a hidden module, and of the last one."""
    if y is None or not bool(known_targets(y).any()):
        return "X", "X"
    kind = kind_of_targets(y) or "classes"  # of integers with other axes CE says what is wrong
    return HIDDEN if kind == "classes" else "Y", OUTPUT_NAMES[kind]
