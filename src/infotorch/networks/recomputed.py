"""Layers of which autograd keeps the input alone: they run again for the backward pass (gradient checkpointing)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from infotorch.networks.model_state import keeping_statistics
from infotorch.networks.shares import Share, current_share, sharing
from infotorch.numerics.checks import check_module, shown
from infotorch.numerics.module_inputs import described, explaining, module_input
from infotorch.numerics.seeds import global_states, set_global_states

#: Makes a context of torch's autocast.
Casting = Callable[[], AbstractContextManager[object]]


class _Rerun(torch.autograd.Function):
    """A function of an input and weights that is evaluated twice; the weights are arguments so that each gets its own.

    `torch.utils.checkpoint` is this too, but what it keeps escapes the hooks that count memory, or it cannot give
    gradients of chosen weights alone (`backward(inputs=...)`), as a local module's update asks for.
    """

    @staticmethod
    def forward(
        ctx: Any, run: Callable[[Tensor], Tensor], again: Callable[[Tensor], Tensor], x: Tensor, *weights: Tensor
    ) -> Tensor:
        ctx.again, ctx.weights = again, weights
        ctx.save_for_backward(x)
        return run(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        needs = ctx.needs_input_grad[2:]
        x = x.detach().requires_grad_(needs[0])
        with torch.enable_grad():
            output = ctx.again(x)
        wanted = [value for value, needed in zip((x, *ctx.weights), needs, strict=True) if needed]
        found = iter(torch.autograd.grad(output, wanted, gradients, allow_unused=True))
        return (None, None, *(next(found) if needed else None for needed in needs))


class Recomputed(nn.Module):
    """A layer or a chain of layers that keeps its input alone for the backward pass, and runs again there.

    Gradients are the same to the last bit. Memory falls to the inputs and what one such part keeps; a training step
    takes about a third longer. Running statistics count every batch once, and what is drawn from torch's global
    generators, as by dropout, is drawn again; a body with a generator of its own would draw anew.

    Args:
        body: from one tensor to one tensor.

    Raises:
        TypeError: body is no module.

    Source: Chen, Xu, Zhang & Guestrin 2016, arXiv:1604.06174.

    Example:
        >>> body = nn.Sequential(nn.Linear(2, 3), nn.GELU(), nn.Linear(3, 1))
        >>> x = torch.ones(4, 2)
        >>> Recomputed(body)(x).sum().backward()
        >>> gradient = body[0].weight.grad.clone()
        >>> body.zero_grad(), body(x).sum().backward()
        (None, None)
        >>> torch.equal(body[0].weight.grad, gradient)
        True
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        check_module(body, where="Recomputed", name="body")
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """What the body gives.

        Raises:
            TypeError: x is no dense tensor of real numbers, or the body gives no tensor.
            ValueError: the body cannot take it, or changes it in place.
        """
        x = module_input(x, where="Recomputed", name="the input")
        before = 0 if x.is_inference() else x._version
        with explaining(lambda: f"Recomputed: the body cannot take {described(x)}"):
            output = self._output(x)
        if not isinstance(output, Tensor):
            raise TypeError(f"Recomputed: the body must give one tensor, got {shown(output)}.")
        if before != (0 if x.is_inference() else x._version):
            raise ValueError(
                "Recomputed: the body changes its input in place, of which it is to run again; use inplace=False there."
            )
        return output

    def _output(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self.body(x)
        weights = [parameter for parameter in self.body.parameters() if parameter.requires_grad]
        cast = _cast_as_here(x.device.type)
        again = partial(self._again, current_share(), global_states(x.device), cast)
        return _Rerun.apply(partial(self._first, cast), again, x, *weights)  # pyright: ignore[reportReturnType]

    def _first(self, cast: Casting, x: Tensor) -> Tensor:
        with cast():
            return self.body(x)

    def _again(self, share: Share | None, states: list[Tensor], cast: Casting, x: Tensor) -> Tensor:
        here = global_states(x.device)
        set_global_states(states, x.device)
        try:
            with sharing(share), keeping_statistics([self.body]), cast():
                return self.body(x)
        finally:
            set_global_states(here, x.device)


def _cast_as_here(device: str) -> Casting:
    """Autocast as it is now, which the backward pass lies outside of; weights that it has cast have no gradient."""
    if not torch.is_autocast_enabled(device):
        return nullcontext
    return partial(torch.autocast, device, torch.get_autocast_dtype(device), cache_enabled=False)
