"""Bounds on what a representation tells of class labels, from class scores and from scores between samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.estimators.bounds import as_square
from infotorch.estimators.estimate import Estimate, error_of_mean
from infotorch.numerics.checks import as_rows, as_tensor, is_discrete
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.numerics.symbols import multiplicity
from infotorch.numerics.typing import ArrayLike


def readout_mi(scores: ArrayLike, labels: ArrayLike, *, class_prior: ArrayLike | None = None) -> Estimate:
    """Read-out lower bound on I(Y; T), in nats: H(Y) - cross-entropy of class scores computed from T.

    The gap is the mean divergence of the read-out's probabilities from the true p(y | t). It holds for any read-out
    that has not seen these samples; on samples that it was trained on, the value may lie far above the information.

    Args:
        scores: class scores or log-probabilities, shape (n, classes); of a stochastic encoder, drawn several times,
            shape (n, samples, classes). Then the probabilities are averaged before the logarithm, which is tighter than
            averaging cross-entropies.
        labels: integers from 0 to classes - 1, shape (n,).
        class_prior: probabilities of the classes, shape (classes,); None takes the frequencies of these labels, whose
            entropy is biased low by about (classes - 1) / (2n).

    Returns:
        A lower bound, not clamped: an overconfident read-out makes it negative. The ceiling is H(Y), which it reaches
        only where the read-out is certain and right. Differentiable in the scores. Standard error from the samples'
        terms.

    Raises:
        ValueError: scores not of shape (n, classes) or (n, samples, classes), NaN or infinite scores, labels not paired
            with them or out of range, or a class_prior that is no distribution over the classes.
        TypeError: scores are not real numbers, or labels are not integers.

    Source: Barber & Agakov 2003, "The IM algorithm"; with the logarithm of the mean, Amjad & Geiger 2019,
        arXiv:1802.09766, Sec. 9.

    Example:
        >>> labels = torch.tensor([0, 1, 0, 1])
        >>> estimate = readout_mi(torch.tensor([[3.0, 0], [0, 3], [3, 0], [0, 3]]), labels)
        >>> round(float(estimate), 4), round(estimate.ceiling, 4)  # log 2 - log(1 + exp(-3))
        (0.6446, 0.6931)
    """
    log_p = log_probabilities(scores, where="readout_mi")
    n, classes = log_p.shape
    y = class_labels(labels, n, where="readout_mi", classes=classes).to(log_p.device)
    terms = log_p.gather(1, y[:, None])[:, 0]
    if class_prior is None:
        frequency = torch.bincount(y, minlength=classes).to(log_p.dtype) / n
        influence = terms.detach() - frequency[y].log()
    else:
        frequency, influence = _prior(class_prior, classes).to(log_p), terms.detach()
    entropy = torch.special.entr(frequency).sum()
    return Estimate(
        entropy + terms.mean(),
        side="lower",
        n=n,
        estimator="readout_mi",
        ceiling=float(entropy),
        error=lambda: error_of_mean(influence),
    )


def soft_decision_mi(scores: ArrayLike) -> Estimate:
    """Information I(X; Yhat) of a soft decision, in nats: H(mean of p) - mean of H(p), p the class probabilities.

    Yhat is drawn from p(. | x), so that this is a true information, finite and differentiable even where I(X; T) is
    infinite. For these n inputs, equally likely, the value is exact; as an estimate for all inputs it is low, by about
    (classes - 1) / (2n) at most.

    Args:
        scores: class scores or log-probabilities, shape (n, classes); of a stochastic encoder, drawn several times,
            shape (n, samples, classes). Then the probabilities are averaged first; the value is high by what too few
            samples leave of the spread between them.

    Returns:
        A lower bound on the information of all inputs for scores of shape (n, classes), else no bound. At least 0; the
        ceiling is the smaller of log n and log classes. Differentiable. Standard error from the samples' terms.

    Raises:
        ValueError: scores not of shape (n, classes) or (n, samples, classes), or NaN or infinite scores.
        TypeError: scores are not real numbers.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.2.

    Example:
        >>> round(float(soft_decision_mi(torch.tensor([[50.0, 0.0], [0.0, 50.0]]))), 4)  # a hard decision: log 2
        0.6931
    """
    log_p = log_probabilities(scores, where="soft_decision_mi")
    n, classes = log_p.shape
    mean = log_p.logsumexp(dim=0) - math.log(n)
    terms = (log_p.exp() * (log_p - mean)).sum(dim=1)  # each sample's divergence from the mean
    return Estimate(
        terms.mean(),
        side="lower" if as_tensor(scores, where="soft_decision_mi", name="scores").ndim == 2 else "none",
        n=n,
        estimator="soft_decision_mi",
        ceiling=math.log(min(n, classes)),
        error=lambda: error_of_mean(terms.detach()),
    )


def supervised_contrastive(scores: ArrayLike, labels: ArrayLike) -> Tensor:
    """Lower bound on I(Y; T), in nats, from scores between samples: each sample finds the others of its class.

    H(Y) + mean_i [log m_i + mean_p log softmax_j(s_ij) at j = p], j over all samples but i, p over the m_i others of
    its class. The softmax, summed over a class, is a guess of the sample's label that has not seen the sample; H(Y)
    less its cross-entropy bounds I(Y; T), and the mean of logarithms bounds the logarithm of the sum.

    The best scores are log p(t, t')/(p(t) p(t')) of two samples t, t' of one class. As n grows the value then tends to
    I(T; T'), which is at most I(Y; T).

    Args:
        scores: shape (n, n), n >= 2, for instance cosine similarities over a temperature. The diagonal is not looked
            at. A critic must not have seen the samples.
        labels: integers, shape (n,). A sample whose class has no other sample serves only as a wrong answer to the
            others; the bound is then on the classes that remain.

    Returns:
        0-d, differentiable; float16 scores give float32. Not clamped: constant scores give a little less than 0. At
        most H(Y), the entropy of these labels, which it reaches where every score within a class is equal and far above
        the rest.

    Raises:
        ValueError: scores is not square, n < 2, labels not paired with it, or no two samples share a class.
        TypeError: scores are not real numbers, or labels are not integers.

    Source: Khosla et al. 2020, arXiv:2004.11362, eq. 2. The value is a constant of the labels minus their loss;
        log(n - 1) minus the loss, the usual form, is larger by about (classes - 1) / n and no bound.

    Example:
        >>> same = torch.tensor([[9.0, 9, 0, 0], [9, 9, 0, 0], [0, 0, 9, 9], [0, 0, 9, 9]])
        >>> round(supervised_contrastive(10 * same, torch.tensor([0, 0, 1, 1])).item(), 4)
        0.6931
    """
    matrix = as_square(scores, where="supervised_contrastive", name="scores")
    n = len(matrix)
    y = class_labels(labels, n, where="supervised_contrastive")
    here, y = on_host(y), y.to(matrix.device)
    itself = torch.eye(n, dtype=torch.bool, device=matrix.device)
    positive = (y[:, None] == y) & ~itself
    others = positive.sum(dim=1).to(matrix.dtype)
    anchor = others > 0 if others.is_cpu else multiplicity(here[:, None]) > 1  # which takes no wait
    if not anchor.any():
        raise ValueError("supervised_contrastive: labels must have a class with two samples or more, got none.")
    log_q = matrix.masked_fill(itself, -math.inf).log_softmax(dim=1).masked_fill(~positive, 0.0)
    # The plug-in H(Y) of the anchors is log(anchors) - mean of log(m + 1).
    terms = rows_where(log_q.sum(dim=1) / others + torch.log(others / (others + 1)), anchor)
    return math.log(len(terms)) + terms.mean()


def log_probabilities(scores: ArrayLike, *, where: str) -> Tensor:
    """Normalised log-probabilities, shape (n, classes); several draws are averaged as probabilities.

    Raises:
        ValueError: scores of another shape, or NaN or infinite.
        TypeError: not real numbers.
    """
    shape = as_tensor(scores, where=where, name="scores").shape
    if len(shape) not in {2, 3}:
        raise ValueError(f"{where}: scores must have shape (n, classes) or (n, samples, classes), got {tuple(shape)}.")
    values = as_rows(scores, where=where, name="scores").reshape(shape)
    values = values if values.is_floating_point() else values.double()
    log_p = values.log_softmax(dim=-1)
    return log_p if log_p.ndim == 2 else log_p.logsumexp(dim=1) - math.log(shape[1])


def class_labels(labels: ArrayLike, n: int, *, where: str, classes: int | None = None) -> Tensor:
    """Labels of n samples, int64 (n,).

    Raises:
        TypeError: not integers or booleans.
        ValueError: of another shape, or, with `classes`, outside 0 to classes - 1.
    """
    y = as_tensor(labels, where=where, name="labels")
    if not is_discrete(y):
        raise TypeError(f"{where}: labels must be integers or booleans, got {y.dtype}.")
    if tuple(y.shape) != (n,):
        raise ValueError(f"{where}: labels must have shape ({n},), one for each row of scores, got {tuple(y.shape)}.")
    y = y.long()
    if classes is not None and (int(y.min()) < 0 or int(y.max()) >= classes):
        raise ValueError(f"{where}: labels must lie between 0 and {classes - 1}, got {int(y.min())} to {int(y.max())}.")
    return y


def _prior(class_prior: ArrayLike, classes: int) -> Tensor:
    prior = as_tensor(class_prior, where="readout_mi", name="class_prior").detach().to("cpu", torch.float64)
    # Sums of float32 probabilities miss 1 by rounding.
    if tuple(prior.shape) != (classes,) or not bool((prior >= 0).all()) or abs(float(prior.sum()) - 1) > 1e-5:
        raise ValueError(f"readout_mi: class_prior must be {classes} probabilities that sum to 1, got {class_prior}.")
    return prior
