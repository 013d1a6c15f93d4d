"""Conditional mutual information I(X; Y | Z): from nearest neighbours, log-determinants, and counts of symbols.

What x and y still tell of each other once z is known: I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from infotorch.estimators.discrete import Correction, instead_of_bias
from infotorch.estimators.doubts import ONE_RADIUS, STANDARDISE, examined
from infotorch.estimators.estimate import Estimate, error_of_mean
from infotorch.estimators.gaussian import SINGULAR, gaussian_information, standardised
from infotorch.estimators.shortfall import pair_reads_too_little
from infotorch.estimators.subsampling import subsampling_error
from infotorch.estimators.symbol_doubts import examined_for_bias
from infotorch.numerics.checks import as_rows, as_samples, check_choice, check_neighbours
from infotorch.numerics.distances import common_unit
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.neighbours import count_within, digamma, nearest_distances
from infotorch.numerics.symbols import as_symbols, is_constant, multiplicity, symbols
from infotorch.numerics.typing import ArrayLike


def conditional_ksg(x: ArrayLike, y: ArrayLike, z: ArrayLike, *, k: int = 3) -> Estimate:
    """Conditional mutual information I(X; Y | Z) of continuous variables, in nats, from the k nearest neighbours.

    <psi(k) - psi(n_xz + 1) - psi(n_yz + 1) + psi(n_z + 1)>, the counts being rows strictly nearer than the k-th
    neighbour. All distances are Chebyshev distances, so the units of columns relative to each other matter. In many
    dimensions, and where z tells much of x and y, the estimate falls below the truth, the more so the fewer the
    samples. Warnings tell where scales lie more than a factor of five apart, and where columns are too many.

    Where more than k samples coincide, psi(k) becomes psi of their number, the samples themselves counted; other ties
    are better left to `conditional_mixed_ksg`.

    Args:
        x: shape (n,) or (n, ...), n > k.
        y: the same number of samples.
        z: the same number of samples. With constant z it is `ksg`.
        k: number of neighbours; more is smoother and more biased.

    Returns:
        No bound, not clamped: it may be negative. Computed in float64. 0 when x or y is constant. The ceiling is
        psi(n) - psi(k) where no two distances are equal. `std_error` by subsampling.

    Raises:
        ValueError: samples not paired, n <= k, or NaN or infinite values.
        TypeError: x, y or z is not made of real numbers, or k is not an integer.

    Source: Frenzel & Pompe 2007, doi:10.1103/PhysRevLett.99.204101. Their h_N is -psi(N + 1), less a
        constant that cancels.

    Example:
        >>> noise = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
        >>> z = noise[0]  # x and y share nothing but z
        >>> abs(float(conditional_ksg(z + noise[1], z + noise[2], z))) < 0.1
        True
    """
    return _by_neighbours(_ksg, x, y, z, k, name="conditional_ksg")


def conditional_mixed_ksg(x: ArrayLike, y: ArrayLike, z: ArrayLike, *, k: int = 3) -> Estimate:
    """Conditional mutual information I(X; Y | Z) of variables that may mix atoms and densities, in nats.

    <psi(k_i) - psi(n_xz) - psi(n_yz) + psi(n_z)>, the counts being other samples at most as far as the k-th neighbour
    in each space, k_i in the joint one: k unless there are ties. Chebyshev distances, so scales matter, those of class
    numbers too, and warnings tell as for `conditional_ksg`. On densities `conditional_ksg` is the better one: this lies
    above it (benchmarks/accuracy.py has both).

    Args:
        x: real or integer, shape (n,) or (n, ...), n > k.
        y: real or integer, the same number of samples.
        z: real or integer, the same number of samples.
        k: number of neighbours.

    Returns:
        No bound, not clamped: it may be negative. Computed in float64. 0 when x or y is constant. The ceiling is
        psi(n - 1) - psi(k). `std_error` by subsampling.

    Raises:
        ValueError: samples not paired, n <= k, or NaN or infinite values.
        TypeError: x, y or z is not made of real numbers, or k is not an integer.

    Source: Mesner & Shalizi 2020, arXiv:1912.03387, Algorithm 1, without its last step, which clamps at 0. Ties at any
        radius enlarge k_i, as in the authors' code.

    Example:
        >>> bits = torch.randint(2, (2, 1000), generator=torch.Generator().manual_seed(0))
        >>> x, y = bits[0], bits[0] ^ bits[1]  # independent, but one given the other's sum is known: log 2
        >>> abs(float(conditional_mixed_ksg(x, y, bits[1])) - 0.693) < 0.01
        True
    """
    return _by_neighbours(_mixed, x, y, z, k, name="conditional_mixed_ksg")


def conditional_gaussian_mi(x: ArrayLike, y: ArrayLike, z: ArrayLike, *, unbiased: bool = False) -> Estimate:
    """Conditional mutual information I(X; Y | Z) of jointly Gaussian variables, in nats: that of their residuals.

    1/2 (log det S_xz + log det S_yz - log det S_z - log det S_xyz), computed as `gaussian_mi` of what linear regression
    on z leaves of x and y: for one column each, -1/2 log(1 - r^2) with the partial correlation r.

    Args:
        x: shape (n,) or (n, d_x), n > d_x + d_y + d_z.
        y: shape (n,) or (n, d_y).
        z: shape (n,) or (n, d_z).
        unbiased: False is the maximum-likelihood estimate, biased high by about d_x d_y / (2n); True subtracts the
            exact bias that it has on Gaussian data.

    Returns:
        No bound; at least 0 unless unbiased. Differentiable; computed in float64. Columns that are constant, or of x
        and y linear in z, carry no information and are left out. Standard error from the influence of each sample. A
        bias of more than 0.1 nats is warned of, makes the estimate unreliable and counts in that error.

    Raises:
        ValueError: samples not paired, n <= d_x + d_y + d_z, NaN or infinite values, a column of z that is a linear
            function of others of z, or one of x and y that is so given z.
        TypeError: x, y or z is not made of real numbers.

    Source: Cover & Thomas 2006, Sec. 8.5, by the chain rule.

    Example:
        >>> noise = torch.randn(3, 2000, generator=torch.Generator().manual_seed(2))
        >>> x, z = noise[0], noise[1]
        >>> abs(float(conditional_gaussian_mi(x, x + z + noise[2], z)) - 0.3466) < 0.05
        True
    """
    where = "conditional_gaussian_mi"
    check_kind(unbiased, (bool, np.bool_), where=where, name="unbiased", said="True or False")
    xs, ys, zs = (as_rows(v, where=where, name=name) for v, name in ((x, "x"), (y, "y"), (z, "z")))
    _check_three(xs, ys, zs, where=where)
    ys, zs = ys.to(xs.device), zs.to(xs.device)
    n, columns = len(xs), xs.shape[1] + ys.shape[1] + zs.shape[1]
    if n <= columns:
        raise ValueError(
            f"{where}: needs more samples than columns of x, y and z together, got {n} samples, {columns}."
        )
    dtype = torch.promote_types(torch.promote_types(xs.dtype, ys.dtype), torch.promote_types(zs.dtype, torch.float32))
    given = standardised(zs)
    basis = _basis(given, where=where)
    return gaussian_information(
        _residual(xs, basis),
        _residual(ys, basis),
        name=where,
        dtype=dtype,
        freedom=n - 1 - given.shape[1],
        unbiased=bool(unbiased),
    )


def conditional_discrete_mi(
    a: ArrayLike, b: ArrayLike, c: ArrayLike, *, correction: Correction | None = None
) -> Estimate:
    """Conditional mutual information I(A; B | C) of discrete variables, in nats: H(A, C) + H(B, C) - H(C) - H(A, B, C).

    Args:
        a: integers or booleans, shape (n,) or (n, ...); the columns of a sample are one symbol.
        b: the same number of samples.
        c: the same number of samples.
        correction: None is the plug-in value, biased high by about (triples + symbols of c - pairs of a and c - pairs
            of b and c) / (2n); "miller-madow" subtracts that, counting those that occur.

    Returns:
        The plug-in value is at least 0 and at most log n. Corrected values may be negative. 0 when a or b is constant.
        Standard error by the delta method; it is 0 to first order where a and b are independent given c. A warning,
        `reason` and `reliable` tell where too few samples are left of bias, as for `discrete_mi`.

    Raises:
        ValueError: samples not paired, no rows, or an unknown correction.
        TypeError: a, b or c is not made of integers.

    Source: Cover & Thomas 2006, eq. 2.61; Miller 1955, "Note on the bias of information estimates".

    Example:
        >>> a, b = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
        >>> round(conditional_discrete_mi(a, b, a ^ b).bits, 6)
        1.0
    """
    where = "conditional_discrete_mi"
    first, second, given = (as_symbols(v, where=where, name=name) for v, name in ((a, "a"), (b, "b"), (c, "c")))
    _check_three(first, second, given, where=where, names="a, b and c")
    if correction is not None:
        check_choice(correction, ("miller-madow",), where=where, name="correction")
    first, second = first.to(given.device), second.to(given.device)
    return examined_for_bias(
        _plug_in(first, second, given, correction),
        [first, second, given],
        functools.partial(_plug_in, correction=correction),
        freedom=lambda: -sum(sign * int(codes.max()) for codes, sign in _signed(first, second, given)),
        instead=instead_of_bias(correction),
        name=where,
    )


def _signed(a: Tensor, b: Tensor, c: Tensor) -> list[tuple[Tensor, int]]:
    """Symbols whose entropies, with these signs, make I(A; B | C)."""
    groups = [symbols(torch.stack(part, dim=1)) for part in ([a, c], [b, c], [a, b, c])]
    return [(groups[0], 1), (groups[1], 1), (groups[2], -1), (c, -1)]


def _plug_in(a: Tensor, b: Tensor, c: Tensor, correction: Correction | None) -> Estimate:
    signed, n = _signed(a, b, c), len(c)
    terms = torch.stack([sign * _surprise(codes) for codes, sign in signed]).sum(dim=0)
    missed = sum(sign * int(codes.max()) for codes, sign in signed) / (2 * n)
    shift = 0.0 if correction is None else missed
    return Estimate(
        terms.mean() + shift,
        side="none",
        n=n,
        estimator=f"conditional_discrete_mi {correction or 'plug-in'}",
        ceiling=math.log(n) + shift,
        error=lambda: error_of_mean(terms),
    )


def _check_three(x: Tensor, y: Tensor, z: Tensor, *, where: str, names: str = "x, y and z") -> None:
    if not len(x) == len(y) == len(z):
        raise ValueError(f"{where}: {names} must be paired row by row, got {len(x)}, {len(y)} and {len(z)} rows.")


def _by_neighbours(
    value: Callable[[Tensor, Tensor, Tensor, int], Tensor],
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    k: int,
    *,
    name: str,
) -> Estimate:
    xs, ys, zs = (as_samples(v, where=name, name=letter) for v, letter in ((x, "x"), (y, "y"), (z, "z")))
    _check_three(xs, ys, zs, where=name)
    n = len(xs)
    k = check_neighbours(k, n, where=name)
    unit = common_unit(xs, ys, zs)
    xs, ys, zs = xs / unit, (ys / unit).to(xs.device), (zs / unit).to(xs.device)

    def estimate(rows: Tensor) -> float:
        return float(value(xs[rows], ys[rows], zs[rows], k))

    found = Estimate(
        value(xs, ys, zs, k),
        side="none",
        n=n,
        estimator=f"{name} k={k}",
        ceiling=digamma(n - (value is _mixed)) - digamma(k),
        error=lambda: subsampling_error(estimate, n, smallest=5 * (k + 1)),
    )
    return examined(
        found,
        {"x": xs, "y": ys, "z": zs},
        depends=ONE_RADIUS,
        instead=STANDARDISE,
        again=lambda a, b, c: float(value(a, b, c, k)),
        resolution=1 / k,
        short=lambda: pair_reads_too_little(found, torch.cat([xs, ys, zs], dim=1)),
        instead_of_short="take fewer columns or more samples, or conditional_gaussian_mi with unbiased=True",
    )


def _ksg(x: Tensor, y: Tensor, z: Tensor, k: int) -> Tensor:
    if is_constant(x) or is_constant(y):
        return x.new_zeros(())
    together = torch.cat([x, y, z], dim=1)
    radius = nearest_distances(together, k, "chebyshev")[:, -1]
    in_joint = torch.full_like(radius, k)
    coincident = radius == 0
    if coincident.any():
        in_joint = torch.where(coincident, multiplicity(together), in_joint)
    # One ulp below: counts are inclusive and have the row itself, Frenzel and Pompe's are strict and add 1.
    return _mean_of_digammas(in_joint, _counts(x, y, z, torch.nextafter(radius, torch.zeros_like(radius))))


def _mixed(x: Tensor, y: Tensor, z: Tensor, k: int) -> Tensor:
    together = torch.cat([x, y, z], dim=1)
    radius = nearest_distances(together, k, "chebyshev")[:, -1]
    in_joint = count_within(together, radius, "chebyshev")
    # The row itself is not counted here.
    return _mean_of_digammas(in_joint - 1, [count - 1 for count in _counts(x, y, z, radius)])


def _counts(x: Tensor, y: Tensor, z: Tensor, radius: Tensor) -> list[Tensor]:
    """Rows within the radius in (x, z), in (y, z) and in z, the row itself included."""
    spaces = [torch.cat([x, z], dim=1), torch.cat([y, z], dim=1), z]
    return [count_within(space, radius, "chebyshev") for space in spaces]


def _mean_of_digammas(in_joint: Tensor, counts: Sequence[Tensor]) -> Tensor:
    xz, yz, z = (count.double().digamma() for count in counts)
    return ((in_joint.double().digamma() - xz) + (z - yz)).mean()


def _basis(columns: Tensor, *, where: str) -> Tensor:
    """Orthonormal basis of standardised columns."""
    gram = (columns.T @ columns).detach()
    if gram.numel() and float(torch.linalg.eigvalsh(gram)[0]) < SINGULAR:
        raise ValueError(f"{where}: no column of z may be a linear function of other columns of z: drop it.")
    return torch.linalg.qr(columns).Q


def _residual(rows: Tensor, basis: Tensor) -> Tensor:
    """What regression leaves of each column; nothing where only rounding is left, columns that are constant given z."""
    columns = standardised(rows)
    left = columns - basis @ (basis.T @ columns)
    return left * ((left.detach() ** 2).sum(dim=0) > SINGULAR)


def _surprise(codes: Tensor) -> Tensor:
    """Minus the log frequency of every sample's symbol."""
    return math.log(len(codes)) - torch.bincount(codes)[codes].double().log()
