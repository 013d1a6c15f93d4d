"""The demonstrations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from infotorch.theory.bijection import bijection
from infotorch.theory.demonstrated import Demonstrated
from infotorch.theory.figure1 import figure_1
from infotorch.theory.figure2 import figure_2
from infotorch.theory.figure3 import figure_3
from infotorch.theory.limits import noise_to_zero, saturation
from infotorch.theory.sample_size import sample_size

DEMONSTRATIONS: dict[str, Callable[..., Demonstrated]] = {
    "figure-1": figure_1,
    "figure-2": figure_2,
    "figure-3": figure_3,
    "noise-to-zero": noise_to_zero,
    "saturation": saturation,
    "bijection": bijection,
    "sample-size-mnist": partial(sample_size, "mnist"),
    "sample-size-cifar10": partial(sample_size, "cifar10"),
}


def demonstrate(name: str, values: Mapping[str, int | float]) -> Demonstrated:
    """Compute one of `DEMONSTRATIONS`.

    Args:
        name: of the demonstration.
        values: its keyword arguments.

    Raises:
        ValueError: an unknown name, or a value that the demonstration refuses.
        TypeError: a value of the wrong kind.

    Example:
        >>> demonstrate("figure-3", {"epsilon": 0.0}).metrics["first_mi_ty_bits"]
        1.0
    """
    if name not in DEMONSTRATIONS:
        raise ValueError(f"demonstrate: name must be one of {', '.join(DEMONSTRATIONS)}, got {name!r}.")
    return DEMONSTRATIONS[name](**values)
