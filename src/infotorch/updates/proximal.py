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
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infotorch.networks.composition import check_composition
from infotorch.networks.segments import check_no_shared_parameters, split
from infotorch.numerics.checks import check_choice, check_count, check_positive
from infotorch.numerics.finite import all_finite
from infotorch.numerics.nested import map_tensors
from infotorch.numerics.ranks import Ranks
from infotorch.objectives.base import full_precision
from infotorch.updates.gradient import Handoff, OptimizerFactory, take_step
from infotorch.updates.halves import (
    add_gradients,
    check_reached,
    modules_of,
    names_of,
    optimizers_of,
    parameters_of,
    putting_back,
    step_sizes_of,
    trained,
)
from infotorch.updates.norms import curvature, norm
from infotorch.updates.proximal_info import ProximalInfo
from infotorch.updates.slopes import SLOPES, PenaltyName, Slopes
from infotorch.updates.stall import FLAT, LINEAR, FlatWatch, StallWatch, check_split_state

#: What the front moves down, see the top of this file.
ProximalOrder = Literal[1, 2, "hybrid", "whole"]


class ProximalSplit:
    """Trains a network in two halves that meet at a bottleneck, with any two optimisers that step by gradients alone.

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
        stall_window: steps that are averaged before a stall is judged.

    Attributes:
        stalled: as of the last whole window the loss makes no progress and the gradient's norm falls, see
            `StallWatch`. Order 2 minimises that norm alone, which a bad plateau has as well as a minimum; it warns
            once, and order 1 or "hybrid" follow the loss.
        ranks: the processes that each compute a share of the batch; None: this one alone. `train` sets it.

    Raises:
        TypeError: a step size, weight, norm or window that is no number, or what is no module or optimiser.
        ValueError: an unknown option, a step size, weight, norm or window that is not positive, halves that share a
            parameter or have none to train, an optimiser that does not hold its half's parameters or holds the other's,
            or one whose step needs more than gradients (LBFGS, SAM, AdaHessian).

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
        order: ProximalOrder = 2,
        step_size: float | Sequence[float],
        forward_optimizer: Optimizer | OptimizerFactory,
        backward_optimizer: Optimizer | OptimizerFactory,
        penalty: PenaltyName = "l2",
        weight: float = 1.0,
        handoff: Handoff = "before",
        max_norm: float | None = None,
        stall_window: int = 50,
    ) -> None:
        where = "ProximalSplit"
        check_choice(order, (1, 2, "hybrid", "whole"), where=where, name="order")
        check_choice(penalty, tuple(SLOPES), where=where, name="penalty")
        check_choice(handoff, ("before", "after"), where=where, name="handoff")
        check_count(stall_window, where=where, name="stall_window")
        self.forwards = modules_of(forward, backward)
        self.backward = backward
        self.step_sizes = step_sizes_of(step_size, len(self.forwards))
        for name, value in (("weight", weight), ("max_norm", 1.0 if max_norm is None else max_norm)):
            check_positive(value, where=where, name=name)
        if order == "whole" and len(self.forwards) > 1:
            raise ValueError(f"{where}: order 'whole' is for one bottleneck, got {len(self.forwards)}.")
        check_no_shared_parameters([*self.forwards, backward])
        self.penalty: PenaltyName = penalty
        self.ranks: Ranks | None = None
        self.order, self.handoff = order, handoff
        self.weight, self.max_norm = float(weight), max_norm
        self.forward_optimizer, self.backward_optimizer = optimizers_of(
            self.forwards, backward, forward_optimizer, backward_optimizer
        )
        self._watch, self._flat_watches = StallWatch(stall_window), [FlatWatch() for _ in self.forwards]
        self._checked = self._warned = False
        self._parts: list[tuple[float, ProximalInfo]] = []  # shares of a batch and what was seen, since the last step

    @classmethod
    def at(
        cls,
        model: nn.Module,
        layers: str | Sequence[str],
        *,
        order: ProximalOrder = 2,
        step_size: float | Sequence[float],
        forward_optimizer: OptimizerFactory,
        backward_optimizer: OptimizerFactory,
        penalty: PenaltyName = "l2",
        weight: float = 1.0,
        handoff: Handoff = "before",
        max_norm: float | None = None,
        stall_window: int = 50,
    ) -> ProximalSplit:
        """Split a network before the layers of these names; it is trained in place.

        Args:
            model: see `infotorch.Plan.layerwise` for what can be cut.
            layers: the layer that g starts with; several make a chain.
            order: see `ProximalSplit`.
            step_size: one, or one for each bottleneck.
            forward_optimizer: makes an optimiser of a list of parameters.
            backward_optimizer: likewise.
            penalty: see `ProximalSplit`.
            weight: factor of the penalty.
            handoff: see `ProximalSplit`.
            max_norm: of each half's gradient; None for no clipping.
            stall_window: steps that are averaged before a stall is judged.

        Raises:
            TypeError: no module, or what is no name.
            ValueError: no layer, a layer that is not there, or a skip connection over it, which would carry a gradient
                around the bottleneck.

        Example:
            >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
            >>> sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.1)
            >>> split = ProximalSplit.at(model, "2", step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
            >>> len(split.forwards)
            1
        """
        *forwards, backward = split(model, names_of(layers, model))
        return cls(
            forwards,
            backward,
            order=order,
            step_size=step_size,
            forward_optimizer=forward_optimizer,
            backward_optimizer=backward_optimizer,
            penalty=penalty,
            weight=weight,
            handoff=handoff,
            max_norm=max_norm,
            stall_window=stall_window,
        )

    @property
    def stalled(self) -> bool:
        """Whether the gradient's norm has fallen since the loss last made progress, as of the last whole window."""
        return self._watch.stalled

    def step(self, x: object, loss_fn: Callable[[Any], Tensor]) -> ProximalInfo:
        """One step of both halves on one batch.

        Args:
            x: the input of `forward`.
            loss_fn: output of `backward` -> loss, 0-d; a mean over the samples, as in the paper. It may have weights of
                its own, which `backward_optimizer` then holds, and reads none of `forward`.

        Returns:
            What the step saw. A loss or a gradient that is not finite moves no weight: `ProximalInfo.finite`.

        Raises:
            TypeError: loss_fn is no function.
            ValueError: the loss is no scalar, does not depend on the bottleneck or on some weight, or cannot be
                differentiated twice, it reads a weight of f itself, a layer changes the bottleneck in place, or
                gradients are off or autocast to float16; the message says which and what helps.
        """
        self.zero_grad()
        seen = self._look(x, loss_fn)
        info = self._add_gradients(seen) if self.handoff == "before" else self._add_after_moving_backward(seen)
        if not info.finite:
            return info
        self._move(self.forward_optimizer)
        if self.handoff == "before":
            self._move(self.backward_optimizer)
        self._watch_for_stall(info.loss, info.gradient_norm)
        return replace(info, stalled=self.stalled)

    def accumulate(self, x: object, loss_fn: Callable[[Any], Tensor], *, share: float) -> ProximalInfo:
        """Add the gradients of a part of a batch; `apply` then takes the step.

        Order 2 is quadratic in the loss, so that the gradients of parts do not simply average: weighing each part's
        loss by its share of the samples gives the full batch's gradients, where no layer mixes samples.

        Args:
            x: some samples of the batch.
            loss_fn: output -> mean loss of these samples.
            share: these samples' share of the batch; the shares of a batch sum to 1.

        Returns:
            What was seen of this part: its loss is without the share, and the slopes are those of its share of the
            batch's loss, so that the squares of their norms add up to the batch's.

        Raises:
            TypeError: a share that is no number, a loss_fn that is no function.
            ValueError: as for `step`; a share outside (0, 1]; handoff "after", which needs g's whole gradient first.

        Example:
            >>> f, g = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 3)
            >>> sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.1)
            >>> split = ProximalSplit(f, g, step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
            >>> x, y = torch.randn(32, 4), torch.randint(3, (32,))
            >>> for rows in torch.arange(32).split(16):
            ...     loss_fn = lambda output: nn.functional.cross_entropy(output, y[rows])
            ...     info = split.accumulate(x[rows], loss_fn, share=len(rows) / 32)
            >>> split.apply()
            True
        """
        check_positive(share, where="ProximalSplit.accumulate", name="share")
        if share > 1:
            raise ValueError(f"ProximalSplit.accumulate: share must be at most 1, got {share}.")
        if self.handoff == "after":
            raise ValueError("ProximalSplit.accumulate: handoff 'after' needs one batch; use step, or 'before'.")
        info = self._add_gradients(self._look(x, loss_fn, share))
        self._parts.append((share, replace(info, output=None)))
        return replace(info, loss=info.loss / share)

    def apply(self) -> bool:
        """Move both halves by the gradients that `accumulate` gathered, and forget these.

        Returns:
            Whether they moved: one part that is not finite spoils its batch, as in `step`.

        Raises:
            ValueError: the shares of the parts do not sum to 1.
        """
        if abs((total := math.fsum(share for share, _ in self._parts)) - 1) > 1e-4:  # rounding
            raise ValueError(f"ProximalSplit.apply: the shares of a batch must sum to 1, got {total:.6g}.")
        infos = [info for _, info in self._parts]
        if finite := all(info.finite for info in infos):
            self._move(self.forward_optimizer)
            self._move(self.backward_optimizer)
            loss = torch.stack([full_precision(info.loss) for info in infos]).sum()
            self._watch_for_stall(loss, norm([info.gradient_norm for info in infos]))
        self.zero_grad()
        return finite

    def zero_grad(self) -> None:
        """Forget the gradients, also those of the parts of a batch."""
        self._parts = []
        self.forward_optimizer.zero_grad(set_to_none=True)
        self.backward_optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the weights that the next step depends on."""
        return {name: part.state_dict() for name, part in self.stateful().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, where such a split has made it."""
        check_split_state(state, self.stateful(), where="ProximalSplit")
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])

    def stateful(self) -> dict[str, Optimizer | StallWatch]:
        """What `state_dict` is of."""
        return {"forward": self.forward_optimizer, "backward": self.backward_optimizer, "watch": self._watch}

    def _look(self, x: object, loss_fn: Callable[[Any], Tensor], share: float = 1.0) -> Slopes:
        if not self._checked:
            check_composition([*self.forwards, self.backward], x)
        phi, how = parameters_of(self.backward_optimizer), {"curved": self.order != 1, "ranks": self.ranks}
        seen = Slopes(self.forwards, self.backward, phi, x=x, loss_fn=loss_fn, share=share, **how)
        if not self._checked:
            check_reached("backward", [self.backward], phi, seen.phi_gradients)
            seen.check_no_other_way(trained(self.forwards))
        return seen

    def _info(self, seen: Slopes) -> ProximalInfo:
        output, norms = map_tensors(seen.output, lambda t: t.detach()), tuple(norm(slopes) for slopes in seen.slopes)
        finite = all_finite([seen.loss, *norms, *seen.phi_gradients])
        return ProximalInfo(seen.loss.detach(), output, norms, (), self.stalled, finite)

    def _add_gradients(self, seen: Slopes) -> ProximalInfo:
        """Add the gradients of both halves to those of the weights: all, or none where one is not finite."""
        info = self._add_forward_gradients(seen, self._info(seen))
        if info.finite:
            add_gradients(seen.phi, seen.phi_gradients)
        return info

    def _add_after_moving_backward(self, seen: Slopes) -> ProximalInfo:
        """Move g, and add f's gradients at its new weights; g is put back where these are not finite, or refused."""
        info = self._info(seen)
        if not info.finite:
            return info
        put_back = putting_back(self.backward_optimizer)
        add_gradients(seen.phi, seen.phi_gradients)
        try:
            self._move(self.backward_optimizer)
            seen.again()
            later = self._add_forward_gradients(seen, self._info(seen))
        except BaseException:
            put_back()
            raise
        if not later.finite:
            put_back()
        return replace(info, curvatures=later.curvatures, finite=later.finite)

    def _add_forward_gradients(self, seen: Slopes, info: ProximalInfo) -> ProximalInfo:
        """Pull every bottleneck's vector back to the weights before it; the info with the curvatures that were met."""
        if not info.finite:
            return info
        curvatures: list[Tensor] = []
        weights: list[nn.Parameter] = []
        gradients: list[Tensor | None] = []
        for number, module in enumerate(self.forwards):
            vector = self._vector(seen, number, curvatures)
            own = [parameter for _, parameter in trained([module])]
            if own:
                weights += own
                gradients += seen.pull_back(number, vector, own)
        if not self._checked:
            check_reached("forward", self.forwards, weights, gradients)
            self._checked = True
        if not all_finite(gradients):
            return replace(info, finite=False)
        add_gradients(weights, gradients)
        return replace(info, curvatures=tuple(curvatures))

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
                raise ValueError(LINEAR)
            products = tuple(torch.zeros_like(slope) for slope in slopes)
        curvatures.append(curvature(along, products))
        if self.order == 2 and self._flat_watches[number].add(slopes, products):
            warnings.warn(FLAT, stacklevel=5)
        return [start + step * product for start, product in zip(base, products, strict=True)]

    def _move(self, optimizer: Optimizer) -> None:
        if self.max_norm is not None:
            nn.utils.clip_grad_norm_(parameters_of(optimizer), self.max_norm)
        take_step(optimizer)
        torch.clear_autocast_cache()  # it holds the weights as they were

    def _watch_for_stall(self, loss: Tensor, gradient_norm: Tensor) -> None:
        self._watch.add(loss, gradient_norm)
        if self.order == 2 and self.stalled and not self._warned:
            self._warned = True
            warnings.warn(self._watch.message(), stacklevel=3)
