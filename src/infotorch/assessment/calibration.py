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
