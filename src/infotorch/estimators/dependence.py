"""Kernel measures of dependence, without unit: HSIC, and CKA, its normalised form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from infotorch.estimators.doubts import tell_unlike_scales
from infotorch.estimators.renyi_terms import one_bandwidth_each
from infotorch.numerics.checks import as_rows, check_choice, check_paired, check_rows, is_discrete
from infotorch.numerics.kernels import (
    Bandwidth,
    Tile,
    find_bandwidth,
    gram_blocks,
    kernel_columns,
    tiles,
    unit_gram_rows,
    unit_gram_tiles,
)
from infotorch.numerics.symbols import symbols
from infotorch.numerics.typing import ArrayLike

DependenceKernel = Literal["rbf", "linear"]
#: sum of K_ij L_ij, 0-d, and the row sums of K and of L, shape (n,)
Sums = tuple[Tensor, Tensor, Tensor]
KERNELS_OF_DEPENDENCE: tuple[str, ...] = get_args(DependenceKernel)


# Samples up to which a matrix is kept for the pairs of many embeddings: 128 MB each in float64.
_MOST_KEPT = 4096


@dataclass(frozen=True)
class _Side:
    """One variable's kernel matrix K, never whole but of many embeddings beside each other.

    Args:
        rows: from a slice to these rows of K.
        tile: from slices of rows and of columns to this tile of K, without gradient.
        diagonal: shape (n,).
        features: K = features @ features.T, where there are such.
        scale: what the features were divided by, so K by its square.
        needs_grad: whether K depends on what needs a gradient.
    """

    rows: Callable[[slice], Tensor]
    tile: Tile
    diagonal: Tensor
    features: Tensor | None = None
    scale: float = 1.0
    needs_grad: bool = False


@dataclass(frozen=True)
class _Inner:
    """An HSIC, and the size of the sums it is the difference of."""

    value: Tensor
    size: Tensor


def hsic(
    x: ArrayLike,
    y: ArrayLike,
    *,
    kernel: DependenceKernel = "rbf",
    bandwidth: Bandwidth | Sequence[Bandwidth] = "median",
    unbiased: bool = True,
) -> Tensor:
    """Hilbert-Schmidt independence criterion of x and y: how much their kernels vary together; 0 for independence.

    Biased: tr(K H L H) / (n - 1)^2, H centring. Unbiased, with zeros put on the diagonals of K and L:
    [tr(K L) + 1'K1 1'L1 / ((n - 1)(n - 2)) - 2 / (n - 2) 1'K L 1] / (n (n - 3)).

    It is not in nats, and its size depends on the kernels: the linear one has the squared units of x and y, and under
    any the units of a variable's columns relative to each other matter (a warning tells where their scales lie more
    than a factor of five apart), under "rbf" of a fixed bandwidth those of both variables. Integers and booleans are
    symbols: their kernel is 1 between equal samples and 0 otherwise, whatever `kernel` says.

    Args:
        x: shape (n,) or (n, ...); trailing axes are flattened.
        y: the same number of samples.
        kernel: "rbf", exp(-d2 / (2 s^2)), which sees any dependence; or "linear", inner products, which sees covariance
            only and needs no n x n matrix.
        bandwidth: s of "rbf", one for both or a pair: a number, "median" (of the distances, among 1000 samples where
            there are more) or "knn" (mean distance to the 10 nearest). It is a constant: no gradient runs through it.
        unbiased: the U-statistic, 0 on average under independence and so negative at times, n >= 4; or the biased form,
            at least 0, n >= 2.

    Returns:
        0-d tensor, differentiable; computed in float64. 0 when x or y is constant. Memory for a block of samples at a
        time, also on the way back. "rbf" takes n^2 / 2 exponentials for each of x and y without a gradient and some
        ten times as long with one (seconds at n = 100,000: docs/choosing-an-estimator.md); "linear" takes n d^2.

    Raises:
        ValueError: samples not paired, too few samples, NaN or infinite values, an unknown kernel, rule or bandwidth.
        TypeError: x or y is not made of real numbers.

    Source: Gretton et al. 2005, doi:10.1007/11564089_7, Def. 2 (biased); Song et al. 2012, JMLR 13, eq. 5 (unbiased).

    Example:
        >>> x = torch.tensor([-1.0, -1.0, 1.0, 1.0])
        >>> hsic(x, x, kernel="linear", unbiased=False)  # (4 / 3)^2
        tensor(1.7778)
    """
    (first, second), dtype = _read(x, y, kernel, bandwidth, unbiased, where="hsic")
    value = _inners([(first, second)], unbiased)[0].value
    # One factor at a time: their product may overflow, and 0 times infinity is no number.
    for factor in (first.scale, second.scale, first.scale, second.scale):
        value = value * factor
    return value.to(dtype)


def cka(
    x: ArrayLike,
    y: ArrayLike,
    *,
    kernel: DependenceKernel = "linear",
    bandwidth: Bandwidth | Sequence[Bandwidth] = "median",
    unbiased: bool = True,
) -> Tensor:
    """Centred kernel alignment of x and y: HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)), the likeness of two embeddings.

    It does not change with rotations and a common scale of all columns of x (or y); with "rbf" so when the bandwidth
    comes from a rule. The units of columns relative to each other matter; a warning tells as for `hsic`.

    Args:
        x: shape (n,) or (n, ...); trailing axes are flattened; integers are symbols, as in `hsic`.
        y: the same number of samples; any number of columns.
        kernel: "linear" or "rbf"; see `hsic`.
        bandwidth: of "rbf"; see `hsic`.
        unbiased: with the unbiased HSIC, about 0 for independent variables, n >= 4; the biased form is then well above
            0 unless n is far above the number of columns, n >= 2.

    Returns:
        0-d tensor, differentiable, at most 1, which it is for x and itself; at least 0 when biased, -1 when not.

    Raises:
        ValueError: x or y does not vary as far as the kernel sees (0 / 0), or as `hsic`.
        TypeError: x or y is not made of real numbers.

    Source: Kornblith et al. 2019, arXiv:1905.00414, Sec. 3; the unbiased form as in Nguyen, Raghu & Kornblith 2021,
    arXiv:2010.15327.

    Example:
        >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
        >>> round(float(cka(x, 5 * x.flip(1))), 4)
        1.0
    """
    sides, dtype = _read(x, y, kernel, bandwidth, unbiased, where="cka")
    first, second = sides
    *own, both = _inners([(first, first), (second, second), sides], unbiased)
    for name, inner in zip("xy", own, strict=True):
        if bool(_own(inner).isnan()):
            raise ValueError(f"cka: {name} must vary as far as the kernel sees, got an HSIC with itself of 0.")
    value = both.value / (own[0].value.sqrt() * own[1].value.sqrt())
    return value.to(dtype)


def cka_between(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Linear, unbiased `cka` of each embedding of the first list with each of the second, of the same samples.

    Args:
        first: embeddings (n, d), real and finite; n at least 4.
        second: likewise.

    Returns:
        (embeddings of the first, of the second), float64; NaN beside one that does not vary.

    Example:
        >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
        >>> cka_between([x, x[:, :1]], [5 * x]).round(decimals=1).tolist()
        [[1.0], [0.5]]
    """
    given = {id(rows): rows for rows in (*first, *second)}
    sides = {key: _with_gram(_side(rows.detach(), "linear", 1.0, where="cka")) for key, rows in given.items()}
    pairs = [(sides[id(rows)], sides[id(rows)]) for rows in (*first, *second)]
    pairs += [(sides[id(rows)], sides[id(other)]) for rows in first for other in second]
    found = _inners(pairs, unbiased=True)
    own = torch.stack([_own(inner) for inner in found[: len(first) + len(second)]]).sqrt()
    both = torch.stack([inner.value for inner in found[len(own) :]]).reshape(len(first), len(second))
    return both / own[: len(first), None] / own[len(first) :]


def _with_gram(side: _Side) -> _Side:
    """With its matrix, where that is small: many pairs then do not compute it anew."""
    n = len(side.diagonal)
    if n > _MOST_KEPT:
        return side
    gram = side.rows(slice(0, n))
    return replace(side, rows=lambda block: gram[block], tile=lambda block, columns: gram[block, columns])


def _own(inner: _Inner) -> Tensor:
    """HSIC with itself; NaN where it is nothing but rounding: differences of sums err by about 1e-16 of the sums."""
    varies = float(inner.value.detach()) > 1e-13 * float(inner.size.detach())
    return inner.value if varies else torch.full_like(inner.value, torch.nan)


def _read(
    x: ArrayLike,
    y: ArrayLike,
    kernel: DependenceKernel,
    bandwidth: Bandwidth | Sequence[Bandwidth],
    unbiased: bool,
    *,
    where: str,
) -> tuple[tuple[_Side, _Side], torch.dtype]:
    """Check everything; both kernels, and the type of the result: the inputs' real type, float64 for symbols."""
    xs, ys = as_rows(x, where=where, name="x"), as_rows(y, where=where, name="y")
    check_paired(xs, ys, where=where)
    check_choice(unbiased, (True, False), where=where, name="unbiased")
    check_rows(xs, where=where, name="x", at_least=4 if unbiased else 2)
    check_choice(kernel, KERNELS_OF_DEPENDENCE, where=where, name="kernel")
    widths = one_bandwidth_each(bandwidth, 2, where=where)
    real = [rows for rows in (xs, ys) if not is_discrete(rows)]
    dtype = reduce(torch.promote_types, [rows.dtype for rows in real]) if real else torch.float64
    device = (real or [xs])[0].device
    told = {name: rows for name, rows in (("x", xs), ("y", ys)) if not is_discrete(rows)}
    fixed = kernel == "rbf" and not all(isinstance(width, str) for width in widths)
    tell_unlike_scales(told, name=where, together=fixed)
    return (
        _side(xs.to(device), kernel, widths[0], where=where),
        _side(ys.to(device), kernel, widths[1], where=where),
    ), dtype


def _side(rows: Tensor, kernel: DependenceKernel, bandwidth: Bandwidth, *, where: str) -> _Side:
    # Apple's GPUs have no float64.
    wide = rows.float() if rows.device.type == "mps" else rows.double()
    if is_discrete(rows):
        find_bandwidth(rows[:1], bandwidth, where=where)  # refuses what is no bandwidth, though symbols need none
        codes, same = symbols(rows), wide.new_ones(len(wide))

        def equal(block: slice, columns: slice) -> Tensor:
            return (codes[block][:, None] == codes[columns]).to(wide.dtype)

        return _Side(lambda block: equal(block, slice(0, len(codes))), equal, same)
    if kernel == "rbf":
        z = kernel_columns(wide, find_bandwidth(rows, bandwidth, where=where), "exp(-d2/2s2)")
        return _Side(unit_gram_rows(z), unit_gram_tiles(z), wide.new_ones(len(wide)), needs_grad=z.requires_grad)
    # Scaled against overflow, centred against cancellation: HSIC does not see where the cloud lies.
    scale = float(wide.detach().abs().max()) or 1.0
    features = wide / scale
    features = features - features.mean(dim=0)

    def inner(block: slice, columns: slice) -> Tensor:
        return features.detach()[block] @ features.detach()[columns].T

    squares = features.square().sum(dim=1)
    return _Side(lambda block: features[block] @ features.T, inner, squares, features, scale, features.requires_grad)


def _inners(pairs: Sequence[tuple[_Side, _Side]], unbiased: bool) -> list[_Inner]:
    """HSIC of every pair."""
    return [_hsic(*pair, *sums, unbiased) for pair, sums in zip(pairs, _all_sums(pairs), strict=True)]


def _hsic(first: _Side, second: _Side, product: Tensor, of_first: Tensor, of_second: Tensor, unbiased: bool) -> _Inner:
    n = len(first.diagonal)
    if unbiased:
        product = product - first.diagonal @ second.diagonal
        of_first, of_second = of_first - first.diagonal, of_second - second.diagonal
        whole = of_first.sum() * of_second.sum() / ((n - 1) * (n - 2))
        return _Inner((product + whole - 2 / (n - 2) * (of_first @ of_second)) / (n * (n - 3)), product / n**2)
    whole = of_first.sum() * of_second.sum() / n**2
    return _Inner((product + whole - 2 / n * (of_first @ of_second)) / (n - 1) ** 2, product / n**2)


def _all_sums(pairs: Sequence[tuple[_Side, _Side]]) -> list[Sums]:
    """From features where that is less work, else from tiles of all matrices at once, or from blocks of samples."""
    diagonal = pairs[0][0].diagonal
    apart = {i: _by_features(*pair) for i, pair in enumerate(pairs) if _has_features(*pair)}
    others = [pair for i, pair in enumerate(pairs) if i not in apart]
    needed = torch.is_grad_enabled() and any(side.needs_grad for pair in others for side in pair)
    halves = [] if needed else tiles(len(diagonal), device=diagonal.device)
    sums = iter(_by_tiles(others, halves) if halves else [_by_blocks(*pair) for pair in others])
    return [apart[i] if i in apart else next(sums) for i in range(len(pairs))]


def _has_features(first: _Side, second: _Side) -> bool:
    if first.features is None or second.features is None:
        return False
    return first.features.shape[1] * second.features.shape[1] <= len(first.diagonal) ** 2


def _by_features(first: _Side, second: _Side) -> Sums:
    a, b = first.features, second.features
    assert a is not None and b is not None  # noqa: PT018
    return (a.T @ b).square().sum(), a @ a.sum(dim=0), b @ b.sum(dim=0)


def _by_tiles(pairs: Sequence[tuple[_Side, _Side]], halves: Sequence[tuple[slice, slice]]) -> list[Sums]:
    """One pass over the upper halves: every matrix is computed once, whatever the number of pairs."""
    sides = {id(side): side for pair in pairs for side in pair}
    sums = {key: torch.zeros_like(side.diagonal) for key, side in sides.items()}
    products = [side.diagonal.new_zeros(()) for side, _ in pairs]
    for rows, columns in halves:
        own = {key: side.tile(rows, columns) for key, side in sides.items()}
        for key, values in own.items():
            sums[key][rows] += values.sum(dim=1)
            if rows != columns:
                sums[key][columns] += values.sum(dim=0)
        times = 1 if rows == columns else 2
        for product, (first, second) in zip(products, pairs, strict=True):
            product += times * (own[id(first)].view(-1) @ own[id(second)].view(-1))
    return [(product, sums[id(a)], sums[id(b)]) for product, (a, b) in zip(products, pairs, strict=True)]


def _by_blocks(first: _Side, second: _Side) -> Sums:
    n = len(first.diagonal)

    def part(rows: slice) -> Sums:
        k, other = first.rows(rows), second.rows(rows)
        return (k * other).sum(), k.sum(dim=1), other.sum(dim=1)

    everything = slice(0, n)
    if next(gram_blocks(n)) == everything:
        return part(everything)
    needed = torch.is_grad_enabled() and (first.needs_grad or second.needs_grad)
    return _kept_sums(part, n) if needed else _running_sums(part, first.diagonal)


def _kept_sums(part: Callable[[slice], Sums], n: int) -> Sums:
    """Every block is computed again on the way back rather than kept."""
    parts = [checkpoint(part, rows, use_reentrant=False, preserve_rng_state=False) for rows in gram_blocks(n)]
    products, of_first, of_second = zip(*parts, strict=True)  # pyright: ignore[reportArgumentType]
    return torch.stack(products).sum(), torch.cat(of_first), torch.cat(of_second)


def _running_sums(part: Callable[[slice], Sums], like: Tensor) -> Sums:
    """Kept apart, the small results would sit between the freed blocks, and memory would grow to all of K."""
    total, of_first, of_second = like.new_zeros(()), torch.empty_like(like), torch.empty_like(like)
    for rows in gram_blocks(len(like)):
        product, of_first[rows], of_second[rows] = part(rows)
        total += product
    return total, of_first, of_second
