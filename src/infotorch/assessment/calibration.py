"""Calibration: whether a network that is sure with probability p is right that often."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import check_count, check_paired, check_rows

#: Bins of equal width that confidences are sorted into.
NUM_BINS = 15


def calibration_error(scores: Tensor, y: Tensor, *, num_bins: int = NUM_BINS) -> float:
    """Expected calibration error: the mean over samples of |accuracy - mean confidence| of the sample's bin, 0 to 1.

    A sample's confidence is the largest of its class probabilities. With few samples in a bin the error is too large.

    Args:
        scores: class scores (n, classes), whose softmax are the probabilities; of a network that draws the logarithm of
            its draws' mean probabilities.
        y: classes, (n,).
        num_bins: bins of equal width on (0, 1]; a border belongs to the bin below.

    Raises:
        TypeError: num_bins is no integer.
        ValueError: no samples, samples not paired, scores not of shape (n, classes), or num_bins below 1.

    Source: Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599, eq. 3, with its 15 bins.

    Example:
        >>> scores = torch.tensor([[0.75, 0.25]] * 4).log()
        >>> [round(calibration_error(scores, y), 6) for y in (torch.tensor([0, 0, 0, 1]), torch.tensor([0] * 4))]
        [0.0, 0.25]
    """
    check_count(num_bins, where="calibration_error", name="num_bins")
    _check(scores, y, where="calibration_error")
    confidence, told = scores.double().softmax(dim=1).max(dim=1)
    surplus = (told == y).double() - confidence
    # Borders are taken from below: a confidence of 1 is in the last bin.
    bins = (confidence * num_bins).ceil().long().clamp(1, num_bins) - 1
    sums = torch.zeros(num_bins, dtype=torch.float64, device=surplus.device).index_add(0, bins, surplus)
    return float(sums.abs().sum() / len(y))


def adaptive_calibration_error(scores: Tensor, y: Tensor, *, num_bins: int = NUM_BINS) -> float:
    """Calibration error of bins that hold equally many samples, 0 to 1: see `calibration_error`.

    Confidences of trained networks crowd near 1, where bins of equal width see little. Samples of the same confidence
    share their mean accuracy, so that the order of the samples does not count.

    Args:
        scores: see `calibration_error`.
        y: classes, (n,).
        num_bins: bins; the first of them hold one sample more where n is no multiple, and some are empty if n is less.

    Raises:
        TypeError: num_bins is no integer.
        ValueError: no samples, samples not paired, scores not of shape (n, classes), or num_bins below 1.

    Source: Nguyen & O'Connor 2015, arXiv:1508.05154 (bins of equal counts). Nixon et al. 2019, arXiv:1904.01685, take
        every class's probability; we take the largest alone, as `calibration_error` does.

    Example:
        >>> scores = torch.tensor([[0.75, 0.25]] * 4).log()
        >>> round(adaptive_calibration_error(scores, torch.tensor([0, 0, 0, 1]), num_bins=2), 6)
        0.0
    """
    check_count(num_bins, where="adaptive_calibration_error", name="num_bins")
    _check(scores, y, where="adaptive_calibration_error")
    confidence, told = scores.double().softmax(dim=1).max(dim=1)
    surplus = mean_of_ties((told == y).double() - confidence, confidence)
    bins = surplus[confidence.argsort()].tensor_split(num_bins)
    return sum(abs(float(some.sum())) for some in bins) / len(y)


def brier_score(scores: Tensor, y: Tensor) -> float:
    """Mean over samples of sum_k (p_k - [y = k])^2, 0 to 2; of two classes twice what scikit-learn gives.

    Args:
        scores: see `calibration_error`.
        y: classes, (n,), integers from 0 to classes - 1.

    Raises:
        ValueError: no samples, samples not paired, scores not of shape (n, classes), or a class without a column.

    Source: Brier 1950, Monthly Weather Review 78(1), eq. 2.

    Example:
        >>> round(brier_score(torch.zeros(2, 4), torch.tensor([0, 3])), 6)  # (3/4)^2 + 3 (1/4)^2
        0.75
    """
    _check(scores, y, where="brier_score")
    classes = scores.shape[1]
    if not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise ValueError(
            f"brier_score: y must hold classes from 0 to {classes - 1}, as scores has {classes} columns, "
            f"got {int(y.min())} to {int(y.max())}."
        )
    truth = F.one_hot(y.long(), classes)
    return float((scores.double().softmax(dim=1) - truth).square().sum(dim=1).mean())


def mean_of_ties(values: Tensor, keys: Tensor) -> Tensor:
    """Values, (n,), each the mean of those whose key is the same: what they are on average over orders of ties.

    Example:
        >>> mean_of_ties(torch.tensor([0.0, 1.0, 5.0]), torch.tensor([2, 2, 7]))
        tensor([0.5000, 0.5000, 5.0000])
    """
    group, counts = keys.unique(return_inverse=True, return_counts=True)[1:]
    return (torch.zeros_like(counts, dtype=values.dtype).index_add(0, group, values) / counts)[group]


def negative_log_likelihood(scores: Tensor, y: Tensor) -> float:
    """Mean of -log p(y | x), in nats, at least 0; infinite where a class that occurs has probability 0.

    Args:
        scores: see `calibration_error`.
        y: classes, (n,).

    Raises:
        ValueError: no samples, samples not paired, or scores not of shape (n, classes).

    Example:
        >>> round(negative_log_likelihood(torch.zeros(3, 4), torch.tensor([0, 1, 2])), 4)  # log 4
        1.3863
    """
    _check(scores, y, where="negative_log_likelihood")
    return float(F.cross_entropy(scores.double(), y))


def _check(scores: Tensor, y: Tensor, *, where: str) -> None:
    if scores.ndim != 2:
        raise ValueError(f"{where}: scores must have the shape (n, classes), got {tuple(scores.shape)}.")
    check_rows(scores, where=where, name="scores", at_least=1)
    check_paired(scores, y, where=where)
