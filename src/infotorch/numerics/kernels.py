"""Kernel matrices: the two Gaussian conventions, the linear kernel, and rules for the bandwidth.

A Gaussian kernel is exp(-|z_i - z_j|^2) of rows z that are scaled once (`kernel_columns`), so a product of Gaussian
kernels is the Gaussian kernel of the columns side by side, each with its own scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal, get_args

import torch
from torch import Tensor

from infotorch.numerics.blocks import slices
from infotorch.numerics.checks import check_choice, check_positive
from infotorch.numerics.distances import product_eps, squared_distances_near_origin
from infotorch.numerics.neighbours import nearest_distances
from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.symbols import is_constant

Kernel = Literal["exp(-d2/s)", "exp(-d2/2s2)"]
BandwidthRule = Literal["knn", "median"]
#: a positive number, or the name of the rule that finds one
Bandwidth = float | BandwidthRule

KERNELS: tuple[str, ...] = get_args(Kernel)
RULES: tuple[str, ...] = get_args(BandwidthRule)

# Rows among which the median of all distances is found: its standard error is then at most 2 % of it (measured).
_MEDIAN_ROWS = 1000
# Largest exponent error allowed of distances by matrix product.
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
# Where distances are taken one by one, a kernel of exp(-28^2) is 0.
_FARTHEST = 28.0
# Entries of one block of rows: 16 MB in float32.
_BLOCK_ENTRIES = 2**22
# Rows beyond which a pass without gradient goes by tiles, and their sides: 2 MB in float64 stay in a cache between the
# steps, and a GPU wants more work at a time.
_TILED_ROWS, _CPU_TILE, _GPU_TILE = 2**13, 512, 4096

#: from a slice of rows and one of columns to this tile of a kernel matrix
Tile = Callable[[slice, slice], Tensor]


def kernel_columns(x: Tensor, bandwidth: float, kernel: Kernel) -> Tensor:
    """Rows z whose kernel is exp(-|z_i - z_j|^2): x / sqrt(s) for "exp(-d2/s)", x / (s sqrt 2) for "exp(-d2/2s2)".

    Example:
        >>> kernel_columns(torch.tensor([[6.0]]), 9.0, "exp(-d2/s)")
        tensor([[2.]])
    """
    scale = math.sqrt(bandwidth) if kernel == "exp(-d2/s)" else bandwidth * math.sqrt(2)
    return x / scale


def gaussian_gram(x: Tensor, *, bandwidth: float, kernel: Kernel = "exp(-d2/s)") -> Tensor:
    """Gaussian kernel matrix, shape (n, n), with ones on the diagonal; differentiable in x.

    Args:
        x: shape (n, d), floating point.
        bandwidth: s > 0, a constant: no gradient runs through it.
        kernel: "exp(-d2/s)" or "exp(-d2/2s2)", d2 the squared Euclidean distance.

    Example:
        >>> gaussian_gram(torch.tensor([[0.0], [2.0]]), bandwidth=4.0)
        tensor([[1.0000, 0.3679],
                [0.3679, 1.0000]])
    """
    return unit_gram(kernel_columns(x, bandwidth, kernel))


def unit_gram(z: Tensor) -> Tensor:
    """The matrix exp(-|z_i - z_j|^2), shape (n, n), with ones on the diagonal.

    Example:
        >>> unit_gram(torch.zeros(2, 1))
        tensor([[1., 1.],
                [1., 1.]])
    """
    return unit_gram_rows(z)(slice(0, len(z)))


def unit_gram_rows(z: Tensor) -> Callable[[slice], Tensor]:
    """A function from a slice of rows to these rows of `unit_gram(z)`, shape (m, n): what a pass in blocks needs.

    Example:
        >>> unit_gram_rows(torch.zeros(3, 1))(slice(1, 2))
        tensor([[1., 1., 1.]])
    """
    distances = _squared_distances_of(z)
    # Entries below eps^2 change no sum, and denormal numbers would slow every later step several times.
    farthest = -2 * math.log(torch.finfo(z.dtype).eps)

    def block(rows: slice) -> Tensor:
        squares = distances(rows)
        # A row is at distance 0 from itself, whatever the rounding.
        squares.diagonal(rows.start).zero_()
        return torch.threshold_(squares.neg_(), -farthest, -math.inf).exp_()

    return block


def gram_blocks(n: int) -> Iterator[slice]:
    """Slices that cover n rows, so that a block of a kernel matrix stays small.

    Example:
        >>> list(gram_blocks(5))
        [slice(0, 5, None)]
    """
    return slices(n, max(1, _BLOCK_ENTRIES // n))


def tiles(n: int, *, device: torch.device) -> list[tuple[slice, slice]]:
    """Slices of rows and columns that cover the upper half of an n x n symmetric matrix, its diagonal tiles whole.

    None up to 8192 rows and for what needs a gradient: there a pass goes by `gram_blocks`.

    Example:
        >>> tiles(8192, device=torch.device("cpu")), len(tiles(10_000, device=torch.device("cpu")))
        ([], 210)
    """
    return upper_half(n, device=device) if n > _TILED_ROWS else []


def upper_half(n: int, *, device: torch.device) -> list[tuple[slice, slice]]:
    """`tiles` of any number of rows.

    Example:
        >>> upper_half(5, device=torch.device("cpu"))
        [(slice(0, 5, None), slice(0, 5, None))]
    """
    parts = list(slices(n, _CPU_TILE if device.type == "cpu" else _GPU_TILE))
    return [(rows, columns) for i, rows in enumerate(parts) for columns in parts[i:]]


def unit_gram_tiles(z: Tensor) -> Tile:
    """A function from slices of rows and of columns to this tile of `unit_gram(z)`, without gradient.

    Every entry costs one product, whose columns hold the norms too, and one exponential.

    Example:
        >>> unit_gram_tiles(torch.zeros(3, 1))(slice(0, 1), slice(1, 3))
        tensor([[1., 1.]])
    """
    z = z.detach()
    exponents, farthest = _exponents_of(z), 2 * math.log(torch.finfo(z.dtype).eps)

    def tile(rows: slice, columns: slice) -> Tensor:
        own = exponents(rows, columns)
        if rows == columns:
            own.diagonal().zero_()
        return own.clamp_(farthest, 0).exp_()

    return tile


def _exponents_of(z: Tensor) -> Tile:
    points = _points_for_products(z)
    if points is None:
        distances = _distances_one_by_one(z)
        return lambda rows, columns: distances(rows, columns).neg_()
    norms = points.square().sum(dim=1, keepdim=True)
    one = torch.ones_like(norms)
    left, right = torch.cat([2 * points, -norms, -one], dim=1), torch.cat([points, one, norms], dim=1)

    def product(rows: slice, columns: slice) -> Tensor:
        # bfloat16 products would leave no digit.
        with torch.autocast(device_type=z.device.type, enabled=False):
            return (left[rows] @ right[columns].T).to(z.dtype)

    return product


def _squared_distances_of(z: Tensor) -> Callable[[slice], Tensor]:
    """Squared distances of some rows to all; where matrix products lose too many digits, in float64 or one by one."""
    points, everything = _points_for_products(z), slice(0, len(z))
    if points is not None:
        return lambda rows: squared_distances_near_origin(points[rows], points).to(z.dtype)
    far = _distances_one_by_one(z)
    return lambda rows: far(rows, everything)


def _points_for_products(z: Tensor) -> Tensor | None:
    """The rows around their mean, in the first type in which a matrix product leaves enough digits of distances."""
    for dtype in _product_dtypes(z):
        points = z.to(dtype)
        points = points - points.detach().mean(dim=0)
        radius = float(points.detach().square().sum(dim=1).max())
        if radius * product_eps(points) <= _TOLERANCE[dtype]:
            return points
    return None


def _distances_one_by_one(z: Tensor) -> Tile:
    """Squared distances of some rows to others, up to what a kernel tells from infinity."""
    # Quarters, because the difference of the largest numbers would overflow.
    quarters = z / 4

    def far(rows: slice, columns: slice) -> Tensor:
        among = quarters[rows], quarters[columns]
        return (4 * torch.cdist(*among, compute_mode="donot_use_mm_for_euclid_dist")).clamp_max(_FARTHEST).square()

    return far


def _product_dtypes(z: Tensor) -> tuple[torch.dtype, ...]:
    """The rows' own type, then float64, which Apple's GPUs do not have."""
    return (z.dtype,) if z.dtype == torch.float64 or z.device.type == "mps" else (z.dtype, torch.float64)


def knn_bandwidth(x: Tensor, k: int = 10) -> float:
    """Mean Euclidean distance to the k nearest other rows (all other rows, where there are fewer than k).

    Where that is 0, because rows repeat, it is taken among the distinct rows; 1 where all rows are equal.

    Source: Yu et al. 2021, arXiv:2101.10160. Their published code takes the first k columns of the distance matrix for
    the nearest, the row itself among them; we take the nearest.

    Example:
        >>> round(knn_bandwidth(torch.tensor([[0.0], [1.0], [3.0]]), k=1), 4)
        1.3333
    """
    return _bandwidth(x, lambda points: _nearest(points, min(k, len(points) - 1)).mean())


def _nearest(points: Tensor, k: int) -> Tensor:
    if points.is_cpu:
        return nearest_distances(points, k, "euclidean")
    # A k-d tree is the CPU's, and the rows would have to be brought there.
    found, all_rows = [], torch.arange(len(points), device=points.device)
    for rows in all_rows.split(max(1, _BLOCK_ENTRIES // len(points))):
        distance = torch.cdist(points[rows], points, compute_mode="donot_use_mm_for_euclid_dist")
        found.append(distance.scatter_(1, rows[:, None], math.inf).topk(k, largest=False).values)
    return torch.cat(found)


def median_bandwidth(x: Tensor) -> float:
    """Median Euclidean distance between two rows, among 1000 rows where there are more (always the same ones).

    Where that is 0, because rows repeat, it is taken among the distinct rows; 1 where all rows are equal.

    Source: Gretton et al. 2012, JMLR 13, "A kernel two-sample test", Sec. 8.

    Example:
        >>> median_bandwidth(torch.tensor([[0.0], [1.0], [3.0]]))
        2.0
    """
    return _bandwidth(x, _median_distance)


def _bandwidth(x: Tensor, rule: Callable[[Tensor], Tensor]) -> float:
    """The rule's distance, if need be among the distinct rows."""
    rows = x.detach().cpu() if x.device.type == "mps" else x.detach()  # Apple's GPUs have no float64
    rows = rows.double()
    # Squares of very large or very small values would overflow or vanish.
    scale = float(rows.abs().max()) or 1.0
    points = rows / scale
    if is_constant(points):
        return 1.0
    distance = float(rule(points))
    # Distinct rows may still be nearer than rounding tells: then their kernel is 1 at any bandwidth in sight.
    distance = distance or float(rule(torch.unique(points, dim=0))) or 1.0
    return max(scale * distance, math.ulp(0.0))  # of the smallest numbers the mean would be 0


def _median_distance(points: Tensor) -> Tensor:
    if len(points) > _MEDIAN_ROWS:
        generator = torch.Generator().manual_seed(derive_seed(0, "median bandwidth"))
        points = points[torch.randperm(len(points), generator=generator, device="cpu")[:_MEDIAN_ROWS].to(points.device)]
    return torch.pdist(points).median()


def find_bandwidth(x: Tensor, bandwidth: Bandwidth, *, where: str) -> float:
    """The number that a bandwidth argument stands for.

    Raises:
        TypeError: neither a number nor a name.
        ValueError: an unknown rule, or not a positive, finite number.

    Example:
        >>> find_bandwidth(torch.tensor([[0.0], [1.0], [3.0]]), "median", where="example")
        2.0
    """
    if not isinstance(bandwidth, str):
        check_positive(bandwidth, where=where, name="bandwidth")
        return float(bandwidth)
    check_choice(bandwidth, RULES, where=where, name="bandwidth")
    return knn_bandwidth(x) if bandwidth == "knn" else median_bandwidth(x)
