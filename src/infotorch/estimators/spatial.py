"""Deep InfoMax (DIM): bounds on information between representations on a grid, averaged over its locations.

A grid has shape (n, channels, locations...): n images, one vector of channels at every location of each. The local
bound sets a vector against every location of a grid, or one grid against another, location by location; the global
bound sets the vector against the whole map at once. Pairs drawn apart come from the other images of the batch, at the
same location.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.estimators.bounds import as_scores, infonce
from infotorch.numerics.checks import as_tensor, shown
from infotorch.numerics.kinds import check_function
from infotorch.numerics.module_inputs import described, explaining
from infotorch.numerics.typing import ArrayLike

#: scores of shape (n, n), true pairs on the diagonal -> a bound, such as `infonce`, `jsd`, `nwj`, `donsker_varadhan`
ScoreBound = Callable[[Tensor], Tensor]

#: vectors (n, c) and (n, d) -> scores of shape (n, n), such as a `Critic`
Scores = Callable[[Tensor, Tensor], Tensor]


def inner_products(x: Tensor, y: Tensor) -> Tensor:
    """Scores of every x against every y: their inner products, shape (n, m), in float32 or float64.

    Example:
        >>> inner_products(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        tensor([[3., 2.]])
    """
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    with torch.autocast(device_type=x.device.type, enabled=False):
        return x.to(dtype) @ y.to(dtype).T


def dim_local(scores: ArrayLike, *, bound: ScoreBound = infonce) -> Tensor:
    """Local DIM bound, in nats: the average over locations of a bound on I(T; X_l), X_l what stands at location l.

    No I(T; X_l) exceeds I(T; X), so that this is also a lower bound on the information about the whole map, and a loose
    one: what several locations tell alike counts in each of them.

    Args:
        scores: s_ijl = f(t_i, x_j at location l), shape (n, n, locations...), n >= 2. T may have locations too: then
            s_ijl compares both at location l. The scores take n^2 x locations numbers; `dim_grid` goes location by
            location.
        bound: what turns the n x n scores of one location into nats: `infonce`, `nwj`, `donsker_varadhan`, or any
            other. `jsd`, the authors' choice for training, gives a Jensen-Shannon divergence, no information.

    Returns:
        0-d, differentiable, not clamped; with `infonce` at most log n.

    Raises:
        ValueError: scores has fewer than three axes or no location, is not square in the first two, or n < 2.
        TypeError: scores is not made of real numbers, or bound no function.

    Source: Hjelm et al. 2019, arXiv:1808.06670, eq. 6. With InfoNCE their code contrasts with every location of the
        other images; we contrast with the same location, so that each term bounds I(T; X_l).

    Example:
        >>> scores = torch.stack([9 * torch.eye(4), torch.zeros(4, 4)], dim=2)  # log 4 = 1.386 and 0 nats
        >>> round(dim_local(scores).item(), 3)
        0.693
    """
    values = as_tensor(scores, where="dim_local", name="scores")
    check_function(bound, where="dim_local", name="bound")
    shape = tuple(values.shape)
    if values.ndim < 3 or shape[0] != shape[1] or shape[0] < 2 or values.numel() == 0:
        raise ValueError(f"dim_local: scores must have shape (n, n, locations...) with n >= 2, got {shape}.")
    locations = values.flatten(2).unbind(dim=2)
    return torch.stack([_read(bound, location, where="dim_local") for location in locations]).mean()


def dim_grid(
    first: ArrayLike, grid: ArrayLike, *, critic: Scores = inner_products, bound: ScoreBound = infonce
) -> Tensor:
    """Local DIM bound from features, in nats: `dim_local` of the critic's scores, one location after another.

    Args:
        first: a vector for every image, shape (n, c), or a grid with as many locations, shape (n, c, locations...). A
            grid of other locations is resampled or averaged by the caller first.
        grid: shape (n, d, locations...), n >= 2.
        critic: from the vectors at one location, shapes (n, c) and (n, d), to scores of shape (n, n); the default needs
            c = d, both having gone through projections of their own.
        bound: as in `dim_local`.

    Returns:
        0-d, differentiable, not clamped; with `infonce` at most log n. Without gradient it holds one n x n matrix at a
        time; with it, autograd keeps those of all locations.

    Raises:
        ValueError: grid is no grid, first has other samples or locations, n < 2, or the default critic is given
            different numbers of channels.
        TypeError: first or grid is not made of real numbers, or critic or bound no function.

    Source: Hjelm et al. 2019, arXiv:1808.06670, eq. 6; grid against grid after Bachman, Hjelm & Buchwalter 2019,
        arXiv:1906.00910, who compare every location with every other.

    Example:
        >>> codes = 3 * torch.eye(4)
        >>> round(dim_grid(codes, codes[:, :, None, None].expand(4, 4, 2, 2)).item(), 3)  # log 4, at all four locations
        1.386
    """
    a, b = as_tensor(first, where="dim_grid", name="first"), as_tensor(grid, where="dim_grid", name="grid")
    _check_grids(a, b)
    check_function(critic, where="dim_grid", name="critic")
    check_function(bound, where="dim_grid", name="bound")
    if critic is inner_products and a.shape[1] != b.shape[1]:
        raise ValueError(
            "dim_grid: first and grid must have equally many channels where no critic is given, "
            f"got {a.shape[1]} and {b.shape[1]}."
        )
    b = b.flatten(2)
    a = a[:, :, None].expand(-1, -1, b.shape[2]) if a.ndim == 2 else a.flatten(2)
    locations = zip(a.unbind(dim=2), b.unbind(dim=2), strict=True)
    with explaining(lambda: f"dim_grid: critic cannot take two of {described(a[..., 0])} and {described(b[..., 0])}"):
        return torch.stack([_read(bound, critic(x, y), where="dim_grid") for x, y in locations]).mean()


def dim_global(scores: ArrayLike, *, bound: ScoreBound = infonce) -> Tensor:
    """Global DIM bound on I(T; X), in nats: the bound of scores between vectors and whole maps.

    Args:
        scores: s_ij = f(t_i, x_j), shape (n, n), n >= 2, where f sees the whole map, flattened or through layers.
        bound: as in `dim_local`.

    Returns:
        0-d, differentiable, not clamped; with `infonce` at most log n.

    Raises:
        ValueError: scores is not square, or n < 2.
        TypeError: scores is not made of real numbers, or bound no function.

    Source: Hjelm et al. 2019, arXiv:1808.06670, Sec. 3.1.

    Example:
        >>> round(dim_global(9 * torch.eye(4)).item(), 3)  # log 4
        1.386
    """
    values = as_tensor(scores, where="dim_global", name="scores")
    check_function(bound, where="dim_global", name="bound")
    shape = tuple(values.shape)
    if values.ndim != 2 or shape[0] != shape[1] or shape[0] < 2:
        raise ValueError(f"dim_global: scores must have shape (n, n) with n >= 2, got {shape}.")
    return _read(bound, values, where="dim_global")


def prior_matching(prior_scores: ArrayLike, code_scores: ArrayLike) -> Tensor:
    """How well a discriminator tells codes from draws of a prior: mean of log D(prior) + mean of log(1 - D(code)).

    D is the sigmoid of its scores. The discriminator maximises the value and the encoder minimises it, which drives the
    codes towards the prior; DIM's is uniform on [0, 1] in every coordinate, and its encoder ends in a sigmoid. At the
    best discriminator it is twice the Jensen-Shannon divergence of the codes from the prior, less 2 log 2.

    Args:
        prior_scores: the discriminator's scores of draws of the prior, shape (m,) or any other.
        code_scores: its scores of codes, likewise.

    Returns:
        0-d, differentiable, below 0; -2 log 2 = -1.386 where the discriminator cannot tell.

    Raises:
        ValueError: prior_scores or code_scores is empty.
        TypeError: prior_scores or code_scores is not made of real numbers.

    Source: Hjelm et al. 2019, arXiv:1808.06670, eq. 7.

    Example:
        >>> round(prior_matching(torch.zeros(5), torch.zeros(3)).item(), 3)
        -1.386
    """
    real = _scores(prior_scores, where="prior_matching", name="prior_scores")
    fake = _scores(code_scores, where="prior_matching", name="code_scores")
    return -F.softplus(-real).mean() - F.softplus(fake).mean()


def _check_grids(first: Tensor, grid: Tensor) -> None:
    if grid.ndim < 3 or grid.numel() == 0 or len(grid) < 2:
        raise ValueError(
            f"dim_grid: grid must have shape (n, channels, locations...) with n >= 2, got {tuple(grid.shape)}."
        )
    locations = () if first.ndim == 2 else tuple(grid.shape[2:])
    if first.ndim < 2 or len(first) != len(grid) or tuple(first.shape[2:]) != locations:
        raise ValueError(
            "dim_grid: first must be vectors (n, channels) or a grid with the locations of grid, "
            f"got {tuple(first.shape)} for {tuple(grid.shape)}."
        )


def _scores(values: ArrayLike, *, where: str, name: str) -> Tensor:
    scores = as_scores(values, where=where, name=name)
    if scores.numel() == 0:
        raise ValueError(f"{where}: {name} is empty, shape {tuple(scores.shape)}.")
    return scores


def _read(bound: ScoreBound, scores: Tensor, *, where: str) -> Tensor:
    value = bound(scores)
    if not isinstance(value, Tensor) or value.ndim > 0:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else shown(value)
        raise TypeError(f"{where}: bound must give one number, a 0-d tensor, got {got}.")
    return value
