"""Calibration: whether a network that is sure with probability p is right that often."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import as_tensor, check_count, check_paired, check_rows, in_float64
from infotorch.numerics.typing import ArrayLike

#: Bins of equal width that confidences are sorted into.
NUM_BINS = 15


def calibration_error(scores: ArrayLike, y: ArrayLike, *, num_bins: int = NUM_BINS) -> float:
    """Expected calibration error: the mean over samples of |accuracy - mean confidence| of the sample's bin, 0 to 1.

    A sample's confidence is the largest of its class probabilities. With few samples in a bin the error is too large.

    Args:
        scores: class scores (n, classes), whose softmax are the probabilities; of a network that draws the logarithm of
            its draws' mean probabilities.
        y: classes, (n,).
        num_bins: bins of equal width on (0, 1]; a border belongs to the bin below.

    Raises:
        TypeError: num_bins is no integer.
        ValueError: no samples, samples not paired, scores not of shape (n, classes), NaN or without a softmax, classes
            without a column, or num_bins below 1.

    Source: Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599, eq. 3, with its 15 bins.

    Example:
        >>> scores = torch.tensor([[0.75, 0.25]] * 4).log()
        >>> [round(calibration_error(scores, y), 6) for y in (torch.tensor([0, 0, 0, 1]), torch.tensor([0] * 4))]
        [0.0, 0.25]
    """
    check_count(num_bins, where="calibration_error", name="num_bins")
    scores, y = _read(scores, y, where="calibration_error")
    confidence, right, _ = _sums_of_bins(scores, y, num_bins)
    return float((right - confidence).abs().sum() / len(y))


def reliability_bins(
    scores: ArrayLike, y: ArrayLike, *, num_bins: int = NUM_BINS
) -> tuple[tuple[float, float, int], ...]:
    """Of each bin of equal width that holds samples: mean confidence, accuracy and how many; see `calibration_error`.

    Example:
        >>> scores = torch.tensor([[0.75, 0.25]] * 4).log()
        >>> [(round(p, 6), right, n) for p, right, n in reliability_bins(scores, torch.tensor([0, 0, 1, 1]))]
        [(0.75, 0.5, 4)]
    """
    scores, y = _read(scores, y, where="reliability_bins")
    sums = zip(*(values.tolist() for values in _sums_of_bins(scores, y, num_bins)), strict=True)
    return tuple((confidence / count, right / count, int(count)) for confidence, right, count in sums if count)


def _sums_of_bins(scores: Tensor, y: Tensor, num_bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each bin the sums of confidences and of right decisions, and the number of samples, float64."""
    confidence, told = scores.softmax(dim=1).max(dim=1)
    # Borders are taken from below: a confidence of 1 is in the last bin.
    bins = (confidence * num_bins).ceil().long().clamp(1, num_bins) - 1
    none = torch.zeros(num_bins, dtype=torch.float64, device=scores.device)
    summed = (confidence, (told == y).double(), torch.ones_like(confidence))
    return none.index_add(0, bins, summed[0]), none.index_add(0, bins, summed[1]), none.index_add(0, bins, summed[2])


def adaptive_calibration_error(scores: ArrayLike, y: ArrayLike, *, num_bins: int = NUM_BINS) -> float:
    """Calibration error of bins that hold equally many samples, 0 to 1: see `calibration_error`.

    Confidences of trained networks crowd near 1, where bins of equal width see little. Samples of the same confidence
    share their mean accuracy, so that the order of the samples does not count.

    Args:
        scores: see `calibration_error`.
        y: classes, (n,).
        num_bins: bins; the first of them hold one sample more where n is no multiple, and some are empty if n is less.

    Raises:
        TypeError: num_bins is no integer.
        ValueError: no samples, samples not paired, scores not of shape (n, classes), NaN or without a softmax, classes
            without a column, or num_bins below 1.

    Source: Nguyen & O'Connor 2015, arXiv:1508.05154 (bins of equal counts). Nixon et al. 2019, arXiv:1904.01685, take
        every class's probability; we take the largest alone, as `calibration_error` does.

    Example:
        >>> scores = torch.tensor([[0.75, 0.25]] * 4).log()
        >>> round(adaptive_calibration_error(scores, torch.tensor([0, 0, 0, 1]), num_bins=2), 6)
        0.0
    """
    check_count(num_bins, where="adaptive_calibration_error", name="num_bins")
    scores, y = _read(scores, y, where="adaptive_calibration_error")
    confidence, told = scores.softmax(dim=1).max(dim=1)
    surplus = mean_of_ties((told == y).double() - confidence, confidence)
    bins = surplus[confidence.argsort()].tensor_split(num_bins)
    return sum(abs(float(some.sum())) for some in bins) / len(y)


def brier_score(scores: ArrayLike, y: ArrayLike) -> float:
    """Mean over samples of sum_k (p_k - [y = k])^2, 0 to 2; of two classes twice what scikit-learn gives.

    Args:
        scores: see `calibration_error`.
        y: classes, (n,), integers from 0 to classes - 1.

    Raises:
        ValueError: no samples, samples not paired, scores not of shape (n, classes), NaN or without a softmax, or a
            class without a column.

    Source: Brier 1950, Monthly Weather Review 78(1), eq. 2.

    Example:
        >>> round(brier_score(torch.zeros(2, 4), torch.tensor([0, 3])), 6)  # (3/4)^2 + 3 (1/4)^2
        0.75
    """
    scores, y = _read(scores, y, where="brier_score")
    truth = F.one_hot(y, scores.shape[1])
    return float((scores.softmax(dim=1) - truth).square().sum(dim=1).mean())


def mean_of_ties(values: Tensor, keys: Tensor) -> Tensor:
    """Values, (n,), each the mean of those whose key is the same: what they are on average over orders of ties.

    Example:
        >>> mean_of_ties(torch.tensor([0.0, 1.0, 5.0]), torch.tensor([2, 2, 7]))
        tensor([0.5000, 0.5000, 5.0000])
    """
    group, counts = keys.unique(return_inverse=True, return_counts=True)[1:]
    return (torch.zeros_like(counts, dtype=values.dtype).index_add(0, group, values) / counts)[group]


def negative_log_likelihood(scores: ArrayLike, y: ArrayLike) -> float:
    """Mean of -log p(y | x), in nats, at least 0; infinite where a class that occurs has probability 0.

    Args:
        scores: see `calibration_error`.
        y: classes, (n,).

    Raises:
        ValueError: no samples, samples not paired, scores not of shape (n, classes), NaN or without a softmax, or a
            class without a column.

    Example:
        >>> round(negative_log_likelihood(torch.zeros(3, 4), torch.tensor([0, 1, 2])), 4)  # log 4
        1.3863
    """
    scores, y = _read(scores, y, where="negative_log_likelihood")
    return float(F.cross_entropy(scores, y))


def _read(scores: ArrayLike, y: ArrayLike, *, where: str) -> tuple[Tensor, Tensor]:
    """Scores in float64 and classes, on one device."""
    given, classes = as_tensor(scores, where=where, name="scores"), as_tensor(y, where=where, name="y")
    if given.ndim != 2:
        raise ValueError(f"{where}: scores must have the shape (n, classes), got {tuple(given.shape)}.")
    check_rows(given, where=where, name="scores", at_least=1)
    if classes.is_floating_point() or classes.ndim != 1:
        raise ValueError(f"{where}: y must be classes, integers (n,), got {classes.dtype} {tuple(classes.shape)}.")
    check_paired(given, classes, where=where)
    wide = in_float64(given.detach())
    if bool(wide.isnan().any()):
        raise ValueError(f"{where}: scores must be numbers, got NaN.")
    if bool((wide == torch.inf).any()) or bool((wide == -torch.inf).all(dim=1).any()):
        raise ValueError(
            f"{where}: scores must be below infinity, and finite for one class of each sample or more, got rows "
            "without a softmax; only -inf, for a class of probability 0, has a meaning."
        )
    classes = classes.detach().to(wide.device).long()
    if not 0 <= int(classes.min()) <= int(classes.max()) < given.shape[1]:
        raise ValueError(
            f"{where}: y must hold classes from 0 to {given.shape[1] - 1}, as scores has {given.shape[1]} columns, "
            f"got {int(classes.min())} to {int(classes.max())}."
        )
    return wide, classes
