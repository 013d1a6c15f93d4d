"""Which layers of a plan train in training mode: those of the trained modules that the network itself lets train."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import nn

from infotorch.networks.segments import Segment

if TYPE_CHECKING:
    from infotorch.training.local_module import LocalModule


class StageModes:
    """The modes of a plan's layers while some of its modules are trained and the others are frozen.

    A layer that several modules call, as one dropout of the whole network, has the mode of the module that calls it.

    Args:
        modules: all modules of the plan.
        trained: those that the stage trains.

    Example:
        >>> import torch
        >>> from infotorch.training.local_module import LocalModule
        >>> drop = nn.Dropout()
        >>> sgd = torch.optim.SGD
        >>> first, second = (LocalModule(n, nn.Sequential(nn.Linear(2, 2), drop), None, optimizer=sgd) for n in "ab")
        >>> modes = StageModes([first, second], {second})
        >>> modes.set()
        >>> modes.enter(first)
        >>> drop.training
        False
    """

    def __init__(self, modules: Iterable[LocalModule], trained: set[LocalModule]) -> None:
        modules = list(modules)
        kept = kept_in_evaluation(module.body for module in modules)
        own = {
            module: {layer: module in trained and layer not in kept for layer in module.body.modules()}
            for module in modules
        }
        parts = {part: True for module in trained if module.objective for part in module.objective.modules()}
        wanted: dict[nn.Module, set[bool]] = {}
        for modes in own.values():
            for layer, mode in modes.items():
                wanted.setdefault(layer, set()).add(mode)
        both = {layer for layer, modes in wanted.items() if len(modes) == 2}
        self._all = [(layer, mode) for modes in (*own.values(), parts) for layer, mode in modes.items()]
        self._called = {
            module: [(layer, mode) for layer, mode in modes.items() if layer in both] for module, modes in own.items()
        }

    def set(self) -> None:
        """Give every layer its mode; between two steps the caller may have evaluated the network in another one."""
        _give(self._all)

    def enter(self, module: LocalModule) -> None:
        """Give the layers that other modules call too the mode that they have in this one."""
        _give(self._called[module])


def kept_in_evaluation(bodies: Iterable[nn.Module]) -> set[nn.Module]:
    """The layers that a `train()` of the user's own leaves in evaluation mode, such as batch norm that stays as it is.

    Example:
        >>> class Fixed(nn.BatchNorm1d):
        ...     def train(self, mode=True):
        ...         return super().train(False)
        >>> network = nn.Sequential(nn.Linear(2, 3), Fixed(3))
        >>> kept_in_evaluation([network]) == {network[1]}
        True
    """
    kept: set[nn.Module] = set()
    networks = dict.fromkeys(body.network if isinstance(body, Segment) else body for body in bodies)
    for layer in dict.fromkeys(layer for network in networks for layer in network.modules()):
        if isinstance(layer, Segment) or (type(layer).train is nn.Module.train and "train" not in vars(layer)):
            continue
        modes = [(part, part.training) for part in layer.modules()]
        layer.train()
        kept |= {part for part, _ in modes if not part.training}
        _give(modes)
    return kept


def _give(modes: Iterable[tuple[nn.Module, bool]]) -> None:
    for layer, training in modes:
        if layer.training is not training:
            layer.training = training
