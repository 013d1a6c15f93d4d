"""One look at a batch: the loss, its slope at every bottleneck, and products with the loss's Hessian there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from infotorch.networks.segments import Segment
from infotorch.networks.shares import run_shared
from infotorch.numerics.kinds import check_function
from infotorch.numerics.nested import map_tensors, tensors_in
from infotorch.numerics.ranks import Ranks
from infotorch.updates.replay import Replay

#: The penalty rho on the slope at a bottleneck.
PenaltyName = Literal["l2", "l1", "huber"]

#: rho'(t) of the penalties |t|^2 / 2, |t| and Huber's with delta 1, summed over entries.
SLOPES: dict[PenaltyName, Callable[[Tensor], Tensor]] = {
    "l2": lambda t: t,
    "l1": torch.sign,
    "huber": lambda t: t.clamp(-1, 1),
}

Tensors = tuple[Tensor, ...]
Gradients = tuple[Tensor | None, ...]

_NO_SECOND_DERIVATIVE = (
    "ProximalSplit: a layer behind the bottleneck cannot be differentiated twice ({}). Use order 1, split behind that "
    "layer, or replace it."
)
_IN_PLACE = "ProximalSplit: the layer behind the bottleneck changes it in place; use inplace=False there ({})."


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
        ranks: the processes that each compute a share of the batch; None: this one alone.

    Attributes:
        loss: 0-d, with the share.
        output: what `backward` gave.
        slopes: dL/dz of every bottleneck, a tuple of tensors each.
        phi_gradients: dL/dphi, None where the loss does not depend on a parameter.

    Raises:
        TypeError: loss_fn is no function.
        ValueError: gradients are off, autocast to float16, forward's output carries no gradient, the loss is no scalar
            or does not depend on it, or a layer changes a bottleneck in place.
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
        ranks: Ranks | None = None,
    ) -> None:
        check_function(loss_fn, where="ProximalSplit", name="loss_fn")
        self.forwards, self.backward, self.phi = forwards, backward, list(phi)
        self.curved, self.x, self.loss_fn, self.share, self.ranks = curved, x, loss_fn, share, ranks
        torch.clear_autocast_cache()  # within one block it holds the weights as an earlier look first cast them
        self._reached = self._run(forwards[0], x)
        self._carriers = tuple(tensor for tensor in tensors_in(self._reached) if tensor.requires_grad)
        _check_carriers(self._carriers)
        self._replay = Replay([*forwards[1:], backward], self._carriers[0].device)
        self._look()

    def again(self) -> None:
        """Look once more at the weights as they are now, from the same z_1 and with the same random draws."""
        torch.clear_autocast_cache()
        with self._replay.again():
            self._look()

    def slopes_behind(self, step: Sequence[Tensor]) -> Tensors:
        """dL/dz at z_1 + step, with the same random draws."""
        moved = tuple((z.detach() + s).requires_grad_() for z, s in zip(self._carriers, step, strict=True))
        with self._replay.again(), _twice_differentiable():
            _, _, loss = self._from(moved)
            return _filled(torch.autograd.grad(loss, moved, allow_unused=True), moved)

    def check_no_other_way(self, named: Sequence[tuple[str, nn.Parameter]]) -> None:
        """Refuse a loss that reads these weights of the forward modules other than through a bottleneck.

        Raises:
            ValueError: naming the first such weight.
        """
        bottlenecks = {tensor.grad_fn for tensors in self._inputs for tensor in tensors} - {None}
        leaves = {id(getattr(function, "variable", None)) for function in _history([self.loss], bottlenecks)}
        leaves -= {id(tensor) for tensors in self._inputs for tensor in tensors}  # a weight may be a bottleneck
        for name, parameter in named:
            if id(parameter) in leaves:
                raise ValueError(
                    f"ProximalSplit: the loss reads {name} of forward itself, and forward moves by what reaches it "
                    "through the bottleneck alone; for a penalty on weights use the optimiser's weight_decay."
                )

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

    def pull_back(self, number: int, vector: Sequence[Tensor], parameters: Sequence[nn.Parameter]) -> Gradients:
        """The product of a vector at bottleneck `number` with the parameters before it; None where one has no part."""
        outputs = self._inputs[number] if number else self._carriers
        gradients = torch.autograd.grad(
            outputs, list(parameters), list(vector), retain_graph=number > 0, allow_unused=True
        )
        return self._averaged(gradients, parameters)

    def _run(self, module: nn.Module, value: Any) -> Any:
        if self.ranks is None:
            return _run(module, value, self.x)
        return run_shared(self.ranks, partial(_run, module), value, self.x)

    def _averaged(self, gradients: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> Gradients:
        """Gradients of weights, by all processes' shares."""
        if self.ranks is None:
            return tuple(gradients)
        own = [None if gradient is None else gradient.detach().clone() for gradient in gradients]
        return tuple(self.ranks.average(own, parameters))

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
        of_phi = [None if gradient is None else gradient.detach() for gradient in gradients[len(flat) :]]
        self.phi_gradients = self._averaged(of_phi, self.phi)

    def _from(self, start: Tensors) -> tuple[list[Tensors], Any, Tensor]:
        """The tensors at every bottleneck, the output and the loss, from these tensors at the first."""
        placed = iter(start)
        value = map_tensors(self._reached, lambda tensor: next(placed) if tensor.requires_grad else tensor)
        inputs, versions = [start], [_versions(start)]
        for module in self.forwards[1:]:
            value = self._run(module, value)
            inputs.append(tuple(tensor for tensor in tensors_in(value) if tensor.requires_grad))
            versions.append(_versions(inputs[-1]))
        output = self._run(self.backward, value)
        loss = self.loss_fn(output)
        # Autograd refuses it at the first bottleneck, a leaf; at a later one the slope would be that of the new value.
        if versions != [_versions(tensors) for tensors in inputs]:
            raise ValueError(_IN_PLACE.format("its values are not what forward gave"))
        if not isinstance(loss, Tensor) or loss.ndim > 0:
            got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(f"ProximalSplit: loss_fn must give one number, a 0-d tensor, got {got}; take a mean.")
        if not loss.requires_grad:
            raise ValueError("ProximalSplit: the loss does not depend on the bottleneck; is something detached?")
        return inputs, output, loss * self.share


def _check_carriers(carriers: Tensors) -> None:
    if not torch.is_grad_enabled():
        raise ValueError("ProximalSplit: gradients are switched off here (torch.no_grad); take the step outside.")
    if not carriers:
        raise ValueError("ProximalSplit: forward's output carries no gradient; it has nothing to train.")
    device = carriers[0].device.type
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
        raise ValueError(
            "ProximalSplit: autocast to float16 is not supported, as slopes underflow and the scale of a GradScaler "
            "would be squared; use bfloat16."
        )


def _check_second_derivative(slopes: Tensors) -> None:
    """Refuse slopes whose history ends in a function that may be differentiated once.

    Autograd raises only where it must pass through such a function, and leaves its share out where it need not.

    Raises:
        ValueError: there is one.
    """
    if any(function.name() == "torch::autograd::Error" for function in _history(slopes)):
        raise ValueError(_NO_SECOND_DERIVATIVE.format("it is marked once_differentiable"))


def _history(tensors: Sequence[Tensor], without: set[Any] | None = None) -> Iterator[Any]:
    """The functions of autograd's graph that lead to these tensors, none beyond those of `without`."""
    seen = set(without or ())
    waiting = [tensor.grad_fn for tensor in tensors]
    while waiting:
        function = waiting.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        yield function
        waiting += [parent for parent, _ in function.next_functions]


def _versions(tensors: Tensors) -> list[int]:
    return [tensor._version for tensor in tensors]


def _run(module: nn.Module, value: Any, x: Any) -> Any:
    try:
        return module(value, x) if isinstance(module, Segment) else module(value)
    except torch.OutOfMemoryError:
        raise
    except (
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:  # torch's words for a wrong input
        if "in-place operation" in str(error):
            raise ValueError(_IN_PLACE.format(error)) from error
        kind = TypeError if isinstance(error, TypeError) else ValueError
        got = f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise kind(f"ProximalSplit: a layer cannot take {got}: {str(error).splitlines()[0]}") from error


def _filled(gradients: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensors:
    """The gradients, zero where there is none."""
    return tuple(torch.zeros_like(t) if g is None else g for g, t in zip(gradients, like, strict=True))


def _twice_differentiable() -> AbstractContextManager[object]:
    # The fused attention kernels have a first derivative alone.
    return sdpa_kernel(SDPBackend.MATH)
