"""Information behind a decision rule: Yhat, the class that a network decides on or draws, in place of its layer.

A decision has as many values as there are classes, so its information is finite where the layer's is infinite, and it
counts what a simple decision finds and no more. The hard rule is piecewise constant and serves to evaluate; the soft
one has a gradient.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from infotorch.estimators.discrete import discrete_entropy, plug_in_mi
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.estimate import Estimate, error_of_mean
from infotorch.estimators.labels import class_labels, log_probabilities
from infotorch.numerics.checks import as_rows, check_number, shown
from infotorch.numerics.symbols import symbols
from infotorch.numerics.typing import ArrayLike


def hard_decisions(scores: ArrayLike, *, threshold: float | None = None) -> Tensor:
    """The class of the highest score of each sample; of one score, whether it lies above the threshold.

    Args:
        scores: shape (n, classes), or (n,) or (n, 1) with a threshold.
        threshold: for one score a sample.

    Returns:
        Integers, shape (n,); of equal scores the first class.

    Raises:
        ValueError: one score a sample without a threshold, several with one, or NaN or infinite scores.
        TypeError: scores are not real numbers, or the threshold is none.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.1.

    Example:
        >>> hard_decisions([0.2, 0.7], threshold=0.5), hard_decisions([[0.1, 0.9], [3.0, 2.0]])
        (tensor([0, 1]), tensor([1, 0]))
    """
    return _decided(scores, threshold, where="hard_decisions")


def _decided(scores: ArrayLike, threshold: float | None, *, where: str) -> Tensor:
    rows = as_rows(scores, where=where, name="scores")
    if (rows.shape[1] == 1) is (threshold is None):
        raise ValueError(
            f"{where}: threshold belongs to one score a sample, got {shown(threshold)} for {rows.shape[1]} scores."
        )
    if threshold is not None:
        check_number(threshold, where=where, name="threshold")
    if not rows.is_floating_point():
        rows = rows.to(torch.int64)  # not every integer type can be compared
    return rows.argmax(dim=1) if threshold is None else (rows[:, 0] > threshold).long()


def hard_decision_mi(scores: ArrayLike, labels: ArrayLike | None = None, *, threshold: float | None = None) -> Estimate:
    """Information of the hard decision, in nats: I(Y; Yhat) with labels, I(X; Yhat) = H(Yhat) without.

    It has no gradient: for evaluation.

    Args:
        scores: see `hard_decisions`.
        labels: integers, shape (n,), or None.
        threshold: see `hard_decisions`.

    Returns:
        The plug-in value, from the frequencies of decisions and pairs: at least 0; I(Y; Yhat) is biased high by about
        (classes - 1)^2 / (2n), I(X; Yhat) low by (classes - 1) / (2n). A decision that names the classes otherwise
        tells as much as one that names them right.

    Raises:
        ValueError: as `hard_decisions`, or labels not paired with the samples.
        TypeError: scores are not real numbers, or labels are not integers.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.1 and eq. 6.

    Example:
        >>> scores, labels = torch.tensor([0.1, 0.2, 0.8, 0.9]), torch.tensor([0, 0, 1, 1])
        >>> round(hard_decision_mi(scores, threshold=0.5).bits, 4)
        1.0
        >>> round(hard_decision_mi(scores, labels, threshold=0.5).bits, 4)
        1.0
    """
    decisions = _decided(scores, threshold, where="hard_decision_mi")
    if labels is None:
        with unexamined():  # decisions are as few as classes
            found = discrete_entropy(decisions)
    else:
        classes = class_labels(labels, len(decisions), where="hard_decision_mi")
        found = plug_in_mi(symbols(classes[:, None]), symbols(decisions.cpu()[:, None]), None, name="")
    return replace(found, estimator="hard_decision_mi")


def soft_decision_label_mi(scores: ArrayLike, labels: ArrayLike) -> Estimate:
    """Information I(Y; Yhat) of a soft decision, in nats: H(mean p) less the classes' mean of H(mean p within).

    Yhat is drawn from p(. | x), the class probabilities. For these samples, equally likely, the value is exact. It is
    the precision of the soft rule, and at most its compression term, `soft_decision_mi` of the same samples.

    Args:
        scores: class scores or log-probabilities, shape (n, classes); of a stochastic encoder, drawn several times,
            shape (n, samples, classes), whose probabilities are averaged first.
        labels: integers, shape (n,).

    Returns:
        At least 0, at most the smaller of H(Y) of these labels and log classes; differentiable in the scores. As an
        estimate for all inputs biased high, by (classes - 1)^2 / (2n) where the decisions are certain. A decision that
        names the classes otherwise tells as much. Standard error by the delta method.

    Raises:
        ValueError: scores of another shape, NaN or infinite scores, or labels not paired with them.
        TypeError: scores are not real numbers, or labels are not integers.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.2.

    Example:
        >>> p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
        >>> round(float(soft_decision_label_mi(p.log(), torch.tensor([0, 0, 1, 1]))), 4)  # log 2 - H(0.1)
        0.3681
    """
    log_p = log_probabilities(scores, where="soft_decision_label_mi")
    n, classes = log_p.shape
    y = class_labels(labels, n, where="soft_decision_label_mi").to(log_p.device)
    _, numbers, counts = y.unique(return_inverse=True, return_counts=True)
    p = log_p.exp()
    of_class = p.new_zeros(len(counts), classes).index_add(0, numbers, p) / counts[:, None]
    shares = counts.to(p.dtype) / n
    marginal = p.mean(dim=0)
    value = torch.special.entr(marginal).sum() - (shares * torch.special.entr(of_class).sum(dim=1)).sum()

    def error() -> float:
        # Each sample's influence: how its class's mean stands out of the marginal, where the sample draws.
        tiny = torch.finfo(p.dtype).tiny
        contrast = of_class.clamp(min=tiny).log()[numbers] - marginal.clamp(min=tiny).log()
        return error_of_mean((p * contrast).sum(dim=1))

    label_entropy = float(torch.special.entr(shares).sum())
    return Estimate(
        value,
        side="none",
        n=n,
        estimator="soft_decision_label_mi",
        ceiling=min(label_entropy, math.log(classes)),
        error=error,
    )
