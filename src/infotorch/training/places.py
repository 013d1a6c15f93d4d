"""Where each module of a plan stands, for objectives that depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from infotorch.networks.later_layers import later_layers
from infotorch.objectives.place import Place
from infotorch.training.local_module import LocalModule


def place_of(modules: Sequence[LocalModule], number: int, output: Tensor) -> Place:
    """A module's place; the layers behind it are looked at when they are asked for.

    Args:
        modules: all of the plan.
        number: the module's.
        output: its output for some samples.
    """
    bodies = [module.body for module in modules[number + 1 :]]
    following = partial(later_layers, bodies, output, where=f"module {modules[number].name!r}: auxiliary 'following'")
    return Place(number, len(modules), following)
