"""Columns as normal scores of their ranks, and whether they have ties."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.symbols import multiplicity

#: Share of samples that occur more than once: beyond rounding, the variable has atoms.
TIED = 0.05


def tied(rows: Tensor) -> bool:
    """Whether a column has atoms, or was rounded."""
    return any(float((multiplicity(column[:, None]) > 1).double().mean()) > TIED for column in rows.T)


def scores_of(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Normal scores of each column's ranks, samples in the order of their values, constant columns left out."""
    # In the order of their values, so that how ties are broken does not depend on the order of the samples.
    order = torch.from_numpy(np.lexsort(torch.cat([x, y], dim=1).T.cpu().numpy())).to(x.device)
    return _normal_scores(x[order], "x"), _normal_scores(y[order], "y")


def _normal_scores(rows: Tensor, name: str) -> Tensor:
    """Each column's ranks as quantiles of N(0, 1); constant columns, which hold no information, are left out.

    Breaking ties at random appends to a value an independent number that says nothing: all information stays, and
    nothing is tied any more. The order is always the same one.
    """
    n = len(rows)
    generator = torch.Generator().manual_seed(derive_seed(0, "ties", ord(name)))
    scores = torch.special.ndtri(torch.arange(1, n + 1, dtype=torch.float64, device=rows.device) / (n + 1))
    varying = rows[:, (rows != rows[0]).any(dim=0)]
    columns = torch.empty_like(varying)
    for column, out in zip(varying.T, columns.T, strict=True):
        shuffled = torch.randperm(n, generator=generator, device="cpu").to(rows.device)
        out[shuffled[column[shuffled].argsort(stable=True)]] = scores
    return columns
