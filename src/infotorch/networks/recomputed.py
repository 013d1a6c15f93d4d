"""Layers of which autograd keeps the input alone: they run again for the backward pass (gradient checkpointing)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from infotorch.networks.model_state import keeping_statistics
from infotorch.networks.shares import Share, current_share, sharing
from infotorch.numerics.checks import check_module
from infotorch.numerics.module_inputs import described, explaining, module_input


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
        found = iter(torch.autograd.grad(output, wanted, gradients))
        return (None, None, *(next(found) if needed else None for needed in needs))


class Recomputed(nn.Module):
    """A layer or a chain of layers that keeps its input alone for the backward pass, and runs again there.

    Gradients are the same to the last bit. Memory falls to the inputs and what one such part keeps; a training step
    takes about a third longer. Running statistics count every batch once.

    Args:
        body: from one tensor to one tensor; without random draws, such as dropout, which would draw anew.

    Raises:
        TypeError: body is no module.
        ValueError: body has a layer of dropout.

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
        if any(isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p for layer in body.modules()):
            raise ValueError("Recomputed: body must not have dropout, which would draw anew when it runs again.")
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """What the body gives.

        Raises:
            TypeError: x is no dense tensor of real numbers.
            ValueError: the body cannot take it.
        """
        x = module_input(x, where="Recomputed", name="the input")
        with explaining(lambda: f"Recomputed: the body cannot take {described(x)}"):
            if not torch.is_grad_enabled():
                return self.body(x)
            weights = [parameter for parameter in self.body.parameters() if parameter.requires_grad]
            return _Rerun.apply(self.body, partial(self._again, current_share()), x, *weights)  # pyright: ignore[reportReturnType]

    def _again(self, share: Share | None, x: Tensor) -> Tensor:
        with sharing(share), keeping_statistics([self.body]):
            return self.body(x)
