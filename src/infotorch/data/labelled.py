"""The labelled samples among the batches of a `DataLoader`, for modules that learn from nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from infotorch.data.batches import Batch, SomeOfBatches, TensorBatches
from infotorch.data.targets import labelled_samples

if TYPE_CHECKING:
    from infotorch.data.loaders import LoaderBatches


class LabelledOfLoader:
    """The labelled samples of a loader's batches: each epoch reads the loader once and holds these in memory.

    They come again in mini-batches as large as the loader's, in an order decided by (seed, epoch), until the epoch has
    as many steps as the loader's own.

    Args:
        whole: batches of which some samples have a target.

    Example:
        >>> from torch import nn
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> from infotorch.data.loaders import LoaderBatches
        >>> samples = TensorDataset(torch.arange(6.0)[:, None], torch.tensor([-1, 0, -1, -1, 1, -1]))
        >>> some = LoaderBatches(DataLoader(samples, batch_size=2), nn.Linear(1, 2)).labelled()
        >>> [sorted(batch.y.tolist()) for batch in some.epoch(0)]
        [[0, 1], [0, 1], [0, 1]]
    """

    def __init__(self, whole: LoaderBatches) -> None:
        self.whole, self.example = whole, whole.example
        assert whole.y is not None
        self.y: Tensor = whole.y

    def __len__(self) -> int:
        """Steps in an epoch."""
        return len(self.whole)

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch.

        Raises:
            ValueError: a start other than 0, or an epoch without a labelled sample.
        """
        xs: list[Tensor] = []
        ys: list[Tensor] = []
        for x, y, _ in self.whole.epoch(epoch, start=start):
            assert isinstance(x, Tensor)
            assert y is not None
            kept = labelled_samples(y)
            xs.append(x[kept])
            ys.append(y[kept])
        x, y = torch.cat(xs), torch.cat(ys)
        if not len(y):
            raise ValueError(f"{self.whole.where}: an epoch of the DataLoader must hold samples with a target.")
        size = -(-len(self.y) // len(self))
        held = TensorBatches(x, y, batch_size=size, seed=self.whole.streams.seed)
        for batch in SomeOfBatches(held, torch.arange(len(y), device=y.device), len(self)).epoch(epoch):
            yield Batch(batch.x, batch.y)
