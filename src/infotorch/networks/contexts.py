"""The contexts that forward sets around its code, such as torch.no_grad: a trace does not record them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, fx, nn

_DEVICES = ("cpu", "cuda", "mps", "xpu")


class LeftOut(RuntimeError):
    """The model does something that its parts would leave out."""


class Condition(Protocol):
    """Something on which a trace depends."""

    def holds(self) -> bool:
        """Whether it is still what the trace found."""
        ...


@dataclass(eq=False)
class _Frozen:
    tensors: list[Tensor]

    def holds(self) -> bool:
        return not any(tensor.requires_grad for tensor in self.tensors)


@dataclass(eq=False)
class _Autocast:
    precisions: tuple[torch.dtype | None, ...]

    def holds(self) -> bool:
        return self.precisions == _autocast()


def _autocast() -> tuple[torch.dtype | None, ...]:
    """The precision that autocast chooses on every kind of device; None where it is off."""
    return tuple(torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None for kind in _DEVICES)


def _autocast_depth() -> int:
    depth = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return depth


class Contexts:
    """In which contexts the steps of a trace are made, beside those around the whole trace.

    A context matters where dropping it changes what is trained or computed: one without gradients does where something
    that trains goes into it, and one that turns autocast off does once autocast is on.

    Args:
        model: that is traced.

    Attributes:
        conditions: under which no context that was met matters.
    """

    def __init__(self, model: nn.Module) -> None:
        self._layers = dict(model.named_modules())
        self._frozen, self._precisions, self._depth = _Frozen([]), _Autocast(_autocast()), _autocast_depth()
        self.conditions: list[Condition] = []

    def check(self, node: fx.Node) -> None:
        """Look at the contexts in which this step was just made.

        Raises:
            LeftOut: they matter.
        """
        if not torch.is_grad_enabled():
            self._check_gradients(node)
        if not self._precisions.holds():
            raise LeftOut(
                f"forward runs {_shown(node)} in a torch.autocast of its own, which the parts would leave out; set it "
                "in a layer that holds no cut"
            )
        if _autocast_depth() > self._depth and self._precisions not in self.conditions:
            self.conditions.append(self._precisions)

    def _check_gradients(self, node: fx.Node) -> None:
        tensors = list(self._weights_before(node))
        if any(tensor.requires_grad for tensor in tensors):
            name = "inference_mode" if torch.is_inference_mode_enabled() else "no_grad"
            raise LeftOut(
                f"forward runs {_shown(node)} without gradients (torch.{name}), and the parts would train what runs "
                "there; freeze it by requires_grad_(False), or set the context in a layer that holds no cut"
            )
        if tensors:
            self._frozen.tensors += tensors
            if self._frozen not in self.conditions:
                self.conditions.append(self._frozen)

    def _weights_before(self, node: fx.Node) -> Iterator[Tensor]:
        """Parameters and other tensors of the model that go into a step."""
        seen: set[fx.Node] = set()
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            waiting += node.all_input_nodes
            if node.op == "call_module" and node.target in self._layers:
                yield from self._layers[str(node.target)].parameters()
            elif node.op == "get_attr":
                yield from self._attribute(str(node.target))

    def _attribute(self, name: str) -> Iterator[Tensor]:
        owner, _, attribute = name.rpartition(".")
        layer = self._layers[owner]
        for held in (layer._parameters, layer._buffers, vars(layer)):
            value = held.get(attribute)
            if isinstance(value, Tensor):
                yield value


def _shown(node: fx.Node) -> str:
    if node.op == "call_module":
        return repr(str(node.target))
    return f"{getattr(node.target, '__name__', node.target)}()"
