"""Out-of-distribution detection: whether a network's own doubt tells inputs of another kind from those it knows."""

from __future__ import annotations

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from infotorch.assessment.calibration import mean_of_ties
from infotorch.numerics.checks import as_tensor, check_paired, check_rows, in_float64
from infotorch.numerics.typing import ArrayLike


def auroc(outside: ArrayLike, inside: ArrayLike) -> float:
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
    outside, inside = _sides(outside, inside, where="auroc")
    is_outside = [True] * len(outside) + [False] * len(inside)
    return float(roc_auc_score(is_outside, torch.cat([outside, inside]).cpu().numpy()))


def fpr95(outside: ArrayLike, inside: ArrayLike) -> float:
    """Share of outside samples that pass as inside at the least doubt that lets 95 % of inside samples pass, 0 to 1.

    Args:
        outside: doubt about samples that are to be detected, (m,).
        inside: doubt about samples that are not, (n,).

    Raises:
        ValueError: no samples on a side, or values that are not finite.

    Source: Liang, Li & Srikant 2018, arXiv:1706.02690, Sec. 4 (FPR at 95 % TPR; inside samples are the positive ones).

    Example:
        >>> fpr95(torch.tensor([18.0, 19.0, 20.0, 21.0]), torch.arange(1.0, 21.0))  # 19 of 20 pass at doubt 19
        0.5
    """
    outside, inside = _sides(outside, inside, where="fpr95")
    passing = -(-95 * len(inside) // 100)
    return float((outside <= inside.sort().values[passing - 1]).double().mean())


def aurc(doubt: ArrayLike, wrong: ArrayLike) -> float:
    """Area under the risk-coverage curve: the mean over k of the share of errors among the k surest samples, 0 to 1.

    Samples of the same doubt stand in any order: the area is the mean over their orders.

    Args:
        doubt: of every decision, larger where the network is less sure, (n,).
        wrong: whether the decision is an error, (n,).

    Raises:
        ValueError: no samples, samples not paired, no vectors, or values that are not finite.

    Source: Geifman, Uziel & El-Yaniv 2019, arXiv:1805.08206, Sec. 2.

    Example:
        >>> round(aurc(torch.tensor([0.1, 0.2, 0.3]), torch.tensor([False, True, False])), 6)  # (0 + 1/2 + 1/3) / 3
        0.277778
    """
    doubt, wrong = _vector(doubt, where="aurc", name="doubt"), _vector(wrong, where="aurc", name="wrong")
    check_paired(doubt, wrong, where="aurc")
    wrong = wrong.to(doubt.device)
    errors = mean_of_ties(wrong, doubt)[doubt.argsort()].cumsum(dim=0)
    return float((errors / torch.arange(1, len(errors) + 1, device=errors.device)).mean())


def _sides(outside: ArrayLike, inside: ArrayLike, *, where: str) -> tuple[Tensor, Tensor]:
    first, second = _vector(outside, where=where, name="outside"), _vector(inside, where=where, name="inside")
    return first, second.to(first.device)


def _vector(given: ArrayLike, *, where: str, name: str) -> Tensor:
    values = in_float64(as_tensor(given, where=where, name=name).detach())
    if values.ndim != 1:
        raise ValueError(f"{where}: {name} must be a vector, got the shape {tuple(values.shape)}.")
    check_rows(values, where=where, name=name, at_least=1)
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"{where}: {name} must be finite, got NaN or infinite values.")
    return values


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
