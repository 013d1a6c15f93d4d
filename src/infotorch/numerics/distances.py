"""Squared Euclidean distances by one matrix product, differentiable, and the unit in which they do not overflow."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """All squared Euclidean distances |a_i - b_j|^2, never negative.

    Both sets are first moved by the mean of `b`: distances do not change, and |a|^2 + |b|^2 - 2ab loses the least when
    the cloud lies around the origin. What is left is an absolute error of about 1e-7 (float32) or 1e-16 (float64) times
    the squared radius of the cloud. Autocast is switched off: bfloat16 products would leave no digit.

    Args:
        a: shape (n, d), floating point.
        b: shape (m, d), the same dtype and device.

    Returns:
        Shape (n, m), differentiable in both.

    Example:
        >>> squared_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([[25.,  1.]])
    """
    center = b.detach().mean(dim=0)
    return squared_distances_near_origin(a - center, b - center)


def squared_distances_near_origin(a: Tensor, b: Tensor) -> Tensor:
    """The same for sets that the caller has moved to the origin already.

    Example:
        >>> squared_distances_near_origin(torch.tensor([[1.0]]), torch.tensor([[-1.0], [1.0]]))
        tensor([[4., 0.]])
    """
    with torch.autocast(device_type=a.device.type, enabled=False):
        if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad):
            product = torch.addmm((b * b).sum(dim=1), a, b.T, alpha=-2)
            return (product + (a * a).sum(dim=1, keepdim=True)).clamp_min(0)
        # In place: fresh memory would take longer to touch than the sums take.
        product = ((-2 * a) @ b.T).add_((b * b).sum(dim=1))
        return product.add_((a * a).sum(dim=1, keepdim=True)).clamp_min_(0)


def product_eps(like: Tensor) -> float:
    """Relative rounding of a matrix product in the tensor's type; callers may have lowered that of float32.

    `torch.set_float32_matmul_precision("high")` and its kin leave 10 bits (TensorFloat-32), "medium" 7 (bfloat16).

    Example:
        >>> product_eps(torch.zeros(1, dtype=torch.float64)) == 2.0**-52
        True
    """
    full = like.dtype != torch.float32 or _full_float32(like.device)
    return torch.finfo(like.dtype if full else torch.bfloat16).eps


def _full_float32(device: torch.device) -> bool:
    backend = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    setting = getattr(getattr(backend, "matmul", None), "fp32_precision", None)
    if setting is None:  # torch before 2.9 has one setting for all devices
        return torch.get_float32_matmul_precision() == "highest"
    return setting in {"none", "ieee"}


def common_unit(*variables: Tensor, least: float = 1e-100, most: float = 1e100) -> float:
    """Power of two by which the largest number is of size 1; 1.0 where that lies between least and most, or is 0.

    Squares of float64 numbers beyond 1e154 overflow, of those below 1e-162 vanish. Dividing by it rounds nothing but
    numbers 1e300 times smaller than the largest.

    Example:
        >>> common_unit(torch.tensor([3e200], dtype=torch.float64)) == 2.0**666
        True
    """
    largest = max(float(values.detach().abs().max()) for values in variables)
    if largest == 0 or least <= largest <= most:
        return 1.0
    return math.ldexp(1.0, min(math.frexp(largest)[1], 1023))
