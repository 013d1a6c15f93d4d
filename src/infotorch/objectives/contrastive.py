"""The supervised contrastive objective: the samples of a batch find the other samples of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from infotorch.data.targets import TargetKind
from infotorch.estimators.labels import supervised_contrastive
from infotorch.numerics.checks import check_count, check_positive, check_widths
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels
from infotorch.objectives.locations import at_most_locations


def cosine_similarities(rows: Tensor) -> Tensor:
    """The cosine of the angle between every two samples, (b, b); a sample of zeros has the cosine 0 with all.

    Example:
        >>> cosine_similarities(torch.tensor([[2.0, 0.0], [3.0, 0.0], [0.0, -1.0]]))
        tensor([[1., 1., 0.],
                [1., 1., 0.],
                [0., 0., 1.]])
    """
    lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    # A small constant instead would give the rows of a dead layer a gradient of its inverse.
    units = rows / lengths.masked_fill(lengths == 0, 1.0)
    with torch.autocast(rows.device.type, enabled=False):  # which would round the cosines to three digits
        return units @ units.T


class SupervisedContrastive(Objective):
    """Minus the supervised contrastive bound on I(Y; T), in nats: samples of a class lie close, the others far.

    The scores are cosine similarities over a temperature of a projection of the output, which is trained together with
    the module. The reported term never exceeds the entropy of the labels of the batch. It is a lower bound for samples
    that neither module nor projection has seen; on the samples that train them it can overstate the information. Those
    whose class occurs once in the batch serve only as wrong answers, so a batch should hold several samples of a class;
    a batch where no two labelled samples share a class teaches nothing.

    Args:
        temperature: divides the cosines, which lie in [-1, 1]: the larger it is, the farther the bound stays below the
            entropy of the labels.
        embedding: columns of the projection.
        hidden: widths of the projection's hidden layers, with ReLU between them; (): one linear layer; None: no
            projection, the cosines are those of the output itself, and `embedding` plays no part.
        locations: grids are averaged to at most this many rows and columns first; None: every location counts.

    Raises:
        TypeError: a width or number of locations that is no integer, or a temperature that is no number.
        ValueError: a width or number of locations below 1, or a temperature not positive.

    Source: Khosla et al. 2020, arXiv:2004.11362, eq. 2; the total is their loss less a constant of the labels. Their
        projection has one hidden layer of the output's width, their training samples come in two views each, and they
        train the classifier afterwards, as the output module is here.

    Example:
        >>> objective = SupervisedContrastive(hidden=None)
        >>> y = torch.tensor([0, 0, 1, 1])
        >>> batch = LocalBatch(torch.zeros(4, 3), torch.zeros(4, 3), torch.eye(2)[y], y)
        >>> objective.build(batch, y)
        >>> round(objective(batch).terms["mi_ty_nats"].item(), 3)  # H(Y) = log 2
        0.693
    """

    sides: Mapping[str, Side] = {"mi_ty_nats": "lower"}
    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    head: nn.Sequential

    def __init__(
        self,
        *,
        temperature: float = 0.1,
        embedding: int = 64,
        hidden: Sequence[int] | None = (),
        locations: int | None = None,
    ) -> None:
        super().__init__()
        check_positive(temperature, where="SupervisedContrastive", name="temperature")
        check_count(embedding, where="SupervisedContrastive", name="embedding")
        if locations is not None:
            check_count(locations, where="SupervisedContrastive", name="locations")
        self.temperature, self.embedding, self.locations = temperature, embedding, locations
        self.hidden = None if hidden is None else check_widths(hidden, where="SupervisedContrastive")

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the projection."""
        check_labels(labels, where="SupervisedContrastive")
        rows = at_most_locations(example.output, self.locations).flatten(1)
        layers: list[nn.Module] = []
        if self.hidden is not None:
            for width, following in pairwise((rows.shape[1], *self.hidden, self.embedding)):
                layers += [nn.Linear(width, following), nn.ReLU()]
        self.head = nn.Sequential(*layers[:-1]).to(rows.device, rows.dtype)

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the bound, on the labelled samples."""
        y = batch.output.new_empty(0) if batch.y is None else batch.y
        known = on_host(y) >= 0
        if len(on_host(y)[known].unique()) == int(known.sum()):
            return nothing_to_learn(batch.output)
        features = rows_where(at_most_locations(batch.output, self.locations).flatten(1), known)
        scores = cosine_similarities(full_precision(self.head(features))) / self.temperature
        information = supervised_contrastive(scores, rows_where(y, known))  # NaN where the run has diverged
        return Loss(-information, {"mi_ty_nats": information.detach()})
