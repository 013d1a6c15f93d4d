"""Information and correlation dimension of a representation, estimated from its rows: above 0, entropy is infinite."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.numerics.checks import as_samples, check_count, check_rows
from infotorch.numerics.neighbours import nearest_distances

# Rows whose distances are all computed.
_MOST_ROWS = 1000
# Distances below this share of the largest are ties: rounding.
_TIE = 1e-9


def information_dimension(t: Tensor, *, k: int = 10) -> float:
    """Information dimension of the rows, by nearest neighbours: the mean over rows of the local dimension.

    Around a row the k nearest distances r_1 <= ... <= r_k give (k - 2) / sum_j log(r_k / r_j), unbiased where the
    density is flat; a row with k copies or more has 0. So a mixture of points with mass and a density of dimension d
    in a share p of the rows has about p d. In many dimensions, or beyond 2 log10(n), the value is too low.

    Args:
        t: shape (n, d), n > k; the first 1000 rows are used.
        k: number of neighbours, at least 3.

    Returns:
        At least 0; 0 for a representation of few values.

    Source: Rényi 1959, doi:10.1007/BF02063299 (what it is); Levina & Bickel 2004, NeurIPS, eq. 8, with k - 2 for k - 1
        as in their footnote (how it is estimated).

    Example:
        >>> plane = torch.rand(1000, 2, generator=torch.Generator().manual_seed(0)) @ torch.ones(2, 5).tril()
        >>> 1.8 < information_dimension(plane) < 2.2, information_dimension((plane > 1).float())
        (True, 0.0)
    """
    check_count(k, where="information_dimension", name="k")
    rows = as_samples(t, where="information_dimension", name="t")[:_MOST_ROWS]
    check_rows(rows, where="information_dimension", name="t", at_least=2)
    k = min(k, len(rows) - 1)
    nearest = nearest_distances(rows, k, "euclidean")
    floor = _TIE * float(nearest.max())
    farthest = nearest[:, -1:]
    alone = nearest.clamp_min(max(floor, torch.finfo(torch.float64).tiny))
    logs = (farthest.clamp_min(floor) / alone).log().sum(dim=1)
    # A row beside a point with mass may have all its neighbours at one distance; d columns allow no more than d.
    local = torch.where(logs > 1e-6, (k - 2) / logs.clamp_min(1e-6), float(rows.shape[1]))
    # Where some neighbours coincide with the row it has mass, and mass has dimension 0.
    return float(torch.where(nearest[:, 0] > floor, local, 0.0).mean()) if floor > 0 else 0.0


def correlation_dimension(t: Tensor) -> float:
    """Correlation dimension of the rows: the slope of log C(r) over log r, C the share of pairs within r.

    Between the 1 % and the 10 % quantile of the distances. It never exceeds the information dimension: a single value
    with mass makes it 0.

    Args:
        t: shape (n, d), n >= 3; the first 1000 rows are used.

    Returns:
        At least 0.

    Source: Grassberger & Procaccia 1983, doi:10.1016/0167-2789(83)90298-1; in the proof of Amjad & Geiger 2019,
        arXiv:1802.09766, eqs. 9 and 17.

    Example:
        >>> line = torch.rand(500, 1, generator=torch.Generator().manual_seed(0)) * torch.ones(3)
        >>> 0.9 < correlation_dimension(line) < 1.05, correlation_dimension(torch.ones(500, 3))
        (True, 0.0)
    """
    rows = as_samples(t, where="correlation_dimension", name="t")[:_MOST_ROWS]
    check_rows(rows, where="correlation_dimension", name="t", at_least=2)
    distances = torch.pdist(rows).sort().values
    near, far = (float(distances[int(share * (len(distances) - 1))]) for share in (0.01, 0.1))
    if near <= _TIE * float(distances[-1]) or far <= near:
        return 0.0
    within = [float((distances <= r).double().mean()) for r in (near, far)]
    return float(torch.tensor(within[1] / within[0]).log() / torch.tensor(far / near).log())
