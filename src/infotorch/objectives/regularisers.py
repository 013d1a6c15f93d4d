"""Regularisers of an output or a layer, to be added to an objective by `SumOfObjectives`.

They ask directly for what the bottleneck was to give: decisions that are not too sure, classes in tight clusters, no
trace of a nuisance. None of them teaches anything alone.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from infotorch.data.targets import TargetKind
from infotorch.networks.stochastic import log_mean_probability
from infotorch.numerics.checks import check_positive
from infotorch.numerics.distances import squared_distances
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, full_precision
from infotorch.objectives.checks import check_labels
from infotorch.objectives.layer_penalty import LayerPenalty


class ConfidencePenalty(Objective):
    """Minus weight times H(Yhat | X), the mean entropy of the output's class probabilities, in nats.

    Args:
        weight: factor of the entropy.

    Raises:
        TypeError: weight is no number.
        ValueError: weight not positive.

    Source: Pereyra, Tucker, Chorowski, Kaiser & Hinton 2017, arXiv:1701.06548, Sec. 3.

    Example:
        >>> batch = LocalBatch(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 4), None)
        >>> round(ConfidencePenalty(weight=0.1)(batch).total.item(), 4)  # 0.1 log 4
        -0.1386
    """

    def __init__(self, *, weight: float = 0.1) -> None:
        super().__init__()
        check_positive(weight, where="ConfidencePenalty", name="weight")
        self.weight = float(weight)

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Tell of an output that looks like features and not like class scores."""
        columns, known = example.output.shape[-1], labels is not None and not labels.is_floating_point()
        classes = int(labels.max()) + 1 if known and labels is not None else columns
        if columns > classes > 0:
            warnings.warn(
                f"ConfidencePenalty: takes the module's output of {columns} columns as class scores, for {classes} "
                "classes; of hidden units it says nothing. It belongs behind a module whose output decides.",
                UserWarning,
                stacklevel=2,
            )

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the weighted entropy; of several draws a sample, that of their mean probabilities."""
        scores = full_precision(batch.output)
        log_p = log_mean_probability(scores) if scores.ndim == 3 else scores.log_softmax(dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1).mean()
        return Loss(-self.weight * entropy, {"entropy_yhat_x_nats": entropy.detach()})


class SameClassPenalty(LayerPenalty):
    """The mean squared distance of two samples of one class, over that of any two samples of the batch: a "hint".

    Without the second a layer would meet it by shrinking. It is 0 where every class is one point, and near 1 where
    classes play no part.

    Args:
        weight: factor of the ratio.
        layer: the layer of the network that is looked at; None: the module's output.

    Raises:
        TypeError: weight is no number, layer no module, or there are no integer labels.
        ValueError: weight not positive, or a layer with other samples than the input.

    Source: Belharbi, Chatelain, Hérault & Adam 2017, arXiv:1709.01867, without the division, which is ours.

    Example:
        >>> x, y = torch.tensor([[0.0], [0.0], [2.0], [2.0]]), torch.tensor([0, 0, 1, 1])
        >>> SameClassPenalty()(LocalBatch(x, x, x, y)).total.item()
        0.0
    """

    term = "same_class_ratio"
    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    def __init__(self, *, weight: float = 1.0, layer: nn.Module | None = None) -> None:
        super().__init__(weight=weight, layer=layer)

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Check that there are labels."""
        check_labels(labels, where=type(self).__name__)

    def _value(self, rows: Tensor, batch: LocalBatch) -> Tensor | None:
        if batch.y is None:
            return None
        rows, y = rows[batch.y >= 0], batch.y[batch.y >= 0]
        same = (y[:, None] == y).fill_diagonal_(False)
        # The mean over pairs of different rows, from the squares around the mean.
        spread = (rows - rows.mean(dim=0)).square().sum() * 2 / max(len(rows) - 1, 1)
        if not same.any() or spread.detach() == 0:
            return None
        return (squared_distances(rows, rows) * same).sum() / same.sum() / spread


class ClusterPenalty(LayerPenalty):
    """The mean squared distance of a sample from its class's centre, over that from the centre of all samples.

    The centres are means over past batches, so that samples of one class meet though a batch holds one of them alone.
    It is 0 where every class is one point.

    Args:
        weight: factor of the ratio.
        layer: the layer of the network that is looked at; None: the module's output.
        momentum: share of the newest batch in a class's centre.

    Raises:
        TypeError: weight or momentum is no number, layer no module, or there are no integer labels.
        ValueError: weight not positive, momentum outside (0, 1], or a layer with other samples than the input.

    Source: Liao, Schwing, Zemel & Urtasun 2016, arXiv:1611.03214, whose clusters are found by k-means and whose
        distances are not divided; by labels as Amjad & Geiger 2019, arXiv:1802.09766, Sec. 7, read it.

    Example:
        >>> x, y = torch.tensor([[0.0], [2.0], [4.0]]), torch.tensor([0, 0, 1])
        >>> objective = ClusterPenalty()
        >>> objective.build(LocalBatch(x, x, x, y), y)
        >>> round(objective(LocalBatch(x, x, x, y)).total.item(), 4)  # centres 1 and 4: 2 of 8
        0.25
    """

    term = "cluster_ratio"
    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)
    centres: Tensor
    seen: Tensor

    def __init__(self, *, weight: float = 1.0, layer: nn.Module | None = None, momentum: float = 0.5) -> None:
        super().__init__(weight=weight, layer=layer)
        check_positive(momentum, where="ClusterPenalty", name="momentum")
        if momentum > 1:
            raise ValueError(f"ClusterPenalty: momentum must be at most 1, got {momentum}.")
        self.momentum = momentum

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make room for a centre of each class."""
        classes = int(check_labels(labels, where="ClusterPenalty").max()) + 1
        layer = example.output if self.hook is None else self.hook.take()[1]
        like = full_precision(layer.detach().flatten(1))
        self.register_buffer("centres", like.new_zeros(classes, like.shape[1]))
        self.register_buffer("seen", torch.zeros(classes, dtype=torch.bool, device=like.device))

    def _value(self, rows: Tensor, batch: LocalBatch) -> Tensor | None:
        if batch.y is None or not (batch.y >= 0).any():
            return None
        rows, y = rows[batch.y >= 0], batch.y[batch.y >= 0]
        if self.training:
            self._follow(rows.detach(), y)
        known = self.seen[y]
        spread = (rows[known] - rows[known].mean(dim=0)).square().sum()
        if not known.any() or spread.detach() == 0:
            return None
        return (rows[known] - self.centres.to(rows.dtype)[y[known]]).square().sum() / spread

    def _follow(self, rows: Tensor, y: Tensor) -> None:
        """Move the centres of the batch's classes; a class seen for the first time begins at its mean."""
        classes, numbers, counts = y.unique(return_inverse=True, return_counts=True)
        means = rows.new_zeros(len(classes), rows.shape[1]).index_add(0, numbers, rows) / counts[:, None]
        old = self.centres[classes]
        moved = old + self.momentum * (means.to(old.dtype) - old)
        # New tensors: autograd keeps the centres of a forward pass, and refuses any that changed since.
        self.centres = self.centres.index_copy(0, classes, torch.where(self.seen[classes, None], moved, means.to(old)))
        self.seen = self.seen.index_fill(0, classes, True)


class NuisanceInformation(LayerPenalty):
    """An upper bound on I(C; L + eps), in nats: what a layer tells of a nuisance C, to be pushed down.

    eps is Gaussian noise in the bound alone: without it the information of a deterministic layer is infinite, or does
    not move. The bound is that of the channel whose input is one of the samples of the batch, by pairwise distances: an
    upper bound on the entropy of L + eps less a lower one on that given C. It needs several samples of each value of C.

    Args:
        nuisance: raw inputs (b, ...) -> values of C, integers (b,), -1 where unknown: a column of x, a source, a group.
        noise_std: standard deviation of eps, in units of the layer's root-mean-square deviation over the batch, so that
            scaling the layer changes nothing.
        weight: factor of the bound.
        layer: the layer of the network that is looked at; None: the module's output.

    Raises:
        TypeError: nuisance is no function or gives no integers of shape (b,), noise_std or weight is no number, or
            layer no module.
        ValueError: noise_std or weight not positive, noise_std above 1e150, or a layer with other samples than the
            input.

    Source: Moyer et al. 2018, arXiv:1805.09458, for the penalty; the bound is of Kolchinsky & Tracey 2017,
        arXiv:1706.02419, Sec. 4, both of its sides.

    Example:
        >>> x = torch.tensor([[0.0, 5.0], [1.0, 5.0], [0.0, -5.0], [1.0, -5.0]])
        >>> objective = NuisanceInformation(lambda x: x[:, 0].long(), noise_std=0.1)
        >>> round(objective(LocalBatch(x, x, x[:, :1], None)).total.item(), 4)  # the layer is C itself: log 2
        0.6931
    """

    term = "mi_ct_nats"
    sides: Mapping[str, Side] = {"mi_ct_nats": "upper"}

    def __init__(
        self,
        nuisance: Callable[[Tensor], Tensor],
        *,
        noise_std: float,
        weight: float = 1.0,
        layer: nn.Module | None = None,
    ) -> None:
        super().__init__(weight=weight, layer=layer)
        if not callable(nuisance):
            raise TypeError(f"NuisanceInformation: nuisance must be a function of x, got {type(nuisance).__name__}.")
        check_positive(noise_std, where="NuisanceInformation", name="noise_std")
        if noise_std > 1e150:
            raise ValueError(
                f"NuisanceInformation: noise_std must be at most 1e150, whose square is a number, got {noise_std}."
            )
        self.nuisance, self.noise_std = nuisance, float(noise_std)

    def _value(self, rows: Tensor, batch: LocalBatch) -> Tensor | None:
        try:
            values = self.nuisance(batch.x)
        except (TypeError, ValueError) as error:
            raise TypeError(f"NuisanceInformation: nuisance must be a function of x (n, ...): {error}") from error
        if not isinstance(values, Tensor) or values.is_floating_point() or tuple(values.shape) != (len(batch.x),):
            got = f"{values.dtype} of shape {tuple(values.shape)}" if isinstance(values, Tensor) else repr(values)
            raise TypeError(f"NuisanceInformation: nuisance must give integers of shape ({len(batch.x)},), got {got}.")
        rows, values = rows[values >= 0], values[values >= 0]
        if len(rows) < 2:
            return None
        deviation = (rows - rows.mean(dim=0)).square().mean() + 1e-12  # 1e-12: a dead layer tells nothing
        squares = squared_distances(rows, rows) / (self.noise_std**2 * deviation)
        same = values[:, None] == values
        everyone = (squares / -2).logsumexp(dim=1) - math.log(len(rows))
        own = (squares / -8).masked_fill(~same, -math.inf).logsumexp(dim=1) - same.sum(dim=1).to(rows.dtype).log()
        return (own - everyone).mean()
