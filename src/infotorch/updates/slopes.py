"""One look at a batch: the loss, its slope at every bottleneck, and products with the loss's Hessian there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from infotorch.networks.segments import Segment
from infotorch.updates.bottleneck import map_tensors, tensors_in
from infotorch.updates.replay import Replay

PenaltyName = Literal["l2", "l1", "huber"]

#: rho'(t) of the penalties |t|^2 / 2, |t| and Huber's with delta 1, summed over entries.
SLOPES: dict[PenaltyName, Callable[[Tensor], Tensor]] = {
    "l2": lambda t: t,
    "l1": torch.sign,
    "huber": lambda t: t.clamp(-1, 1),
}

Tensors = tuple[Tensor, ...]

_NO_SECOND_DERIVATIVE = (
    "ProximalSplit: a layer behind the bottleneck cannot be differentiated twice ({}). Use order 1, split behind that "
    "layer, or replace it."
)


class Slopes:
    """The loss of one batch and its derivatives at the bottlenecks z_1, z_2, ... of a chain of modules.

    The first module keeps its graph from the input to z_1; from z_1 on, a second graph leads to the loss, so that a
    second derivative never enters the first module.

    Args:
        forwards: the modules before each bottleneck.
        backward: the module behind the last.
        phi: parameters of `backward`, and of the loss where it has any.
        curved: keep what a second derivative needs.
        x: the input.
        loss_fn: output -> 0-d loss.
        share: factor of the loss.

    Attributes:
        loss: 0-d, with the share.
        output: what `backward` gave.
        slopes: dL/dz of every bottleneck, a tuple of tensors each.
        phi_gradients: dL/dphi, None where the loss does not depend on a parameter.

    Raises:
        ValueError: forward's output carries no gradient, the loss is no scalar or does not depend on it.
    """

    def __init__(
        self,
        forwards: Sequence[nn.Module],
        backward: nn.Module,
        phi: Sequence[nn.Parameter],
        *,
        curved: bool,
        x: Any,
        loss_fn: Callable[[Any], Tensor],
        share: float = 1.0,
    ) -> None:
        self.forwards, self.backward, self.phi = forwards, backward, list(phi)
        self.curved, self.x, self.loss_fn, self.share = curved, x, loss_fn, share
        self._reached = _run(forwards[0], x, x)
        self._carriers = tuple(tensor for tensor in tensors_in(self._reached) if tensor.requires_grad)
        if not self._carriers:
            raise ValueError("ProximalSplit: forward's output carries no gradient; it has nothing to train.")
        self._replay = Replay([*forwards[1:], backward], self._carriers[0].device)
        self._look()

    def again(self) -> None:
        """Look once more at the weights as they are now, from the same z_1 and with the same random draws."""
        torch.clear_autocast_cache()  # it holds the weights as they were
        with self._replay.again():
            self._look()

    def slopes_behind(self, step: Sequence[Tensor]) -> Tensors:
        """dL/dz at z_1 + step, with the same random draws."""
        moved = tuple((z.detach() + s).requires_grad_() for z, s in zip(self._carriers, step, strict=True))
        with self._replay.again():
            _, _, loss = self._from(moved)
            return _filled(torch.autograd.grad(loss, moved, allow_unused=True), moved)

    def hessian_times(self, number: int, vector: Sequence[Tensor]) -> Tensors | None:
        """The Hessian of the loss in z of bottleneck `number`, times a vector; None where the loss is linear in it.

        Raises:
            ValueError: a layer behind the bottleneck has no second derivative.
            OutOfMemoryError: the device is full.
        """
        _check_second_derivative(self._slopes[number])
        pairs = [(slope, v) for slope, v in zip(self._slopes[number], vector, strict=True) if slope.requires_grad]
        if not pairs:
            return None
        z = self._inputs[number]
        try:
            products = torch.autograd.grad(
                [slope for slope, _ in pairs], z, [v for _, v in pairs], retain_graph=True, allow_unused=True
            )
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # what autograd raises for a missing derivative, too
            raise ValueError(_NO_SECOND_DERIVATIVE.format(error)) from error
        return None if all(product is None for product in products) else _filled(products, z)

    def pull_back(self, number: int, vector: Sequence[Tensor], parameters: Sequence[nn.Parameter]) -> None:
        """Add to the gradients of the parameters before bottleneck `number` their product with a vector there."""
        outputs = self._inputs[number] if number else self._carriers
        torch.autograd.backward(outputs, list(vector), inputs=list(parameters), retain_graph=number > 0)

    def _look(self) -> None:
        start = tuple(tensor.detach().requires_grad_() for tensor in self._carriers)
        with _twice_differentiable() if self.curved else nullcontext():
            self._inputs, self.output, self.loss = self._from(start)
            flat = [tensor for inputs in self._inputs for tensor in inputs]
            gradients = torch.autograd.grad(
                self.loss, [*flat, *self.phi], create_graph=self.curved, retain_graph=True, allow_unused=True
            )
        if all(gradient is None for gradient in gradients[: len(flat)]):
            raise ValueError("ProximalSplit: the loss does not depend on the bottleneck; is something detached?")
        filled = iter(_filled(gradients[: len(flat)], flat))
        self._slopes: list[Tensors] = [tuple(next(filled) for _ in inputs) for inputs in self._inputs]
        self.slopes = [tuple(slope.detach() for slope in slopes) for slopes in self._slopes]
        self.phi_gradients = [None if g is None else g.detach() for g in gradients[len(flat) :]]

    def _from(self, start: Tensors) -> tuple[list[Tensors], Any, Tensor]:
        """The tensors at every bottleneck, the output and the loss, from these tensors at the first."""
        placed = iter(start)
        value = map_tensors(self._reached, lambda tensor: next(placed) if tensor.requires_grad else tensor)
        inputs = [start]
        for module in self.forwards[1:]:
            value = _run(module, value, self.x)
            inputs.append(tuple(tensor for tensor in tensors_in(value) if tensor.requires_grad))
        output = _run(self.backward, value, self.x)
        loss = self.loss_fn(output)
        if not isinstance(loss, Tensor) or loss.ndim > 0:
            got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(f"ProximalSplit: loss_fn must give one number, a 0-d tensor, got {got}; take a mean.")
        if not loss.requires_grad:
            raise ValueError("ProximalSplit: the loss does not depend on the bottleneck; is something detached?")
        return inputs, output, loss * self.share


def _check_second_derivative(slopes: Tensors) -> None:
    """Refuse slopes whose history ends in a function that may be differentiated once.

    Autograd raises only where it must pass through such a function, and leaves its share out where it need not.

    Raises:
        ValueError: there is one.
    """
    seen: set[Any] = set()
    waiting = [slope.grad_fn for slope in slopes if slope.grad_fn is not None]
    while waiting:
        function = waiting.pop()
        if function.name() == "torch::autograd::Error":
            raise ValueError(_NO_SECOND_DERIVATIVE.format("it is marked once_differentiable"))
        waiting += [parent for parent, _ in function.next_functions if parent is not None and parent not in seen]
        seen.update(parent for parent, _ in function.next_functions)


def _run(module: nn.Module, value: Any, x: Any) -> Any:
    try:
        return module(value, x) if isinstance(module, Segment) else module(value)
    except RuntimeError as error:
        if "in-place operation" not in str(error):
            raise
        raise ValueError(
            f"ProximalSplit: the layer behind the bottleneck changes it in place; use inplace=False there ({error})."
        ) from error


def _filled(gradients: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensors:
    """The gradients, zero where there is none."""
    return tuple(torch.zeros_like(t) if g is None else g for g, t in zip(gradients, like, strict=True))


def _twice_differentiable() -> AbstractContextManager[object]:
    # The fused attention kernels have a first derivative alone.
    return sdpa_kernel(SDPBackend.MATH)
