"""Read-outs of real targets and of several labels: what a linear prediction of them is worth, in nats."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.data.targets import known_targets
from infotorch.estimators.bounds import infonce
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import Loss, nothing_to_learn

# A residual variance is at least this share of the target's: a perfect prediction is finite.
_LEAST_VARIANCE = 1e-6
# Share that the residual variance keeps of itself in each training step.
_KEPT = 0.9


class GaussianLikelihood(nn.Module):
    """Real targets, each with a Gaussian about its prediction, of a variance that is measured while training.

    Targets are standardised by the training data. `loss` is minus the gain, the mean log-likelihood of the targets
    less that under Gaussians which see nothing but the training targets' means and variances, summed over columns of y.
    The gain is I(Y; T) as long as Y and the residuals are Gaussian and the columns of Y independent. Otherwise it may
    lie above I(Y; T), since the entropy h(Y) of such data is below that of a Gaussian, and is no bound.

    `mi_ty_nats` is a lower bound for every law of Y: InfoNCE over the samples of the batch, whose scores are the
    log-densities of every sample's targets under every sample's prediction. It is at most log b for b samples, and on
    samples that train the read-out it can overstate. Only samples with all their targets count in it.

    Args:
        labels: the training targets, (n, ...), NaN where one is missing.

    Raises:
        ValueError: a column of targets has no known value.

    Example:
        >>> y = torch.linspace(-1, 1, 101)[:, None]
        >>> likelihood = GaussianLikelihood(y)
        >>> loss = likelihood.loss(torch.zeros(101, 1), y)  # a prediction of the mean
        >>> abs(round(loss.terms["gain_nats"].item(), 4))
        0.0
    """

    mean: Tensor
    std: Tensor
    variance: Tensor

    def __init__(self, labels: Tensor) -> None:
        super().__init__()
        y = labels.reshape(len(labels), -1).double()
        known = known_targets(y)
        if not known.any(dim=0).all():
            raise ValueError("ReadoutInformation: every column of y needs a known target, got one that is all NaN.")
        self.width = y.shape[1]
        mean = y.nanmean(dim=0)
        spread = (y - mean).square().nanmean(dim=0).sqrt()
        std = torch.where(spread > 0, spread, 1.0)
        placed = labels.dtype
        self.register_buffer("mean", mean.to(placed))
        self.register_buffer("std", std.to(placed))
        self.register_buffer("variance", torch.ones_like(self.mean))

    def prediction(self, scores: Tensor) -> Tensor:
        """What the read-out predicts, (b, columns), in the unit of y."""
        return self.mean + self.std * scores

    def loss(self, scores: Tensor, y: Tensor) -> Loss:
        """Minus the gain, over the known targets; its terms are the gain and the bound on I(Y; T)."""
        here = known_targets(on_host(y).reshape(len(y), -1))
        y = (y.reshape(len(y), -1).to(scores.dtype) - self.mean.to(scores.dtype)) / self.std.to(scores.dtype)
        if not here.any():
            return nothing_to_learn(scores)
        known = known_targets(y)
        target = torch.where(known, y, 0.0)
        residual = (target - scores).square()
        variance = self.variance.to(scores.dtype)
        gains = (target.square() - residual / variance - variance.log()) / 2
        gain = column_means(gains, known).sum()
        terms = {"gain_nats": gain.detach()}
        whole = here.all(dim=1)
        if int(whole.sum()) > 1 and bool(scores.detach().isfinite().all()):
            terms["mi_ty_nats"] = self._bound(rows_where(target, whole), rows_where(scores.detach(), whole), variance)
        if self.training:
            self._follow(residual.detach(), known)
        return Loss(-gain, terms)

    def _bound(self, target: Tensor, scores: Tensor, variance: Tensor) -> Tensor:
        scale = variance.sqrt()
        # Differences first: squares of standardised targets would drown a small residual.
        mode = "donot_use_mm_for_euclid_dist"
        return infonce(-torch.cdist(target / scale, scores / scale, compute_mode=mode).square() / 2)

    def _follow(self, residual: Tensor, known: Tensor) -> None:
        """Move the residual variance on; of columns without a known target, or that diverge, it stays."""
        found = column_means(residual, known).clamp(min=_LEAST_VARIANCE).to(self.variance)
        moves = known.any(dim=0) & found.isfinite()
        self.variance = torch.where(moves, _KEPT * self.variance + (1 - _KEPT) * found, self.variance)


class BernoulliLikelihood(nn.Module):
    """Several labels of 0 and 1, each by a logit of its own.

    `loss` is minus the gain, the sum over labels of H(Y_k) - CE_k, each over the samples where the label is known: a
    sum of lower bounds on I(Y_k; T). That is no bound on I(Y; T) of all labels together, as labels that agree count
    twice. `mi_ty_nats` is one: H(Y) less the sum of the CE_k, over samples whose labels are all known. H(Y) is the
    entropy of the label patterns in the training data, which lies below the law's where patterns are many and samples
    few: the bound then is a cautious one. Samples of another law of Y have no bound.

    Args:
        labels: the training labels, integers (n, labels), each 0, 1, or -1 where it is missing.
        label_smoothing: of the loss, see `ClassLoss`; the terms are without.

    Example:
        >>> y = torch.tensor([[0, 0], [1, 1], [0, 0], [1, 1]])
        >>> terms = BernoulliLikelihood(y).loss(40.0 * y - 20, y).terms
        >>> round(terms["gain_nats"].item(), 3), round(terms["mi_ty_nats"].item(), 3)  # the labels agree: H(Y) = log 2
        (1.386, 0.693)
    """

    entropies: Tensor
    entropy: Tensor

    def __init__(self, labels: Tensor, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.width, self.label_smoothing = labels.shape[1], label_smoothing
        known = known_targets(labels)
        shares = column_means((labels > 0).double(), known)
        self.register_buffer("entropies", torch.special.entr(shares) + torch.special.entr(1 - shares))
        whole = labels[known.all(dim=1)]
        counts = whole.unique(dim=0, return_counts=True)[1].double() if len(whole) else torch.ones(1).double()
        # The entropy of one label is a lower bound on that of all, where few samples have all labels.
        joint = torch.special.entr(counts / counts.sum()).sum().to(self.entropies)
        self.register_buffer("entropy", torch.maximum(joint, self.entropies.max()))

    def prediction(self, scores: Tensor) -> Tensor:
        """The logits, (b, labels)."""
        return scores

    def loss(self, scores: Tensor, y: Tensor) -> Loss:
        """Minus the gain, over the known labels; its terms are the gain and the bound on I(Y; T)."""
        here, known = known_targets(on_host(y)), known_targets(y)
        if not here.any():
            return nothing_to_learn(scores)
        errors = label_cross_entropies(scores, y)
        found = column_means(errors, known).sum()
        constant = rows_where(self.entropies, here.any(dim=0)).sum().to(found)
        terms = {"gain_nats": constant - found.detach()}
        whole = here.all(dim=1)
        if whole.any():
            terms["mi_ty_nats"] = self.entropy.to(found) - rows_where(errors.detach(), whole).sum(dim=1).mean()
        if self.label_smoothing:
            found = column_means(label_cross_entropies(scores, y, self.label_smoothing), known).sum()
        return Loss(found - constant, terms)


def label_cross_entropies(scores: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The cross-entropy of each label with its logit, in nats, (b, labels); of missing ones anything finite.

    Args:
        scores: logits, (b, labels).
        y: labels of 0 and 1, (b, labels).
        label_smoothing: share s of the target that is spread evenly over 0 and 1: it is 1 - s / 2 or s / 2.

    Example:
        >>> label_cross_entropies(torch.zeros(1, 2), torch.tensor([[1, 0]]))  # log 2 each
        tensor([[0.6931, 0.6931]])
    """
    target = (y > 0).to(scores.dtype) * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(scores, target, reduction="none")


def column_means(values: Tensor, known: Tensor) -> Tensor:
    """The mean of each column over its known entries, 0 where there is none.

    Example:
        >>> column_means(torch.tensor([[1.0, 5.0], [3.0, 7.0]]), torch.tensor([[True, False], [True, True]]))
        tensor([2., 7.])
    """
    return torch.where(known, values, 0.0).sum(dim=0) / known.sum(dim=0).clamp(min=1)
