"""Total correlation of a layer's columns as a penalty: how far they are from independent of each other, in nats.

Amjad & Geiger 2019, arXiv:1802.09766, name it as what disentanglement asks for (Sec. 3, after Achille & Soatto 2018)
and as the term beside the bottleneck from which information dropout follows (Sec. 6); they leave it out of P1 to P4
and leave its estimator open. Here are two: the Gaussian one, and the matrix-based one of `renyi_total_correlation`.
Of a deterministic layer whose columns depend on each other without noise the truth is infinite, as I(X; T) is, so both
look at columns that are blurred: by noise, or by a kernel. Both measure in units of each column's deviation, so that
no scaling, shift or sign of a column changes them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from infotorch.estimators.renyi_spectrum import KernelSample, entropy
from infotorch.numerics.checks import check_positive, in_float64
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.layer_penalty import LayerPenalty

# A column whose deviation is a smaller share of its size is constant up to rounding of float32.
_CONSTANT = 1e-6
# Entries of kernel matrices that stand in memory at once, 32 MB each time: they are computed again for the gradient.
_ENTRIES = 2**22


class TotalCorrelation(LayerPenalty):
    """The total correlation of Gaussian columns with the layer's correlations R, plus noise: -1/2 log det R', in nats.

    Independent noise of noise_std deviations of its column is added inside the term alone, which makes
    R' = (R + noise_std^2 I) / (1 + noise_std^2). It is 0 where no two columns of the batch are correlated. It sees
    correlations alone, is no bound on the total correlation of another law, and is biased high by about
    d (d - 1) / (4 b) for d columns and b samples: it compares at equal batches, and needs more samples than columns.

    Args:
        weight: factor of the term.
        noise_std: of the noise, in units of each column's deviation.
        layer: the layer of the network that is looked at; None: the module's output.

    Raises:
        TypeError: weight or noise_std is no number, or layer no module.
        ValueError: weight or noise_std not positive, noise_std outside 1e-4 to 1e4, or a layer with other samples than
            the input.

    Source: Watanabe 1960, doi:10.1147/rd.41.0066 (total correlation); Cover & Thomas 2006, Sec. 8.4 (Gaussian entropy).
        As a penalty of a representation: Achille & Soatto 2018, arXiv:1706.01350; the noise is ours.

    Example:
        >>> t = torch.tensor([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])
        >>> objective = TotalCorrelation(noise_std=0.5)
        >>> round(objective(LocalBatch(t, t, t, None)).total.item(), 4)  # correlation 0.8: -1/2 log(1 - 0.64)
        0.5108
    """

    term = "total_correlation_nats"

    def __init__(self, *, weight: float = 1.0, noise_std: float = 0.1, layer: nn.Module | None = None) -> None:
        super().__init__(weight=weight, layer=layer)
        check_positive(noise_std, where="TotalCorrelation", name="noise_std")
        if not 1e-4 <= noise_std <= 1e4:
            raise ValueError(f"TotalCorrelation: noise_std must be from 1e-4 to 1e4, got {noise_std}.")
        self.noise_std = float(noise_std)

    def _value(self, rows: Tensor, batch: LocalBatch) -> Tensor | None:
        columns = _standardised(rows)
        if columns is None:
            return None
        (b, d), noise = columns.shape, self.noise_std**2
        # Both products have the same eigenvalues but for zeros: of many columns that of the samples is the small one.
        gram = (columns.T @ columns if d <= b else columns @ columns.T) / b
        log_det = torch.linalg.slogdet(gram + noise * torch.eye(len(gram), dtype=gram.dtype, device=gram.device))[1]
        log_det = log_det + (d - len(gram)) * math.log(noise) - d * math.log1p(noise)
        return (-0.5 * log_det).to(rows)


class RenyiTotalCorrelation(LayerPenalty):
    """The matrix-based total correlation of order 2 of the layer's columns: sum of S(T_i) - S(T), in nats.

    Each column, divided by its deviation, has the kernel exp(-d^2 / 2 s^2), and all together the product of the
    kernels. It sees any dependence, is a likeness of Shannon's quantity and no bound on it, and compares at equal
    batches, bandwidths and numbers of columns alone. Of Gaussian columns and many samples it is `TotalCorrelation`
    with noise of s / 2. With many columns a narrow kernel tells all samples apart: S(T) then sits at log b, and the
    term says nothing of dependence.

    Args:
        weight: factor of the term.
        bandwidth: s, in units of each column's deviation; None: the root of the number of columns that vary.
        layer: the layer of the network that is looked at; None: the module's output.

    Raises:
        TypeError: weight or bandwidth is no number, or layer no module.
        ValueError: weight or bandwidth not positive, or a layer with other samples than the input.

    Source: Yu et al. 2021, arXiv:2101.10160, the total correlation T before it is normalised, as
        `renyi_total_correlation` has it for any order; order 2, which needs no eigenvalues, the units and the default
        bandwidth are ours.

    Example:
        >>> t = torch.tensor([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])
        >>> objective = RenyiTotalCorrelation(bandwidth=0.1)
        >>> round(objective(LocalBatch(t, t, t, None)).total.item(), 4)  # two equal bits: log 2
        0.6931
    """

    term = "renyi_total_correlation_nats"

    def __init__(self, *, weight: float = 1.0, bandwidth: float | None = None, layer: nn.Module | None = None) -> None:
        super().__init__(weight=weight, layer=layer)
        if bandwidth is not None:
            check_positive(bandwidth, where="RenyiTotalCorrelation", name="bandwidth")
        self.bandwidth = bandwidth

    def _value(self, rows: Tensor, batch: LocalBatch) -> Tensor | None:
        columns = _standardised(rows)
        if columns is None:
            return None
        b, d = columns.shape
        z = columns / (math.sqrt(2 * d) if self.bandwidth is None else math.sqrt(2) * self.bandwidth)
        some = z.split(max(1, _ENTRIES // b**2), dim=1)
        sums = [checkpoint(_sums_of_squares, part, use_reentrant=False, preserve_rng_state=False) for part in some]
        apart = -(torch.cat(sums) / b**2).log().sum()
        return (apart - entropy(KernelSample(z), 2)).to(rows)


def _sums_of_squares(z: Tensor) -> Tensor:
    """Of the kernel matrix of each column, the sum of its squared entries, (d,)."""
    return (-2 * (z[:, None] - z).square()).exp().sum(dim=(0, 1))


def _standardised(rows: Tensor) -> Tensor | None:
    """Columns of mean 0 and mean square 1, in float64, without constant ones; None where fewer than two are left."""
    wide = in_float64(rows)
    if len(wide) < 2:
        return None
    centred = wide - wide.mean(dim=0)
    size = wide.detach().abs().amax(dim=0)
    varies = centred.detach().abs().amax(dim=0) > _CONSTANT * size
    if int(varies.sum()) < 2:
        return None
    # Squares of numbers beyond 1e154 overflow, of those below 1e-162 vanish.
    scaled = centred[:, varies] / size[varies]
    return scaled / scaled.square().mean(dim=0).sqrt()
