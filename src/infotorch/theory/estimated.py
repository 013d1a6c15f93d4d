"""The quantities of Figure 2 by the estimators that serve any network, on rows of its ReLU networks."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.estimators.decision import hard_decision_mi, soft_decision_label_mi
from infotorch.estimators.discrete import discrete_entropy, discrete_mi
from infotorch.estimators.labels import soft_decision_mi
from infotorch.networks.quantiser import Quantiser
from infotorch.theory.figure2 import INTERVALS, LABELS
from infotorch.theory.piecewise import PiecewiseLinear


def even_rows(count: int) -> tuple[Tensor, Tensor]:
    """Inputs that lie evenly on S1 to S4, and their classes: shapes (4 count, 1) and (4 count,).

    Example:
        >>> x, y = even_rows(2)
        >>> x[:2, 0].tolist(), y.tolist()
        ([0.0875, 0.1625], [0, 0, 1, 1, 0, 0, 1, 1])
    """
    places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    x = torch.cat([low + (high - low) * places for low, high in INTERVALS])
    return x.round(decimals=12)[:, None], torch.tensor(LABELS).repeat_interleave(count)


def estimated(function: PiecewiseLinear, *, count: int = 500) -> dict[str, float]:
    """Decisions and quantisers, in nats, from the function's network on evenly spaced rows.

    Rows in place of intervals make an error of the order 1 / count^2 in the soft rule, and none in the others.

    Args:
        function: with values in [0, 1].
        count: rows on each interval.

    Example:
        >>> from infotorch.theory.figure2 import functions
        >>> {name: round(value, 4) for name, value in estimated(functions()["cont2"]).items() if "hard" in name}
        {'hard_mi_xt': 0.6931, 'hard_mi_ty': 0.0}
    """
    x, y = even_rows(count)
    with torch.no_grad():
        out = function.network()(x)
    # A probability of 0 has no logarithm; 1e-300 adds nothing that a float64 could hold.
    scores = torch.cat([1 - out, out], dim=1).clamp(1e-300, 1.0).log()
    quarters = Quantiser(4, limits=(0.0, 1.0)).cells(out)
    found = {
        "hard_mi_xt": hard_decision_mi(out, threshold=0.5),
        "hard_mi_ty": hard_decision_mi(out, y, threshold=0.5),
        "soft_mi_xt": soft_decision_mi(scores),
        "soft_mi_ty": soft_decision_label_mi(scores, y),
        "four_cells_mi_xt": discrete_entropy(quarters),
        "four_cells_mi_ty": discrete_mi(quarters, y),
    }
    return {name: float(estimate) for name, estimate in found.items()}
