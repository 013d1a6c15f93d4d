"""What the matrix-based estimators share: read the variables, sum entropies with their signs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from numbers import Real

import torch
from torch import Tensor

from infotorch.estimators.doubts import STANDARDISE, examined, tell_unlike_scales
from infotorch.estimators.estimate import Estimate, error_of_mean
from infotorch.estimators.renyi_spectrum import KernelSample, entropy, influence, join
from infotorch.numerics.checks import as_rows, check_choice, check_paired, check_positive, is_discrete, shown
from infotorch.numerics.kernels import KERNELS, Bandwidth, Kernel, find_bandwidth, kernel_columns
from infotorch.numerics.memory import check_memory
from infotorch.numerics.symbols import is_constant, symbols
from infotorch.numerics.typing import ArrayLike

# A variable of less entropy, in nats, is one whose samples the kernel hardly tells apart.
_NEXT_TO_NONE = 0.1
#: entropies with their signs
Terms = Sequence[tuple[int, KernelSample]]

# Matrices of n x n that stand in memory at once (measured): for the eigenvalues, for these with a gradient, and for the
# eigenvectors of the standard error, which are in float64.
_FOR_VALUE, _FOR_GRADIENT, _FOR_ERROR = 2, 7, 4
# The functions that do with blocks of samples.
_INSTEAD = {"renyi_entropy": "renyi_entropy_randomised, ", "renyi_mi": "renyi_mi_randomised, "}


def read_variables(
    named: Sequence[tuple[str, ArrayLike]],
    alpha: float,
    bandwidth: Bandwidth | Sequence[Bandwidth],
    kernel: Kernel,
    *,
    where: str,
) -> tuple[list[KernelSample], str]:
    """Check everything; the variables as their kernels see them, and the estimator's name with the bandwidths used."""
    check_positive(alpha, where=where, name="alpha")
    check_choice(kernel, KERNELS, where=where, name="kernel")
    if not named:
        raise ValueError(f"{where}: needs at least one variable, got none.")
    rows = [as_rows(values, where=where, name=name) for name, values in named]
    for other in rows[1:]:
        check_paired(rows[0], other, where=where)
    widths = one_bandwidth_each(bandwidth, len(rows), where=where)
    real = [r for r in rows if not is_discrete(r)]
    # Powers below 1 turn the rounding of vanishing eigenvalues into entropy; symbols cost nothing.
    exact = alpha < 1 or not real
    dtype = torch.float64 if exact else reduce(torch.promote_types, (r.dtype for r in real))
    device = (real or rows)[0].device
    found = [_sample(r.to(device), width, kernel, dtype, where=where) for r, width in zip(rows, widths, strict=True)]
    used = ", ".join(width for _, width in found)
    return [sample for sample, _ in found], f"{where} alpha={alpha:g} {kernel} s={used}"


def one_bandwidth_each(bandwidth: Bandwidth | Sequence[Bandwidth], count: int, *, where: str) -> list[Bandwidth]:
    """One bandwidth for each of count variables.

    Raises:
        ValueError: neither one nor count of them.
    """
    if isinstance(bandwidth, (str, Real)):
        return [bandwidth] * count  # pyright: ignore[reportReturnType]
    if not isinstance(bandwidth, Sequence) or len(bandwidth) != count:
        raise ValueError(f"{where}: bandwidth must be one, or {count} (one a variable), got {shown(bandwidth)}.")
    return list(bandwidth)


def _sample(
    rows: Tensor, bandwidth: Bandwidth, kernel: Kernel, dtype: torch.dtype, *, where: str
) -> tuple[KernelSample, str]:
    if is_discrete(rows):
        find_bandwidth(rows[:1], bandwidth, where=where)  # refuses what is no bandwidth, though symbols need none
        return KernelSample(rows.new_empty((len(rows), 0), dtype=dtype), symbols(rows)), "symbols"
    width = find_bandwidth(rows, bandwidth, where=where)
    return KernelSample(kernel_columns(rows.to(dtype), width, kernel)), f"{width:.4g}"


def total_correlation(samples: Sequence[KernelSample]) -> Terms:
    """The sum of the entropies, less the joint one."""
    return [*((1, sample) for sample in samples), (-1, join(*samples))]


def check_matrices(terms: Terms, alpha: float, *, where: str, error: bool = False) -> None:
    """Refuse kernel matrices that do not fit into memory; order 2 and symbols need none.

    Raises:
        MemoryError: the largest would not fit.
    """
    for _, sample in terms:
        columns = sample.columns
        if alpha == 2 or columns.shape[1] == 0:
            continue
        rows = len(sample) if sample.codes is None else int(torch.bincount(sample.codes).max())
        matrices = _FOR_GRADIENT if columns.requires_grad and torch.is_grad_enabled() else _FOR_VALUE
        size = 8 * _FOR_ERROR if error else columns.element_size() * matrices
        what = f"{'std_error' if error else 'the value'} by the eigenvalues of a {rows:,} x {rows:,} kernel matrix"
        instead = f"{_INSTEAD.get(where, '')}alpha=2 or fewer samples"
        check_memory(size * rows**2, columns.device, where=where, what=what, instead=instead)


def estimate_of(terms: Terms, alpha: float, name: str, *, ceiling: float) -> Estimate:
    """The sum of the entropies, with the infinitesimal jackknife's error; the name starts with the public function's.

    Raises:
        MemoryError: a kernel matrix does not fit into memory.
    """
    where = name.split()[0]
    check_matrices(terms, alpha, where=where)
    signed = torch.stack([sign * entropy(sample, alpha) for sign, sample in terms])
    value = signed.sum()
    reason = too_wide(signed.detach().tolist(), terms)
    n = len(terms[0][1])

    def error() -> float:
        check_matrices(terms, alpha, where=where, error=True)
        with torch.no_grad():
            moved = torch.stack([sign * influence(sample, alpha) for sign, sample in terms]).sum(dim=0)
        return error_of_mean(moved)

    return Estimate(value, "none", n, name, ceiling=ceiling, reason=reason, error=error, reliable=not reason)


def too_wide(entropies: Sequence[float], terms: Terms) -> str:
    """Of entropies of these samples, of either sign: that the kernel sees next to nothing of one that varies."""
    alike = [
        abs(found) < _NEXT_TO_NONE and sample.columns.shape[1] > 0 and not is_constant(sample.columns.detach())
        for found, (_, sample) in zip(entropies, terms, strict=True)
    ]
    return "the kernel tells next to no samples apart: in these units it is too wide" * any(alike)


def with_units(
    estimate: Estimate,
    named: Sequence[tuple[str, ArrayLike]],
    bandwidth: Bandwidth | Sequence[Bandwidth],
    kernel: Kernel,
) -> Estimate:
    """The estimate, which says on which units it depends; and a warning where scales are unlike."""
    absolute = _absolute(bandwidth, kernel, len(named))
    units = "in which columns are given" if absolute else "of a variable's columns relative to each other"
    depends = f"kernel {kernel}, no Shannon information: the value depends on the units {units}"
    return examined(estimate, _real(named), depends=depends, instead=STANDARDISE, together=absolute)


def tell_units(
    named: Sequence[tuple[str, ArrayLike]],
    bandwidth: Bandwidth | Sequence[Bandwidth],
    kernel: Kernel,
    *,
    where: str,
) -> None:
    """The warning alone, for what returns a plain tensor."""
    tell_unlike_scales(_real(named), name=where, together=_absolute(bandwidth, kernel, len(named)))


def _absolute(bandwidth: Bandwidth | Sequence[Bandwidth], kernel: Kernel, count: int) -> bool:
    """Whether a factor of a whole variable moves the value: unless a rule finds the bandwidth of "exp(-d2/2s2)"."""
    widths = one_bandwidth_each(bandwidth, count, where="bandwidth")
    return kernel == "exp(-d2/s)" or not all(isinstance(width, str) for width in widths)


def _real(named: Sequence[tuple[str, ArrayLike]]) -> dict[str, Tensor]:
    """The variables that are no symbols."""
    rows = {name: as_rows(values, where=name, name=name) for name, values in named}
    return {name: values for name, values in rows.items() if not is_discrete(values)}
