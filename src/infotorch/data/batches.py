"""In-memory tensors as mini-batches, keyed by (seed, epoch): nothing lives in an iterator.

Indexing tensors costs microseconds; a worker process would cost more than the 60 MB it serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from infotorch.data.augment import Augmentation, augmented, check_augmentation, draw_choices
from infotorch.data.targets import kind_of_targets, labelled_samples
from infotorch.numerics.checks import check_count, check_dense
from infotorch.numerics.kinds import check_index, check_kind
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.on_host import remember_on_host
from infotorch.numerics.seeds import SeedStreams, seed_streams
from infotorch.numerics.sketches import sketch

if TYPE_CHECKING:
    from infotorch.data.folders import ImageFiles
    from infotorch.data.graphs import GraphSamples
    from infotorch.data.typing import Inputs


class Batch(NamedTuple):
    """Samples of a data set: inputs, targets (b, ...) or None, and their numbers in the set, `rows` (b,).

    Inputs are a tensor (b, ...), several tensors by name, or a torch_geometric data object that holds b graphs, or one
    graph of b nodes. Samples of a `DataLoader` have no numbers: rows is None.

    Example:
        >>> Batch(torch.zeros(2, 3), torch.tensor([1, 0]), rows=torch.tensor([7, 4])).y.tolist()
        [1, 0]
    """

    x: Inputs
    y: Tensor | None
    rows: Tensor | None = None


class TensorBatches:
    """Mini-batches of tensors that already lie on their device.

    Epoch `e` is the same sequence whenever it is asked for, and can be entered at any step.

    Args:
        x: inputs, shape (n, ...), a dict of several by the names of forward's arguments, or `GraphSamples`, n graphs.
        y: targets, shape (n, ...), or None; integers of any width, and bool, become int64.
        batch_size: samples a step; the last batch of an epoch may be smaller. A lone last sample joins the batch before
            it: batch norm and bounds on a batch need two samples.
        seed: decides the order of every epoch.
        shuffle: False keeps the order of the samples.
        drop_last: leave out a last batch that is not full.
        augment: "crops-flips" gives every image a random crop and perhaps a flip, others in every epoch; "shifts-flips"
            shifts it by up to 2 pixels and mirrors it in every other epoch, "shifts" does the first alone; "none".

    Raises:
        TypeError: x or y of another kind, such as a list or a table, or a batch size that is not an integer.
        ValueError: no samples, x and y of different lengths, a batch size below 1, `drop_last` that leaves nothing, an
            unknown augmentation, or one of samples that are no images (or too small ones).

    Example:
        >>> batches = TensorBatches(torch.arange(8.0), None, batch_size=3, seed=0)
        >>> len(batches), [len(batch.x) for batch in batches.epoch(0)]
        (3, [3, 3, 2])
        >>> whole = list(batches.epoch(3))
        >>> torch.equal(next(batches.epoch(3, start=2)).x, whole[2].x)
        True
    """

    def __init__(
        self,
        x: Tensor | Mapping[str, Tensor] | NamedTensors | GraphSamples | ImageFiles,
        y: Tensor | None,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        augment: Augmentation = "none",
    ) -> None:
        if isinstance(x, Mapping):
            x = NamedTensors(x, where="TensorBatches")
        _check_samples(x, y)
        check_count(batch_size, where="TensorBatches", name="batch_size")
        check_kind(shuffle, (bool, np.bool_), where="TensorBatches", name="shuffle", said="True or False")
        check_kind(drop_last, (bool, np.bool_), where="TensorBatches", name="drop_last", said="True or False")
        if drop_last and len(x) < batch_size:
            raise ValueError(f"TensorBatches: drop_last leaves no batch of {batch_size} in {len(x)} samples.")
        check_augmentation(augment, x, where="TensorBatches")
        y = y if y is None or y.is_floating_point() else y.long()
        self.x, self.y = x, y
        self._y_on_host = None if y is None or y.is_cpu or y.ndim > 2 else y.cpu()
        self.augment: Augmentation = augment
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.streams: SeedStreams = seed_streams(seed)

    def __len__(self) -> int:
        """Steps in an epoch."""
        full, rest = divmod(len(self.x), self.batch_size)
        return full if full and (self.drop_last or rest <= 1) else full + 1

    def __repr__(self) -> str:
        each = f"{len(self)} steps of {self.batch_size}"
        return f"TensorBatches(x={sketch(self.x)}, y={sketch(self.y)}; {each})"

    def labelled(self) -> TensorBatches:
        """As many steps an epoch, from the labelled samples alone, which come again as often as that takes.

        The same batches where every sample has a target, or none.
        """
        if self.y is None or kind_of_targets(self.y) is None:
            return self
        rows = labelled_samples(self.y).nonzero().flatten()
        return self if len(rows) in {0, len(self.y)} else SomeOfBatches(self, rows, len(self))

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from step `start` on.

        Raises:
            TypeError: a number that is not an integer.
            ValueError: a start below 0.
        """
        check_position(epoch, start)
        count = len(self.x)
        if self.shuffle:
            order = torch.randperm(count, generator=self.streams.generator("order", epoch))
        else:
            order = torch.arange(count, device="cpu")
        there = order.to(self.x.device)
        drawn = self._choices(epoch)
        last, whole = len(self) - 1, not self.drop_last
        for step in range(start, len(self)):
            stop = count if whole and step == last else (step + 1) * self.batch_size
            some = slice(step * self.batch_size, stop)
            yield self._batch(there[some], drawn, order[some])

    def _choices(self, *position: int) -> Tensor | None:
        """What happens to every sample in one pass."""
        drawn = draw_choices(self.augment, len(self.x), self.streams, *position)
        return None if drawn is None else drawn.to(self.x.device)

    def _batch(self, rows: Tensor, drawn: Tensor | None, rows_on_host: Tensor) -> Batch:
        x = self.x[rows]
        if drawn is not None:
            assert isinstance(x, Tensor)
            x = augmented(self.augment, x, drawn[rows])
        y = None if self.y is None else self.y[rows]
        if y is not None and self._y_on_host is not None:
            remember_on_host(y, self._y_on_host[rows_on_host])
        return Batch(x, y, rows)


def check_position(epoch: int, start: int, *, where: str = "TensorBatches.epoch") -> None:
    """Refuse what is no place in the epochs of batches.

    Raises:
        TypeError: a number that is not an integer.
        ValueError: a start below 0.
    """
    check_kind(epoch, Integral, where=where, name="epoch", said="an integer")
    check_index(start, where=where, name="start")


def _check_samples(x: object, y: object) -> None:
    """Refuse what has no rows to take by number, or rows that do not pair."""
    like_a_tensor = hasattr(x, "to") and hasattr(x, "__getitem__")
    for name, values, allowed in (("x", x, like_a_tensor), ("y", y, y is None)):
        if not isinstance(values, Tensor) and not allowed:
            raise TypeError(
                f"TensorBatches: {name} must be a tensor, got {type(values).__name__}; fit takes arrays and lists too, "
                "torch.as_tensor(...) makes tensors of them, and GraphSamples(...) holds graphs."
            )
        if isinstance(values, Tensor):
            check_dense(values, where="TensorBatches", name=name)
            if values.ndim == 0:
                raise ValueError(f"TensorBatches: {name} must have rows of samples, got a single number.")
    assert isinstance(x, Sized)
    if len(x) == 0:
        raise ValueError("TensorBatches: x has no samples.")
    if isinstance(y, Tensor) and len(x) != len(y):
        raise ValueError(f"TensorBatches: x and y must be paired row by row, got {len(x)} and {len(y)} rows.")


class SomeOfBatches(TensorBatches):
    """Batches of some samples of others: pass after pass over these samples, until the epoch's steps are done.

    Args:
        whole: the others.
        rows: the numbers of the samples, (m,), m >= 1.
        steps: of an epoch.

    Example:
        >>> whole = TensorBatches(torch.arange(6.0), None, batch_size=2, shuffle=False)
        >>> [batch.x.tolist() for batch in SomeOfBatches(whole, torch.tensor([1, 4]), 2).epoch(0)]
        [[1.0, 4.0], [1.0, 4.0]]
    """

    def __init__(self, whole: TensorBatches, rows: Tensor, steps: int) -> None:
        super().__init__(
            whole.x,
            whole.y,
            batch_size=min(whole.batch_size, len(rows)),
            seed=whole.streams.seed,
            shuffle=whole.shuffle,
            augment=whole.augment,
        )
        self._rows, self._steps = rows.cpu(), steps

    def __len__(self) -> int:
        """Steps in an epoch."""
        return self._steps

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from step `start` on."""
        check_position(epoch, start)
        order, drawn, there = self._rows, None, self._rows
        for step in range(start, self._steps):
            number, place = divmod(step, self._steps_of_a_pass)
            if place == 0 or step == start:
                order, drawn = self._order(epoch, number), self._choices(epoch, number)
                there = order.to(self.x.device)
            some = slice(place * self.batch_size, (place + 1) * self.batch_size)
            yield self._batch(there[some], drawn, order[some])

    @property
    def _steps_of_a_pass(self) -> int:
        return len(self._rows) // self.batch_size

    def _order(self, epoch: int, number: int) -> Tensor:
        """The samples of one pass; those behind its last full batch wait for the next."""
        if not self.shuffle:
            return self._rows.roll(-number * self._steps_of_a_pass * self.batch_size)
        generator = self.streams.generator("labelled-order", epoch, number)
        return self._rows[torch.randperm(len(self._rows), generator=generator)]
