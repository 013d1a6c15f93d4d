"""Adversarial inputs by gradient: the worst change that stays within a radius in every entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import check_count

#: Inputs (n, ...) -> class scores (n, classes), differentiable where an attack is to see anything.
Scores = Callable[[Tensor], Tensor]

#: Range of the inputs, (lowest, highest); None where they have none.
Limits = tuple[float, float] | None


def slope(scores: Scores, x: Tensor, y: Tensor) -> Tensor:
    """Gradient of the cross-entropy by x; zeros where there is none.

    Of a network whose scores are the logarithm of the mean over several draws of the noise (`SampleMean`) it is the
    gradient of that mean's loss: an expectation over the noise, as a single draw's gradient would be mostly noise.

    Args:
        scores: inputs -> class scores.
        x: inputs, (n, ...).
        y: classes, (n,).

    Source: Athalye, Carlini & Wagner 2018, arXiv:1802.00420, Sec. 4.2 (expectation over transformation).

    Example:
        >>> slope(lambda x: torch.cat([-x, x], 1), torch.zeros(1, 1), torch.tensor([1]))  # 2 (p - 1)
        tensor([[-1.]])
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        # Of a leaf nothing may be changed in place, as a network's first layer may do.
        loss = F.cross_entropy(scores(leaf.clone()), y, reduction="sum")
        if not loss.requires_grad:
            return torch.zeros_like(x)
        (found,) = torch.autograd.grad(loss, leaf, allow_unused=True)
    return torch.zeros_like(x) if found is None else found


def fgsm(scores: Scores, x: Tensor, y: Tensor, radius: float, *, limits: Limits = None) -> Tensor:
    """One step of the whole radius along the sign of the gradient.

    Args:
        scores: inputs -> class scores.
        x: inputs, (n, ...).
        y: classes, (n,).
        radius: largest change of an entry.
        limits: range of the inputs, which the changed ones keep.

    Raises:
        TypeError: radius is no number.
        ValueError: radius negative or not finite.

    Source: Goodfellow, Shlens & Szegedy 2015, arXiv:1412.6572.

    Example:
        >>> x = torch.tensor([[0.2], [0.9]])
        >>> fgsm(lambda x: torch.cat([-x, x], 1), x, torch.tensor([1, 0]), 0.3, limits=(0.0, 1.0))
        tensor([[0.],
                [1.]])
    """
    _check_radius(radius, where="fgsm")
    return _within(x + radius * slope(scores, x, y).sign(), limits)


def pgd(
    scores: Scores,
    x: Tensor,
    y: Tensor,
    radius: float,
    *,
    limits: Limits = None,
    steps: int = 10,
    start: Tensor | None = None,
) -> Tensor:
    """Steps along the sign of the gradient, projected onto the radius around x after each.

    A step is 2.5 radii divided by their number.

    Args:
        scores: inputs -> class scores; of a stochastic network every step draws anew.
        x: inputs, (n, ...).
        y: classes, (n,).
        radius: largest change of an entry.
        limits: range of the inputs, which the changed ones keep.
        steps: how many.
        start: where they begin, within the radius, as x; None: at x itself.

    Raises:
        TypeError: radius is no number, or steps no integer.
        ValueError: radius negative or not finite, or steps below 1.

    Source: Madry et al. 2018, arXiv:1706.06083, who start at random, as `pgd_restarts` does.

    Example:
        >>> pgd(lambda x: torch.cat([-x, x], 1), torch.tensor([[0.5]]), torch.tensor([1]), 0.25)
        tensor([[0.2500]])
    """
    _check_radius(radius, where="pgd")
    check_count(steps, where="pgd", name="steps")
    moved = x if start is None else start
    for _ in range(steps):
        moved = moved + 2.5 * radius / steps * slope(scores, moved, y).sign()
        moved = _within(torch.minimum(torch.maximum(moved, x - radius), x + radius), limits)
    return moved


def pgd_restarts(
    scores: Scores,
    x: Tensor,
    y: Tensor,
    radius: float,
    *,
    generator: torch.Generator,
    limits: Limits = None,
    steps: int = 100,
    restarts: int = 5,
) -> Tensor:
    """The worst of several `pgd`, each from a random point within the radius; samples that one fools are left alone.

    Args:
        scores: inputs -> class scores, as for `pgd`.
        x: inputs, (n, ...).
        y: classes, (n,).
        radius: largest change of an entry.
        generator: of the starts.
        limits: range of the inputs, which the changed ones keep.
        steps: of each.
        restarts: how many.

    Returns:
        Of each sample the changed input with the largest margin of another class's score over its own; x itself where
        none has a larger one.

    Raises:
        TypeError: radius is no number, or steps or restarts no integer.
        ValueError: radius negative or not finite, or steps or restarts below 1.

    Source: Madry et al. 2018, arXiv:1706.06083, Sec. 4; Carlini et al. 2019, arXiv:1902.06705, Sec. 5.2.

    Example:
        >>> found = pgd_restarts(lambda x: torch.cat([-x, x], 1), torch.tensor([[0.5]]), torch.tensor([1]), 0.25,
        ...                      generator=torch.Generator().manual_seed(0))
        >>> found
        tensor([[0.2500]])
    """
    _check_radius(radius, where="pgd_restarts")
    for name, count in (("steps", steps), ("restarts", restarts)):
        check_count(count, where="pgd_restarts", name=name)
    worst, most = x.clone(), _margin(scores, x, y)
    for _ in range(restarts):
        drawn = torch.rand(x.shape, generator=generator, device=generator.device).to(x)
        left = (most <= 0).nonzero().flatten()
        if not len(left):
            break
        begun = _within(x[left] + radius * (2 * drawn[left] - 1), limits)
        moved = pgd(scores, x[left], y[left], radius, limits=limits, steps=steps, start=begun)
        margin = _margin(scores, moved, y[left])
        better = margin > most[left]
        worst[left[better]], most[left[better]] = moved[better], margin[better]
    return worst


def _margin(scores: Scores, x: Tensor, y: Tensor) -> Tensor:
    """The largest score of another class less that of the own one: above 0 the decision is wrong."""
    with torch.no_grad():
        found = scores(x)
    own = found.gather(1, y[:, None])
    return (found.scatter(1, y[:, None], -math.inf).amax(dim=1, keepdim=True) - own).flatten()


def _within(x: Tensor, limits: Limits) -> Tensor:
    return x if limits is None else x.clamp(*limits)


def _check_radius(radius: float, *, where: str) -> None:
    if isinstance(radius, bool) or not isinstance(radius, Real):
        raise TypeError(f"{where}: radius must be a number, got {type(radius).__name__}.")
    if not 0 <= radius < math.inf:
        raise ValueError(f"{where}: radius must be at least 0 and finite, got {radius}.")
