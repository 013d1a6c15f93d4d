"""A batch in parts, whose gradients are averaged before a step: memory for a part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from infotorch.data.batches import Batch
from infotorch.data.targets import labelled_samples
from infotorch.numerics.on_host import on_host, remember_on_host
from infotorch.objectives.base import Loss


def parts_of_batch(
    batch: Batch, hidden: Tensor, count: int, *, by_labels: bool = False
) -> Iterator[tuple[Batch, Tensor, float]]:
    """So many parts of a batch, of two samples or more each: samples, the module's input for them, and their share.

    A loss that needs labels is a mean over the labelled samples: `by_labels`, so that these are what shares are of.

    Example:
        >>> batch = Batch(torch.zeros(5, 2), torch.arange(5))
        >>> [(part.y.tolist(), share) for part, _, share in parts_of_batch(batch, batch.x, 2)]
        [([0, 1, 2], 0.6), ([3, 4], 0.4)]
        >>> batch = Batch(torch.zeros(5, 2), torch.tensor([0, -1, -1, 1, -1]))
        >>> [share for _, _, share in parts_of_batch(batch, batch.x, 2, by_labels=True)]
        [0.5, 0.5]
    """
    assert isinstance(batch.x, Tensor)
    samples = len(batch.x)
    counted = torch.ones(samples, dtype=torch.float64, device="cpu")
    if by_labels and batch.y is not None and bool((labelled := labelled_samples(on_host(batch.y))).any()):
        counted = labelled.double()
    for rows in torch.arange(samples, device="cpu").tensor_split(max(1, min(count, samples // 2))):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        y, numbers = (None if values is None else values[part] for values in (batch.y, batch.rows))
        if y is not None and batch.y is not None:
            remember_on_host(y, on_host(batch.y)[part])
        yield Batch(batch.x[part], y, numbers), hidden[part], float(counted[part].sum() / counted.sum())


def mean_loss(losses: Sequence[tuple[Loss, float]]) -> Loss:
    """The mean of losses by their shares, without a gradient.

    Example:
        >>> losses = [(Loss(torch.tensor(1.0), {"a": torch.tensor(2.0)}), 0.75), (Loss(torch.tensor(5.0), {}), 0.25)]
        >>> mean_loss(losses).total.item()
        2.0
    """
    terms = [name for name in losses[0][0].terms if all(name in loss.terms for loss, _ in losses)]
    total = torch.stack([share * loss.total.detach() for loss, share in losses]).sum()
    return Loss(total, {name: torch.stack([s * loss.terms[name] for loss, s in losses]).sum() for name in terms})
