"""Matrix-based Rényi information of several variables, such as the channels of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.renyi_spectrum import join
from infotorch.estimators.renyi_terms import estimate_of, read_variables, total_correlation, with_units
from infotorch.numerics.checks import as_tensor
from infotorch.numerics.kernels import Bandwidth, Kernel
from infotorch.numerics.kinds import check_iterable
from infotorch.numerics.typing import ArrayLike


def renyi_joint_entropy(
    *variables: ArrayLike,
    alpha: float = 1.01,
    bandwidth: Bandwidth | Sequence[Bandwidth] = "knn",
    kernel: Kernel = "exp(-d2/s)",
) -> Estimate:
    """Matrix-based joint entropy, in nats: that of the Hadamard product of the variables' kernel matrices.

    Args:
        variables: one or more, paired row by row, each of shape (n,) or (n, ...); integers are symbols.
        alpha: see `renyi_entropy`.
        bandwidth: one for all variables, or one for each; see `renyi_entropy`.
        kernel: see `renyi_entropy`.

    Returns:
        In [0, log n], at least each variable's own entropy; differentiable.
        The product of Gaussian kernels is one Gaussian kernel, so memory does not grow with the number of variables.

    Raises:
        ValueError: no variables, samples not paired, as many bandwidths as variables not given, or as `renyi_entropy`.
        TypeError: a variable is not made of real numbers.
        MemoryError: a kernel matrix does not fit into memory: use alpha = 2.

    Source: Yu, Giraldo, Jenssen & Principe 2020, arXiv:1808.07912, Sec. III.

    Example:
        >>> import torch
        >>> a, b = torch.tensor([0.0, 0.0, 9.0, 9.0]), torch.tensor([0, 1, 0, 1])
        >>> round(renyi_joint_entropy(a, b, bandwidth=1.0).bits, 4)
        2.0
    """
    samples, name = read_variables(_numbered(variables), alpha, bandwidth, kernel, where="renyi_joint_entropy")
    estimate = estimate_of([(1, join(*samples))], alpha, name, ceiling=math.log(len(samples[0])))
    return with_units(estimate, _numbered(variables), bandwidth, kernel)


def renyi_total_correlation(
    *variables: ArrayLike,
    alpha: float = 1.01,
    bandwidth: Bandwidth | Sequence[Bandwidth] = "knn",
    kernel: Kernel = "exp(-d2/s)",
) -> Estimate:
    """Matrix-based total correlation of several variables, in nats: the sum of their entropies less the joint one.

    Args:
        variables: one or more, paired row by row, each of shape (n,) or (n, ...); integers are symbols.
        alpha: see `renyi_entropy`.
        bandwidth: one for all variables, or one for each; see `renyi_entropy`.
        kernel: see `renyi_entropy`.

    Returns:
        At most (number of variables - 1) log n; `renyi_mi` when there are two. Differentiable.

    Raises:
        ValueError: no variables, samples not paired, as many bandwidths as variables not given, or as `renyi_entropy`.
        TypeError: a variable is not made of real numbers.
        MemoryError: a kernel matrix does not fit into memory: use alpha = 2.

    Source: Yu et al. 2021, arXiv:2101.10160, the total correlation T before it is normalised.

    Example:
        >>> import torch
        >>> bit = torch.tensor([0, 1]).repeat(50)
        >>> round(renyi_total_correlation(bit, bit, bit).bits, 4)
        2.0
    """
    samples, name = read_variables(_numbered(variables), alpha, bandwidth, kernel, where="renyi_total_correlation")
    ceiling = (len(samples) - 1) * math.log(len(samples[0]))
    estimate = estimate_of(total_correlation(samples), alpha, name, ceiling=ceiling)
    return with_units(estimate, _numbered(variables), bandwidth, kernel)


def renyi_multivariate_mi(
    views: Sequence[ArrayLike],
    y: ArrayLike,
    *,
    alpha: float = 1.01,
    bandwidth: Bandwidth | Sequence[Bandwidth] = "knn",
    kernel: Kernel = "exp(-d2/s)",
) -> Estimate:
    """Matrix-based mutual information of several variables taken together with y: S(views) + S(y) - S(views, y), nats.

    For grids the views are the channels (`channel_views`), each with a kernel and a bandwidth of its own.

    Args:
        views: variables paired row by row, each of shape (n,) or (n, ...); integers are symbols.
        y: the same number of samples.
        alpha: see `renyi_entropy`.
        bandwidth: one for all, or one for each view and the last for y; see `renyi_entropy`.
        kernel: see `renyi_entropy`.

    Returns:
        As `renyi_mi`. The views' kernels multiply to one, so memory does not grow with their number.

    Raises:
        ValueError: no views, samples not paired, another number of bandwidths, or as `renyi_entropy`.
        TypeError: a view or y is not made of real numbers.
        MemoryError: a kernel matrix does not fit into memory: use alpha = 2.

    Source: Yu, Giraldo, Jenssen & Principe 2020, arXiv:1808.07912, Sec. III.

    Example:
        >>> import torch
        >>> a, b = torch.tensor([0, 0, 1, 1]).repeat(9), torch.tensor([0, 1, 0, 1]).repeat(9)
        >>> round(renyi_multivariate_mi([a, b], a ^ b).bits, 4)
        1.0
    """
    check_iterable(views, where="renyi_multivariate_mi", name="views", said="a list of variables")
    named = [(f"views[{i}]", view) for i, view in enumerate(views)]
    if not named:
        raise ValueError("renyi_multivariate_mi: views must hold at least one variable, got none.")
    samples, name = read_variables([*named, ("y", y)], alpha, bandwidth, kernel, where="renyi_multivariate_mi")
    together = [join(*samples[:-1]), samples[-1]]
    estimate = estimate_of(total_correlation(together), alpha, name, ceiling=math.log(len(samples[0])))
    return with_units(estimate, [*named, ("y", y)], bandwidth, kernel)


def channel_views(grid: ArrayLike) -> list[Tensor]:
    """The channels of (n, c, ...) as c variables of shape (n, ...), for `renyi_multivariate_mi`.

    Raises:
        ValueError: fewer than two axes.
        TypeError: grid is not made of real numbers.

    Example:
        >>> import torch
        >>> [view.shape for view in channel_views(torch.zeros(5, 2, 3, 3))]
        [torch.Size([5, 3, 3]), torch.Size([5, 3, 3])]
    """
    values = as_tensor(grid, where="channel_views", name="grid")
    if values.ndim < 2:
        raise ValueError(f"channel_views: grid must have rows and channels, got shape {tuple(values.shape)}.")
    return list(values.unbind(dim=1))


def _numbered(variables: Sequence[ArrayLike]) -> list[tuple[str, ArrayLike]]:
    return [(f"variable {i}", values) for i, values in enumerate(variables)]
