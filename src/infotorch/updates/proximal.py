"""Second-order proximal splitting (Han et al. 2023): the front of a network moves by what it does to the loss's slope.

A network is cut at a bottleneck z into forward f, with z = f(x), and backward g. With u = dL/dz, H the Hessian of L in
z, b the bottleneck's step size and rho the penalty, f moves down its parameters' product with a vector at z,

    order 1    rho'(b u)                         towards z - b u held constant (eq. 4)
    order 2    b H rho'(b u)                     down rho(b u) itself (eq. 5)
    hybrid     u + b H rho'(b u)                 down L + rho(b u)
    whole      u~ + b H (rho'(b u) - u~)         down L(g(z - b u)) + rho(b u); u~ is the slope at z - b u

and g moves down dL/dphi. So a step needs one Hessian-vector product through g and one ordinary backward pass through f,
never a double backward pass through f.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infotorch.networks.segments import check_no_shared_parameters, split
from infotorch.numerics.checks import check_choice
from infotorch.objectives.base import full_precision
from infotorch.updates.bottleneck import map_tensors
from infotorch.updates.gradient import OptimizerFactory
from infotorch.updates.slopes import SLOPES, PenaltyName, Slopes
from infotorch.updates.stall import StallWatch

Order = Literal[1, 2, "hybrid", "whole"]


@dataclass(frozen=True)
class ProximalInfo:
    """What one step saw, before it moved anything. All tensors are detached.

    Args:
        loss: 0-d; where it is not finite, nothing was moved.
        output: what the network gave.
        gradient_norms: ||dL/dz|| at each bottleneck, 0-d.
        curvatures: at each bottleneck v' H v / v' v, v being what the step multiplies the loss's Hessian H by: with the
            penalty l2 and order 2 or "hybrid", a multiple of dL/dz. Empty for order 1, which needs no Hessian.
        stalled: order 2 has lowered the gradient's norm and not the loss, see `StallWatch`.
    """

    loss: Tensor
    output: Any
    gradient_norms: tuple[Tensor, ...]
    curvatures: tuple[Tensor, ...]
    stalled: bool

    @property
    def gradient_norm(self) -> Tensor:
        """||dL/dz|| over all bottlenecks."""
        return torch.stack(self.gradient_norms).square().sum().sqrt()


class ProximalSplit:
    """Trains a network in two halves that meet at a bottleneck, with any two optimisers.

    Args:
        forward: f, from the input to the bottleneck: one tensor, or a tuple, list or dict of tensors such as
            (mu, sigma). A sequence of modules is a chain with a bottleneck behind each.
        backward: g, from the last bottleneck to the output.
        order: 1, 2 (the paper's method), "hybrid" or "whole" (the first attempt that the paper dropped).
        step_size: the step b at the bottleneck; one for each bottleneck of a chain.
        forward_optimizer: an optimiser of the parameters of `forward`, or what makes one of a list of parameters.
        backward_optimizer: likewise for `backward`; it may hold the parameters of the loss too.
        penalty: rho, "l2", "l1" or "huber" (with delta 1, on b dL/dz).
        weight: factor of rho (lambda in eq. 3).
        handoff: f's gradient is taken at g's weights from "before" g's step (Algorithm 1) or "after" it. Dropout then
            repeats its draws, and batch norm counts the batch once.
        max_norm: clips the gradient of each half to this norm; None for no clipping.
        stall_window: steps over which a stall is judged.

    Attributes:
        stalled: as of the last whole window. Order 2 minimises the gradient at the bottleneck alone, which a bad
            plateau has as well as a minimum; it warns once, and order 1 or "hybrid" follow the loss.

    Raises:
        ValueError: an unknown option, a step size, weight or norm that is not positive, halves that share a parameter
            or have none to train, or an optimiser that does not hold its half's parameters.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> f, g = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 3)
        >>> step = ProximalSplit(f, g, order="hybrid", step_size=0.1,
        ...     forward_optimizer=torch.optim.Adam(f.parameters(), lr=1e-2),
        ...     backward_optimizer=torch.optim.Adam(g.parameters(), lr=1e-2))
        >>> x, y = torch.randn(32, 4), torch.randint(3, (32,))
        >>> losses = [step.step(x, lambda output: nn.functional.cross_entropy(output, y)).loss for _ in range(20)]
        >>> bool(losses[-1] < losses[0])
        True

    Source: Han, Nakamura & Hong 2023, IEEE Access 11, Algorithms 1 and 2, eqs. 4 to 7. The hybrid is ours.
    """

    def __init__(
        self,
        forward: nn.Module | Sequence[nn.Module],
        backward: nn.Module,
        *,
        order: Order = 2,
        step_size: float | Sequence[float],
        forward_optimizer: Optimizer | OptimizerFactory,
        backward_optimizer: Optimizer | OptimizerFactory,
        penalty: PenaltyName = "l2",
        weight: float = 1.0,
        handoff: Literal["before", "after"] = "before",
        max_norm: float | None = None,
        stall_window: int = 100,
    ) -> None:
        where = "ProximalSplit"
        check_choice(order, (1, 2, "hybrid", "whole"), where=where, name="order")
        check_choice(penalty, tuple(SLOPES), where=where, name="penalty")
        check_choice(handoff, ("before", "after"), where=where, name="handoff")
        self.forwards = (forward,) if isinstance(forward, nn.Module) else tuple(forward)
        self.backward = backward
        steps = [step_size] * len(self.forwards) if isinstance(step_size, int | float) else list(step_size)
        if not self.forwards or len(steps) != len(self.forwards):
            raise ValueError(f"{where}: {len(self.forwards)} bottlenecks need as many step sizes, got {len(steps)}.")
        for name, value in (("step_size", min(steps)), ("weight", weight), ("max_norm", max_norm)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{where}: {name} must be positive and finite, got {value}.")
        if order == "whole" and len(self.forwards) > 1:
            raise ValueError(f"{where}: order 'whole' is for one bottleneck, got {len(self.forwards)}.")
        check_no_shared_parameters([*self.forwards, backward])
        self.order: Order = order
        self.step_sizes = tuple(float(step) for step in steps)
        self.penalty: PenaltyName = penalty
        self.weight, self.handoff, self.max_norm = float(weight), handoff, max_norm
        self.forward_optimizer = _optimizer("forward", forward_optimizer, self.forwards, may_hold_more=False)
        self.backward_optimizer = _optimizer("backward", backward_optimizer, [backward], may_hold_more=True)
        self._watch = StallWatch(stall_window)
        self._checked = self._warned = False
        # (share of the loss, squared norm of its slopes) of each part of a batch since the last step
        self._parts: list[Tensor] = []

    @classmethod
    def at(cls, model: nn.Module, layers: str | Sequence[str], **options: Any) -> ProximalSplit:
        """Split a network before the layers of these names; it is trained in place.

        Args:
            model: see `infotorch.Plan.layerwise` for what can be cut.
            layers: the layer that g starts with; several make a chain.
            options: those of `ProximalSplit`; optimisers are given as what makes them of a list of parameters.

        Raises:
            ValueError: a layer that is not there, or a skip connection over it, which would carry a gradient around
                the bottleneck.

        Example:
            >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
            >>> sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.1)
            >>> split = ProximalSplit.at(model, "2", step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
            >>> len(split.forwards)
            1
        """
        *forwards, backward = split(model, (layers,) if isinstance(layers, str) else tuple(layers))
        return cls(forwards, backward, **options)

    @property
    def stalled(self) -> bool:
        """Whether the gradient's norm fell over the last whole window, and the loss did not."""
        return self._watch.stalled

    def step(self, x: Any, loss_fn: Callable[[Any], Tensor]) -> ProximalInfo:
        """One step of both halves on one batch.

        Args:
            x: the input of `forward`.
            loss_fn: output of `backward` -> loss, 0-d; a mean over the rows, as in the paper.

        Returns:
            What the step saw. A loss that is not finite moves nothing.

        Raises:
            ValueError: the loss is no scalar, does not depend on the bottleneck or on some weight, or cannot be
                differentiated twice; the message says which and what helps.
        """
        self.zero_grad()
        seen = self._look(x, loss_fn)
        info = self._info(seen)
        if not math.isfinite(seen.loss.item()):
            return info
        self._add_backward_gradients(seen)
        if self.handoff == "after":
            self._move(self.backward_optimizer)
            seen.again()
        curvatures = self._add_forward_gradients(seen)
        self._move(self.forward_optimizer)
        if self.handoff == "before":
            self._move(self.backward_optimizer)
        self._watch_for_stall(info.loss, info.gradient_norm)
        return replace(info, curvatures=curvatures, stalled=self.stalled)

    def accumulate(self, x: Any, loss_fn: Callable[[Any], Tensor], *, share: float) -> ProximalInfo:
        """Add the gradients of a part of a batch; `apply` then takes the step.

        Order 2 is quadratic in the loss, so that the gradients of parts do not simply average: weighing each part's
        loss by its share of the rows gives the full batch's gradients, where no layer mixes rows.

        Args:
            x: some rows of the batch.
            loss_fn: output -> mean loss of these rows.
            share: these rows' share of the batch; the shares of a batch sum to 1.

        Returns:
            What was seen of this part: its loss is without the share, and the slopes are those of its share of the
            batch's loss, so that the squares of their norms add up to the batch's.

        Raises:
            ValueError: as for `step`; a share outside (0, 1]; handoff "after", which needs the whole gradient of g
                before it can look at f.

        Example:
            >>> f, g = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 3)
            >>> sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.1)
            >>> split = ProximalSplit(f, g, step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
            >>> x, y = torch.randn(32, 4), torch.randint(3, (32,))
            >>> for rows in torch.arange(32).split(16):
            ...     loss_fn = lambda output: nn.functional.cross_entropy(output, y[rows])
            ...     info = split.accumulate(x[rows], loss_fn, share=len(rows) / 32)
            >>> split.apply()
        """
        if not 0 < share <= 1:
            raise ValueError(f"ProximalSplit.accumulate: share must lie in (0, 1], got {share}.")
        if self.handoff == "after":
            raise ValueError("ProximalSplit.accumulate: handoff 'after' needs one batch; use step, or 'before'.")
        seen = self._look(x, loss_fn, share)
        info = self._info(seen)
        self._add_backward_gradients(seen)
        curvatures = self._add_forward_gradients(seen)
        self._parts.append(torch.stack([full_precision(info.loss), full_precision(info.gradient_norm).square()]))
        return replace(info, loss=info.loss / share, curvatures=curvatures)

    def apply(self) -> None:
        """Move both halves by the gradients that `accumulate` gathered, and forget these."""
        self._move(self.forward_optimizer)
        self._move(self.backward_optimizer)
        if self._parts:
            loss, square = torch.stack(self._parts).sum(dim=0)
            self._watch_for_stall(loss, square.sqrt())
        self.zero_grad()

    def zero_grad(self) -> None:
        """Forget the gradients, also those of the parts of a batch."""
        self._parts = []
        self.forward_optimizer.zero_grad(set_to_none=True)
        self.backward_optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the weights that the next step depends on."""
        return {
            "forward": self.forward_optimizer.state_dict(),
            "backward": self.backward_optimizer.state_dict(),
            "watch": self._watch.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.forward_optimizer.load_state_dict(state["forward"])
        self.backward_optimizer.load_state_dict(state["backward"])
        self._watch.load_state_dict(state["watch"])

    def _look(self, x: Any, loss_fn: Callable[[Any], Tensor], share: float = 1.0) -> Slopes:
        curved = self.order != 1
        phi = _parameters_of(self.backward_optimizer)
        return Slopes(self.forwards, self.backward, phi, curved=curved, x=x, loss_fn=loss_fn, share=share)

    def _info(self, seen: Slopes) -> ProximalInfo:
        output = map_tensors(seen.output, lambda tensor: tensor.detach())
        norms = tuple(_norm(slopes) for slopes in seen.slopes)
        return ProximalInfo(seen.loss.detach(), output, norms, (), self.stalled)

    def _add_backward_gradients(self, seen: Slopes) -> None:
        for parameter, gradient in zip(seen.phi, seen.phi_gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        if not self._checked:
            _check_reached("backward", [self.backward])

    def _add_forward_gradients(self, seen: Slopes) -> tuple[Tensor, ...]:
        """Pull every bottleneck's vector back to the weights before it; the curvatures that were met."""
        curvatures: list[Tensor] = []
        for number, module in enumerate(self.forwards):
            vector = self._vector(seen, number, curvatures)
            trained = [parameter for _, parameter in _trained([module])]
            if trained:
                seen.pull_back(number, vector, trained)
        if not self._checked:
            _check_reached("forward", self.forwards)
            self._checked = True
        return tuple(curvatures)

    def _vector(self, seen: Slopes, number: int, curvatures: list[Tensor]) -> list[Tensor]:
        """What the product with the weights before a bottleneck is taken of: see the top of this file."""
        step, slopes = self.step_sizes[number], seen.slopes[number]
        pulls = [self.weight * SLOPES[self.penalty](step * slope) for slope in slopes]
        if self.order == 1:
            return pulls
        base = {2: [torch.zeros_like(slope) for slope in slopes], "hybrid": list(slopes)}.get(self.order)
        along = pulls
        if base is None:
            base = list(seen.slopes_behind([-step * slope for slope in slopes]))
            along = [pull - ahead for pull, ahead in zip(pulls, base, strict=True)]
        products = seen.hessian_times(number, along)
        if products is None:
            if self.order == 2:
                raise ValueError(
                    "ProximalSplit: the loss is linear in the bottleneck, so that its gradient there does not depend "
                    "on forward and order 2 has nothing to follow; use order 1 or 'hybrid'."
                )
            products = tuple(torch.zeros_like(slope) for slope in slopes)
        curvatures.append(_dot(along, products) / _dot(along, along).clamp_min(torch.finfo(torch.float32).tiny))
        return [start + step * product for start, product in zip(base, products, strict=True)]

    def _move(self, optimizer: Optimizer) -> None:
        if self.max_norm is not None:
            nn.utils.clip_grad_norm_(_parameters_of(optimizer), self.max_norm)
        optimizer.step()

    def _watch_for_stall(self, loss: Tensor, gradient_norm: Tensor) -> None:
        self._watch.add(loss, gradient_norm)
        if self.order == 2 and self.stalled and not self._warned:
            self._warned = True
            (loss_before, norm_before), (loss_now, norm_now) = self._watch.means
            warnings.warn(
                f"ProximalSplit: over {self._watch.window} steps the gradient at the bottleneck fell from "
                f"{norm_before:.3g} to {norm_now:.3g} and the loss did not ({loss_before:.4g} to {loss_now:.4g}): "
                "order 2 follows that gradient alone and has stalled; order 1 and 'hybrid' follow the loss.",
                stacklevel=3,
            )


def _optimizer(
    name: str, given: Optimizer | OptimizerFactory, modules: Sequence[nn.Module], *, may_hold_more: bool
) -> Optimizer:
    """The optimiser of one half, which must hold the half's trainable parameters."""
    own = [parameter for _, parameter in _trained(modules)]
    if not own:
        raise ValueError(f"ProximalSplit: {name} has no parameter to train.")
    optimizer = given if isinstance(given, Optimizer) else given(own)
    held = {id(parameter) for parameter in _parameters_of(optimizer)}
    missing = [key for key, parameter in _trained(modules) if id(parameter) not in held]
    if missing:
        raise ValueError(f"ProximalSplit: {name}_optimizer does not hold {', '.join(missing[:3])} of {name}.")
    if len(held) > len({id(parameter) for parameter in own}) and not may_hold_more:
        raise ValueError(f"ProximalSplit: {name}_optimizer holds parameters that are not {name}'s.")
    return optimizer


def _trained(modules: Sequence[nn.Module]) -> list[tuple[str, nn.Parameter]]:
    """Names and values; a layer of a `Segment` has its name in the network."""
    return [
        (name.removeprefix("training_graph."), parameter)
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    ]


def _parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


def _check_reached(name: str, modules: Sequence[nn.Module]) -> None:
    """Refuse weights that no gradient reaches: they would keep their values, and weight decay alone would move them."""
    unused = [key for key, parameter in _trained(modules) if parameter.grad is None]
    if unused:
        raise ValueError(
            f"ProximalSplit: the loss does not depend on {', '.join(unused[:3])} of {name}; "
            "freeze them (requires_grad_(False)) or take them out."
        )


def _dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    products = [(full_precision(a) * full_precision(b)).sum() for a, b in zip(left, right, strict=True)]
    return torch.stack(products).sum()


def _norm(parts: Sequence[Tensor]) -> Tensor:
    return _dot(parts, parts).sqrt()
