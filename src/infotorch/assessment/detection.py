"""Out-of-distribution detection: whether a network's own doubt tells inputs of another kind from those it knows."""

from __future__ import annotations

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from infotorch.numerics.checks import check_rows


def auroc(outside: Tensor, inside: Tensor) -> float:
    """P(outside > inside) + P(outside = inside) / 2: the area under the curve of a detector, 0 to 1; 1/2 is chance.

    Args:
        outside: doubt about samples that are to be detected, (m,).
        inside: doubt about samples that are not, (n,).

    Raises:
        ValueError: no samples on a side, or values that are not finite.

    Example:
        >>> auroc(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0]))  # 3 pairs in order, one tie
        0.875
    """
    for name, values in (("outside", outside), ("inside", inside)):
        if values.ndim != 1:
            raise ValueError(f"auroc: {name} must be a vector, got the shape {tuple(values.shape)}.")
        check_rows(values, where="auroc", name=name, at_least=1)
        if not bool(torch.isfinite(values).all()):
            raise ValueError(f"auroc: {name} must be finite, got NaN or infinite values.")
    is_outside = [True] * len(outside) + [False] * len(inside)
    return float(roc_auc_score(is_outside, torch.cat([outside.double(), inside.double()]).cpu().numpy()))


def doubt_of_probability(scores: Tensor) -> Tensor:
    """log(1 / p - 1), p the largest class probability: larger where the network is less sure, (n,).

    The logarithm keeps apart what rounds to p = 1.

    Args:
        scores: class scores, (n, classes), two classes or more.

    Source: Hendrycks & Gimpel 2017, arXiv:1610.02136, who rank by p itself; the order is the same.

    Example:
        >>> round(doubt_of_probability(torch.tensor([[0.9, 0.1]]).log()).item(), 4)  # log(1 / 9)
        -2.1972
    """
    ordered = scores.double().sort(dim=1, descending=True).values
    return ordered[:, 1:].logsumexp(dim=1) - ordered[:, 0]


def predictive_entropy(scores: Tensor) -> Tensor:
    """Entropy of the class probabilities of every sample, in nats, (n,).

    Args:
        scores: class scores, (n, classes).

    Example:
        >>> round(predictive_entropy(torch.zeros(1, 4)).item(), 4)  # log 4
        1.3863
    """
    log_p = scores.double().log_softmax(dim=1)
    return torch.special.entr(log_p.exp()).sum(dim=1)
