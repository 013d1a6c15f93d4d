"""Associated Learning: a module's output is bridged to a code of the label, which a decoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.data.targets import TargetKind
from infotorch.numerics.checks import check_size, check_widths
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels


class AssociatedLearning(Objective):
    """Associated Learning: the bridged output is to be the code of the label, and the code is to hold the label.

    With a code t = g(one-hot y), a decoder h and a bridge b, the loss is the mean squared error of b(T) against t plus
    the cross-entropy of h(t), in nats. g and b end in a sigmoid; h is linear. The class scores of the objective are
    h(b(T)), the path of inference. A constant code would cost no association; the decoder's term rules it out, and with
    `detach_code` the association cannot move the code at all.

    The reported terms are `association` (the mean squared error), `code_cross_entropy_nats` (of the label by h(t):
    nothing of the module) and `cross_entropy_nats` (of the label by h(b(T))).

    Args:
        code: width of the code.
        hidden: widths of hidden layers of the bridge, with ReLU.
        detach_code: no gradient of the association reaches the code's encoder.

    Raises:
        TypeError: a width that is no integer, or detach_code that is neither True nor False.
        ValueError: a width below 1.

    Source: Kao & Chen 2021, "Associated Learning", Neural Computation 33(1), arXiv:1906.05560, and the authors'
        first program, which detaches the code (a later one does not). They chain the codes: that of a module encodes
        that of the module before it, and inference decodes through all of them. Here every module starts at the label.
        Their decoder is trained by squared error, and their bridge has a hidden layer of five times the code's width.

    Example:
        >>> y = torch.tensor([0, 1, 0, 1])
        >>> batch = LocalBatch(torch.zeros(4, 3), torch.zeros(4, 3), torch.eye(2)[y], y)
        >>> objective = AssociatedLearning(code=8)
        >>> objective.build(batch, y)
        >>> objective.scores(batch.output).shape
        torch.Size([4, 2])
    """

    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    bridge: nn.Module
    encoder: nn.Module
    decoder: nn.Linear

    def __init__(self, *, code: int = 64, hidden: Sequence[int] = (), detach_code: bool = True) -> None:
        super().__init__()
        check_size(code, where="AssociatedLearning", name="code")
        self.hidden = check_widths(hidden, where="AssociatedLearning")
        check_kind(detach_code, (bool, np.bool_), where="AssociatedLearning", name="detach_code", said="True or False")
        self.code, self.detach_code = code, detach_code

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the encoder and decoder of the label, and the bridge."""
        classes = int(check_labels(labels, where="AssociatedLearning").max()) + 1
        like = example.output
        layers: list[nn.Module] = []
        for width, following in pairwise((like[0].numel(), *self.hidden, self.code)):
            layers += [nn.Linear(width, following), nn.ReLU()]
        self.bridge = nn.Sequential(*layers[:-1], nn.Sigmoid())
        self.encoder = nn.Sequential(nn.Linear(classes, self.code), nn.Sigmoid())
        self.decoder = nn.Linear(self.code, classes)
        self.to(like.device, like.dtype)

    def scores(self, output: Tensor) -> Tensor:
        """The class scores that the decoder reads from the bridged output."""
        return self.decoder(self.bridge(output.flatten(1)))

    def forward(self, batch: LocalBatch) -> Loss:
        """Association plus decoding, on the labelled samples."""
        if batch.y is None or not (known := on_host(batch.y) >= 0).any():
            return nothing_to_learn(batch.output)
        y = rows_where(batch.y, known)
        bridged = full_precision(self.bridge(rows_where(batch.output, known).flatten(1)))
        code = self.encoder(F.one_hot(y, self.decoder.out_features).to(bridged.dtype))
        target = full_precision(code.detach() if self.detach_code else code)
        association = F.mse_loss(bridged, target)
        decoding = F.cross_entropy(full_precision(self.decoder(code)), y)
        with torch.no_grad():
            inference = F.cross_entropy(full_precision(self.decoder(bridged)), y)
        terms = {
            "association": association.detach(),
            "code_cross_entropy_nats": decoding.detach(),
            "cross_entropy_nats": inference,
        }
        return Loss(association + decoding, terms)
