"""Gaussian mutual information: log-determinants of covariances, canonical correlations, and the Gaussian copula."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.estimators.doubts import examined
from infotorch.estimators.estimate import Estimate
from infotorch.numerics.checks import as_samples, check_choice, check_count, in_float64, paired_rows
from infotorch.numerics.typing import ArrayLike

# Correlation matrices with a smaller eigenvalue have a column that the others determine, up to rounding of float32
# input.
SINGULAR = 1e-10
# Nats on average by which a value may lie too high before it is doubted, as of other estimates that fall short.
_MOST_BIAS = 0.1


def gaussian_mi(x: ArrayLike, y: ArrayLike, *, unbiased: bool = False) -> Estimate:
    """Mutual information of jointly Gaussian x and y, in nats: 1/2 (log det S_x + log det S_y - log det S_xy).

    It sees linear dependence only. Where x and y are each Gaussian but not jointly, the truth is larger.

    Args:
        x: shape (n,) or (n, d_x), n > d_x + d_y.
        y: shape (n,) or (n, d_y).
        unbiased: False is the maximum-likelihood estimate, biased high by about d_x d_y / (2n); True subtracts the
            exact bias that it has on Gaussian data.

    Returns:
        No bound; at least 0 unless unbiased. Differentiable; computed in float64. Constant columns are left out: they
        carry no information. Standard error from the influence of each sample; it is 0 to first order for independent
        variables. A bias of more than 0.1 nats is warned of, makes the estimate unreliable and counts in that error.

    Raises:
        ValueError: samples not paired, n <= d_x + d_y, NaN or infinite values, or a singular covariance, which means
            that one column is a linear function of the others (the information may be infinite).
        TypeError: x or y is not made of real numbers.

    Source: Cover & Thomas 2006, Sec. 8.5. Covariances are divided by n; the factor cancels. The bias follows from
        the mean log-determinant of a Wishart matrix: Marrelec & Benali 2011, doi:10.3390/e13040805, Sec. 4.1.

    Example:
        >>> noise = torch.randn(2, 2000, generator=torch.Generator().manual_seed(2))
        >>> abs(float(gaussian_mi(noise[0], noise[0] + noise[1])) - 0.3466) < 0.05
        True
    """
    xs, ys = _paired_rows(x, y, where="gaussian_mi")
    check_choice(unbiased, (True, False), where="gaussian_mi", name="unbiased")
    dtype = torch.promote_types(torch.promote_types(xs.dtype, ys.dtype), torch.float32)
    return gaussian_information(xs, ys, name="gaussian_mi", dtype=dtype, freedom=len(xs) - 1, unbiased=bool(unbiased))


def gaussian_copula_mi(x: ArrayLike, y: ArrayLike, *, unbiased: bool = False) -> Estimate:
    """Mutual information in nats of x and y whose copula is Gaussian: `gaussian_mi` of each column's normal scores.

    Strictly increasing maps of single columns change neither the information nor the value, so units, heavy tails and
    outliers are harmless. With a single column each and another copula, the truth is larger; with several columns it
    may lie on either side. Ties share their mean rank.

    Args:
        x: shape (n,) or (n, d_x), n > d_x + d_y.
        y: shape (n,) or (n, d_y).
        unbiased: True subtracts the bias that `gaussian_mi` has on Gaussian data.

    Returns:
        As `gaussian_mi`, doubts included, but without gradient.

    Raises:
        ValueError: samples not paired, n <= d_x + d_y, NaN or infinite values, or ranks of one column that follow
            linearly from the others (equal ranks, for one).
        TypeError: x or y is not made of real numbers.

    Source: Ince et al. 2017, doi:10.1002/hbm.23471; their bias correction is `unbiased=True`.

    Example:
        >>> noise = torch.randn(2, 2000, generator=torch.Generator().manual_seed(2))
        >>> abs(float(gaussian_copula_mi(noise[0].exp(), (noise[0] + noise[1]) ** 3)) - 0.3466) < 0.05
        True
    """
    xs, ys = _paired_rows(x, y, where="gaussian_copula_mi")
    check_choice(unbiased, (True, False), where="gaussian_copula_mi", name="unbiased")
    scores = [average_normal_scores(as_samples(rows, where="gaussian_copula_mi", name="x")) for rows in (xs, ys)]
    return gaussian_information(
        *scores, name="gaussian_copula_mi", dtype=torch.float64, freedom=len(xs) - 1, unbiased=bool(unbiased)
    )


def canonical_correlations(x: ArrayLike, y: ArrayLike) -> Tensor:
    """Canonical correlations of x and y: the largest correlation of a linear map of x with one of y, then the next.

    For jointly Gaussian x and y the canonical pairs are independent of each other, so that the information is the sum
    of -1/2 log(1 - rho^2), in nats (`gaussian_mi_cca`).

    Args:
        x: shape (n,) or (n, d_x), n > d_x + d_y.
        y: shape (n,) or (n, d_y).

    Returns:
        Shape (min(d_x, d_y),), descending, in [0, 1], differentiable; computed in float64. Constant columns are left
        out, so that there may be fewer.

    Raises:
        ValueError: samples not paired, n <= d_x + d_y, NaN or infinite values, or a column of x that is a linear
            function of others of x, or the same for y.
        TypeError: x or y is not made of real numbers.

    Source: Hotelling 1936, doi:10.1093/biomet/28.3-4.321; by QR and SVD as Björck & Golub 1973,
        doi:10.1090/S0025-5718-1973-0348991-3.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0], [0.0, 0.0]])
        >>> canonical_correlations(x, 3 * x[:, 0] + 7).round(decimals=4)
        tensor([1.])
    """
    xs, ys = _paired_rows(x, y, where="canonical_correlations")
    dtype = torch.promote_types(torch.promote_types(xs.dtype, ys.dtype), torch.float32)
    return _correlations(*_orthonormal(xs, ys, where="canonical_correlations")).to(dtype)


def gaussian_mi_cca(x: ArrayLike, y: ArrayLike, *, num_components: int | None = None) -> Estimate:
    """Mutual information of jointly Gaussian x and y, in nats: -1/2 sum log(1 - rho^2) over canonical correlations.

    With all of them it is `gaussian_mi`. The first r alone give the most that r linear maps of x tell of y.

    Args:
        x: shape (n,) or (n, d_x), n > d_x + d_y.
        y: shape (n,) or (n, d_y).
        num_components: how many of the largest correlations, at most min(d_x, d_y); None is all.

    Returns:
        No bound, at least 0, differentiable; computed in float64. Biased high as `gaussian_mi` is, and doubted as that
        is. Standard error from the influence of each sample.

    Raises:
        ValueError: as `canonical_correlations`; a correlation of 1, where the information is infinite; or
            num_components out of range.
        TypeError: x or y is not made of real numbers, or num_components is not an integer.

    Source: Gelfand & Yaglom 1959, "Calculation of the amount of information about a random function".

    Example:
        >>> noise = torch.randn(4, 2000, generator=torch.Generator().manual_seed(2))
        >>> x, y = noise[:2].T, (noise[:2] + noise[2:]).T  # two equal pairs of 0.3466 nats
        >>> abs(float(gaussian_mi_cca(x, y, num_components=1)) - 0.3466) < 0.05
        True
    """
    xs, ys = _paired_rows(x, y, where="gaussian_mi_cca")
    most = min(xs.shape[1], ys.shape[1])
    if num_components is not None:
        check_count(num_components, where="gaussian_mi_cca", name="num_components")
        if num_components > most:
            raise ValueError(f"gaussian_mi_cca: num_components must be at most {most}, got {num_components}.")
    first, second = _orthonormal(xs, ys, where="gaussian_mi_cca")
    rho = _correlations(first, second)[:num_components]
    # The least eigenvalue of the joint correlation of the canonical pairs is 1 - rho.
    _check_regular(1 - rho.detach(), where="gaussian_mi_cca")
    dtype = torch.promote_types(torch.promote_types(xs.dtype, ys.dtype), torch.float32)
    found = Estimate(
        (-0.5 * torch.log1p(-(rho**2))).sum().to(dtype),
        side="none",
        n=len(xs),
        estimator=f"gaussian_mi_cca num_components={most if num_components is None else num_components}",
        error=lambda: _error(_variates(first.detach(), second.detach(), len(rho))),
    )
    return _doubted(
        found, first.shape[1], second.shape[1], freedom=len(xs) - 1, instead="gaussian_mi with unbiased=True"
    )


def gaussian_information(
    x: Tensor, y: Tensor, *, name: str, dtype: torch.dtype, freedom: int, unbiased: bool = True
) -> Estimate:
    """The log-determinant estimate for checked rows; unbiased, less its exact bias for so many degrees of freedom."""
    a, b = standardised(x), standardised(y)
    parts = [a, b, torch.cat([a, b], dim=1)]
    log_det = [_log_det(part, where=name) for part in parts]
    value = 0.5 * (log_det[0] + log_det[1] - log_det[2])
    if unbiased:
        value = value - _bias(a.shape[1], b.shape[1], freedom)
    found = Estimate(
        value.to(dtype),
        side="none",
        n=len(x),
        estimator=f"{name} unbiased" if unbiased else name,
        error=lambda: _error([part.detach() for part in parts]),
    )
    return found if unbiased else _doubted(found, a.shape[1], b.shape[1], freedom=freedom, instead="unbiased=True")


def _doubted(found: Estimate, d_x: int, d_y: int, *, freedom: int, instead: str) -> Estimate:
    """The estimate with its bias said and counted in its error, where it is large."""
    bias = _bias(d_x, d_y, freedom)
    if bias <= _MOST_BIAS:
        return found
    told = f"on Gaussian data so few samples of {d_x} and {d_y} columns lie {bias:.2g} nats too high on average"
    instead = f"take {instead}, fewer columns or more samples"
    return examined(found, {}, short=lambda: told, instead_of_short=instead, off=lambda: bias)


def standardised(rows: Tensor) -> Tensor:
    """Columns of mean 0 and squared length 1, so that their Gram matrix is the correlation; no constant ones."""
    wide = in_float64(rows)
    wide = wide[:, (wide != wide[0]).any(dim=0)]
    # Squares of numbers beyond 1e154 overflow, of those below 1e-162 vanish.
    wide = wide / wide.detach().abs().amax(dim=0)
    centered = wide - wide.mean(dim=0)
    return centered / torch.linalg.vector_norm(centered, dim=0)


def average_normal_scores(rows: Tensor) -> Tensor:
    """Each column's ranks as quantiles of N(0, 1), at rank / (n + 1); equal values share their mean rank.

    Example:
        >>> average_normal_scores(torch.tensor([[1.0], [1e9], [-5.0], [1.0]])).round(decimals=2).flatten().tolist()
        [0.0, 0.84, -0.84, 0.0]
    """
    columns = rows.T.contiguous()
    ordered, order = columns.sort(dim=1)
    n = len(rows)
    place = torch.arange(n, device=rows.device).expand_as(order)
    # Values that are equal stand together: each has as many below it as the first, and as many up to it as the last.
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    below = torch.where(new, place, 0).cummax(dim=1).values
    ends = torch.where(new.roll(-1, 1), place + 1, n)
    upto = ends.flip(1).cummin(dim=1).values.flip(1)
    scores = torch.special.ndtri((below + upto + 1).double() / (2 * (n + 1)))
    return torch.empty_like(scores).scatter_(1, order, scores).T


def _paired_rows(x: ArrayLike, y: ArrayLike, *, where: str) -> tuple[Tensor, Tensor]:
    xs, ys = paired_rows(x, y, where=where)
    n, columns = len(xs), xs.shape[1] + ys.shape[1]
    if n <= columns:
        raise ValueError(
            f"{where}: needs more samples than columns of x and y together, got {n} samples, {columns} columns."
        )
    return xs, ys


def _log_det(columns: Tensor, *, where: str) -> Tensor:
    correlation = columns.T @ columns
    _check_regular(torch.linalg.eigvalsh(correlation.detach()), where=where)
    return torch.linalg.slogdet(correlation).logabsdet


def _check_regular(eigenvalues: Tensor, *, where: str) -> None:
    if eigenvalues.numel() and float(eigenvalues.min()) < SINGULAR:
        raise ValueError(
            f"{where}: the covariance of x and y must not be singular, got a column that is a linear function of "
            "others: drop it, or add noise if the dependence is meant (its information is infinite)."
        )


def _bias(d_x: int, d_y: int, freedom: int) -> float:
    """How far 1/2 (log det of x + of y - of both) lies above the truth on average, for Wishart matrices."""
    halves = (freedom - torch.arange(d_x + d_y, dtype=torch.float64, device="cpu")) / 2
    psi = halves.digamma()
    return 0.5 * float(psi[:d_x].sum() + psi[:d_y].sum() - psi.sum())


def _error(parts: list[Tensor]) -> float:
    """Infinitesimal jackknife: half of (squared lengths of a sample in x and in y, less that of the sample in both)."""
    x, y, both = ((torch.linalg.solve(columns.T @ columns, columns.T).T * columns).sum(dim=1) for columns in parts)
    return 0.5 * math.sqrt(len(both)) * float((x + y - both).std())


def _orthonormal(x: Tensor, y: Tensor, *, where: str) -> tuple[Tensor, Tensor]:
    """Orthonormal bases of the centred columns of x and of y."""
    a, b = standardised(x), standardised(y)
    for columns in (a, b):
        _check_regular(torch.linalg.eigvalsh((columns.T @ columns).detach()), where=where)
    return torch.linalg.qr(a).Q, torch.linalg.qr(b).Q


def _correlations(first: Tensor, second: Tensor) -> Tensor:
    # Rounding may carry a correlation of 1 beyond it.
    return torch.linalg.svdvals(first.T @ second).clamp_max(1.0)


def _variates(first: Tensor, second: Tensor, count: int) -> list[Tensor]:
    """The first canonical variables of x, of y, and both: to first order, only they move the correlations."""
    u, _, vh = torch.linalg.svd(first.T @ second, full_matrices=False)
    a, b = first @ u[:, :count], second @ vh[:count].T
    return [a, b, torch.cat([a, b], dim=1)]
