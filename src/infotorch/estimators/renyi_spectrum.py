"""Entropy of a trace-normalised kernel matrix from its spectrum, and how each row moves it.

A set of variables is one `KernelSample`: scaled real columns, and symbols. Its kernel is exp(-|z_i - z_j|^2) between
rows of equal symbols and 0 between others, so rows fall into blocks, and variables are joined by joining columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from infotorch.numerics.kernels import Tile, gram_blocks, unit_gram, unit_gram_rows, unit_gram_tiles, upper_half
from infotorch.numerics.spectra import eigenvalues
from infotorch.numerics.symbols import symbols

# Between these orders log tr A^alpha is taken as log1p(tr A^alpha - tr A): near 1 both are close to 1, and their
# difference is what counts.
NEAR_ONE = (0.5, 1.5)


@dataclass(frozen=True)
class KernelSample:
    """Variables as their kernel sees them.

    Args:
        columns: shape (n, d), d may be 0: the Gaussian part of the kernel is exp(-|z_i - z_j|^2).
        codes: number of the row's symbol, shape (n,); None means that all rows have the same one.
    """

    columns: Tensor
    codes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def blocks(self) -> Iterator[Tensor]:
        """Row numbers of each block of equal symbols; between blocks the kernel is 0."""
        if self.codes is None:
            yield torch.arange(len(self), device=self.columns.device)
            return
        order = torch.argsort(self.codes, stable=True)
        yield from order.split(torch.bincount(self.codes).tolist())


def join(*samples: KernelSample) -> KernelSample:
    """The joint variable: its kernel is the (Hadamard) product of the kernels.

    Example:
        >>> a, b = KernelSample(torch.zeros(2, 1)), KernelSample(torch.zeros(2, 0), torch.tensor([0, 1]))
        >>> join(a, b).columns.shape, join(a, b).codes.tolist()
        (torch.Size([2, 1]), [0, 1])
    """
    codes = [sample.codes for sample in samples if sample.codes is not None]
    columns = torch.cat([sample.columns for sample in samples], dim=1)
    return KernelSample(columns, symbols(torch.stack(codes, dim=1)) if codes else None)


def entropy(sample: KernelSample, alpha: float) -> Tensor:
    """Matrix-based entropy of order alpha, in nats, 0-d, differentiable in the columns.

    Order 2 needs no eigenvalues: -log |A|^2 (Frobenius), one block of rows at a time.

    Example:
        >>> two_and_one = KernelSample(torch.zeros(3, 0), torch.tensor([0, 0, 1]))
        >>> round(float(entropy(two_and_one, 2)), 4)  # -log(4/9 + 1/9)
        0.5878
    """
    if alpha == 2 and sample.columns.shape[1]:
        return -(_row_sums_of_squares(sample).sum() / len(sample) ** 2).log()
    return entropy_of_spectrum(_spectrum(sample), alpha)


def entropy_of_spectrum(values: Tensor, alpha: float) -> Tensor:
    """log(sum l^alpha) / (1 - alpha) of eigenvalues l that sum to 1, or -sum l log l for alpha = 1; in nats.

    Negative eigenvalues are rounding and count as 0.

    Example:
        >>> round(float(entropy_of_spectrum(torch.tensor([0.5, 0.5, 0.0]), 1.01)), 4)
        0.6931
    """
    positive = values[values > 0]
    logs = positive.log()
    if alpha == 1:
        return -(positive * logs).sum()
    if NEAR_ONE[0] <= alpha <= NEAR_ONE[1]:
        return (positive * ((alpha - 1) * logs).expm1()).sum().log1p() / (1 - alpha)
    return (alpha * logs).logsumexp(dim=0) / (1 - alpha)


def influence(sample: KernelSample, alpha: float) -> Tensor:
    """How the entropy moves with the weight of each row, shape (n,), up to one constant; float64.

    With weights w the matrix is diag(sqrt w) K diag(sqrt w), so the entropy's derivative in w_i is, at w = 1/n,
    n alpha / (1 - alpha) (A^alpha)_ii / tr A^alpha, and -n (A log A)_ii for alpha = 1.

    Example:
        >>> influence(KernelSample(torch.zeros(3, 0), torch.tensor([0, 0, 1])), 2)  # -2 n (2, 2, 1) / 5
        tensor([-2.4000, -2.4000, -1.2000], dtype=torch.float64)
    """
    n = len(sample)
    if alpha == 2 and sample.columns.shape[1]:
        sums = _row_sums_of_squares(sample).double()
        return -2 * n * sums / sums.sum()
    diagonal = torch.empty(n, dtype=torch.float64, device=sample.columns.device)
    for rows in sample.blocks():
        diagonal[rows] = _power_diagonal(sample, rows, alpha)
    return n * diagonal if alpha == 1 else n * alpha / (1 - alpha) * diagonal / diagonal.sum()


def _spectrum(sample: KernelSample) -> Tensor:
    """Non-zero eigenvalues of K / n."""
    n, columns = len(sample), sample.columns
    if columns.shape[1] == 0:
        counts = columns.new_full((1,), n) if sample.codes is None else torch.bincount(sample.codes).to(columns.dtype)
        return counts / n
    blocks = list(sample.blocks())
    parts = [eigenvalues(unit_gram(columns[rows]) / n) for rows in blocks if len(rows) > 1]
    single = columns.new_full((sum(len(rows) == 1 for rows in blocks),), 1 / n)
    return torch.cat([*parts, single])


def _power_diagonal(sample: KernelSample, rows: Tensor, alpha: float) -> Tensor:
    """Diagonal of A^alpha, or of -A log A for alpha = 1, for the rows of one block."""
    n = len(sample)
    if sample.columns.shape[1] == 0:
        values = torch.tensor([len(rows) / n], dtype=torch.float64, device=rows.device)
        vectors = torch.full((len(rows), 1), 1 / math.sqrt(len(rows)), dtype=torch.float64, device=rows.device)
    else:
        values, vectors = torch.linalg.eigh(unit_gram(sample.columns[rows]).double() / n)
    values = values.clamp_min(0)
    powers = -torch.special.xlogy(values, values) if alpha == 1 else values**alpha
    return vectors.square() @ powers


def _row_sums_of_squares(sample: KernelSample) -> Tensor:
    """Sum over j of K_ij^2, shape (n,), in the order of the blocks' rows put back; never more than a block of K."""
    columns = sample.columns
    if sample.codes is None:
        return _sums_of_block(columns)
    sums = [_sums_of_block(columns[rows]) for rows in sample.blocks()]
    order = torch.cat(list(sample.blocks()))
    return torch.cat(sums)[torch.argsort(order)]


def _sums_of_block(z: Tensor) -> Tensor:
    if not (z.requires_grad and torch.is_grad_enabled()):
        # The squares are the kernel of points that lie sqrt(2) as far apart.
        squares = unit_gram_tiles(math.sqrt(2) * z)
        return _sums_of_tiles(squares, upper_half(len(z), device=z.device), z.new_zeros(len(z)))
    gram = unit_gram_rows(z)

    def part(rows: slice) -> Tensor:
        return torch.linalg.vector_norm(gram(rows), dim=1).square()

    everything = slice(0, len(z))
    if next(gram_blocks(len(z))) == everything:
        return part(everything)
    # Every block is computed again on the way back rather than kept.
    blocks = [checkpoint(part, rows, use_reentrant=False, preserve_rng_state=False) for rows in gram_blocks(len(z))]
    return torch.cat(blocks)  # pyright: ignore[reportArgumentType]


def _sums_of_tiles(gram: Tile, halves: Sequence[tuple[slice, slice]], sums: Tensor) -> Tensor:
    for rows, columns in halves:
        tile = gram(rows, columns)
        sums[rows] += tile.sum(dim=1)
        if rows != columns:
            sums[columns] += tile.sum(dim=0)
        del tile  # its memory, at hand and in the cache, is the next one's
    return sums
