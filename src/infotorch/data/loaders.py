"""What people hold samples in, torch's `DataLoader` and `Dataset` and the library's splits, as pairs and batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from infotorch.data.batches import Batch, check_position
from infotorch.data.dict_batches import inputs_and_labels
from infotorch.data.folders import FolderSplit, ImageFolders
from infotorch.data.graph_batches import graph_and_targets, placed_graph
from infotorch.data.graph_checks import Mask, is_graph
from infotorch.data.graph_splits import graphs_as_dataset
from infotorch.data.labelled import LabelledOfLoader
from infotorch.data.sets import Dataset, Graph, GraphSet, Split
from infotorch.data.targets import (
    Targets,
    kind_of_targets,
    labelled_samples,
    precision_of_targets,
    read_targets,
)
from infotorch.networks.forward_inputs import several_inputs, takes_several
from infotorch.numerics.checks import as_tensor, check_paired
from infotorch.numerics.named_tensors import NamedTensors, joined
from infotorch.numerics.on_host import remember_on_host
from infotorch.numerics.seeds import SeedStreams, seed_streams
from infotorch.numerics.sketches import sketch

if TYPE_CHECKING:
    from infotorch.data.typing import Inputs
    from infotorch.numerics.typing import ArrayLike

#: Samples of arrays: (x, y), y None for no labels; torch's loaders and data sets of such pairs; splits and data sets.
SampleSource: TypeAlias = (
    "tuple[ArrayLike, ArrayLike | None] | DataLoader[object] | TorchDataset[object] | Split | Dataset | ImageFolders"
)
_END = object()


def held_pair(data: Any) -> Any:
    """The pair (x, y) that a split, the training part of a data set or a `TensorDataset` holds; all else as it is.

    Of one graph all nodes, of which those of the other parts are unlabelled.

    Example:
        >>> x, y = held_pair(Split(torch.zeros(3, 2), torch.tensor([0, 1, 0])))
        >>> x.shape, y.tolist()
        (torch.Size([3, 2]), [0, 1, 0])
    """
    if isinstance(data, Graph | GraphSet):
        data = graphs_as_dataset(data)
    if isinstance(data, Dataset | ImageFolders):
        data = data.train
    if isinstance(data, Split | FolderSplit):
        return data.x, data.y
    if isinstance(data, TensorDataset) and len(data.tensors) == 2:
        return data.tensors
    return data


def is_read_by_loader(data: object) -> bool:
    """Whether samples come from a `DataLoader` or a `Dataset` of torch, and are no arrays."""
    return isinstance(data, DataLoader | TorchDataset)


def placed(x: Inputs, device: torch.device, dtype: torch.dtype | None) -> Any:
    """One input of a network on a device; its real numbers in a precision."""
    if is_graph(x):
        return placed_graph(x, device, dtype)
    if isinstance(x, NamedTensors):
        return x.to(device, dtype)
    return x.to(device, dtype if x.is_floating_point() else None)


def place_of(model: object) -> tuple[torch.device, torch.dtype | None]:
    """Where a model's weights are, and their precision: what samples from a loader are brought to."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    weight = next((weight for weight in parameters if not weight.is_meta and weight.is_floating_point()), None)
    return (torch.device("cpu"), None) if weight is None else (weight.device, weight.dtype)


def as_loader(data: DataLoader[Any] | TorchDataset[Any], *, batch_size: int, where: str) -> DataLoader[Any]:
    """A loader itself, or a `Dataset` in one that shuffles.

    Raises:
        ValueError: a `Dataset` without samples.
    """
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, IterableDataset):
        return DataLoader(data, batch_size=batch_size)
    if not len(data if isinstance(data, Sized) else ()):
        raise ValueError(f"{where}: the Dataset must have a length above 0.")
    return DataLoader(data, batch_size=batch_size, shuffle=True)


class LoaderBatches:
    """The mini-batches of a `DataLoader`, keyed by epoch: what `train` reads.

    A pass before training reads all targets, counts the steps and refuses what cannot be learnt from, before a weight
    has moved. Where the loader has no generator of its own, its order, workers and transforms are decided by (seed,
    epoch), and torch's global generators stay as they are; one of its own moves on by each epoch that is read to its
    end. An epoch begins at its start: samples have no numbers here. A lone last sample joins the batch before it, as in
    `TensorBatches`.

    Args:
        loader: gives pairs (x, y) of batches, x a tensor or a dict of inputs, or one dict of inputs and "labels"; or
            graphs with their y, as torch_geometric's loaders do.
        model: decides device and precision of x.
        seed: see above.
        where: for messages.
        targets: what y is, see `read_targets`.
        mask: of the nodes of graphs whose targets are read.

    Attributes:
        y: the targets of all samples, in the order of the first pass.
        example: the first sample, (1, ...).

    Raises:
        TypeError: batches that are no pairs of numbers, or targets of two kinds.
        OSError: the data set raised one, such as for a file that is not there.
        ValueError: no samples, samples that do not stack, a loader that does not know its length, rows that do not
            pair, NaN in x, targets of several shapes, or others than `targets` says.

    Example:
        >>> samples = TensorDataset(torch.arange(7.0)[:, None], torch.arange(7))
        >>> batches = LoaderBatches(DataLoader(samples, batch_size=3), nn.Linear(1, 7))
        >>> [batch.y.tolist() for batch in batches.epoch(0)]
        [[0, 1, 2], [3, 4, 5, 6]]
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        model: object,
        *,
        seed: int = 0,
        where: str = "LoaderBatches",
        targets: Targets = "auto",
        mask: Mask = "train_mask",
    ) -> None:
        self.loader, self.where, self.streams = loader, where, seed_streams(seed)
        self.model = model
        self.targets: Targets = targets
        self.mask: Mask = mask
        self.device, self.dtype = place_of(model)
        try:
            most = len(loader)
        except TypeError:
            raise ValueError(
                f"{where}: a DataLoader must know its length, and that of an IterableDataset without __len__ does not; "
                "give the data set a __len__, or torch.utils.data.Dataset with __getitem__."
            ) from None
        ys: list[Tensor] = []
        shapes: set[torch.Size | None] = set()
        for batch in self.look():
            assert batch.y is not None
            if not ys:
                self.example = batch.x if is_graph(batch.x) else batch.x[:1].clone()
            ys.append(batch.y)
            shapes.add(batch.x.shape[1:] if isinstance(batch.x, Tensor) else None)
            check_same_kind(batch.y, ys[0], where=where)
            if len(ys) > most:
                raise ValueError(f"{where}: the DataLoader must give as many batches as its length, {most}, got more.")
        if not ys:
            raise ValueError(f"{where}: the DataLoader has no samples.")
        self.y: Tensor | None = torch.cat(ys)
        self._steps, self._of_one_shape = len(ys), len(shapes) == 1 and None not in shapes

    def __len__(self) -> int:
        """Steps in an epoch."""
        return self._steps

    def __repr__(self) -> str:
        size = f" of {self.loader.batch_size}" if self.loader.batch_size else ""
        return f"LoaderBatches(x={sketch(self.example)}, y={sketch(self.y)}; {len(self)} steps an epoch{size})"

    def labelled(self) -> LoaderBatches | LabelledOfLoader:
        """As many steps an epoch, from the labelled samples alone, where fewer than half have a target.

        The same batches otherwise, and where inputs are several tensors or of several lengths.
        """
        if not self._of_one_shape or self.y is None or kind_of_targets(self.y) is None:
            return self
        share = float(labelled_samples(self.y).double().mean())
        return LabelledOfLoader(self) if 0 < share < 0.5 else self

    def look(self) -> Iterator[Batch]:
        """A pass over the samples after which the loader's order goes on as if there had been none."""
        with order_kept(self.loader):
            yield from self._batches(0)

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch; one that is left before its end leaves the loader's order as it was.

        Raises:
            TypeError: a number that is not an integer.
            ValueError: a start other than 0, or an epoch of other targets or another number of batches than the first.
        """
        check_position(epoch, start, where=f"{self.where}: epoch")
        check_start(self, start, where=self.where)
        with order_kept(self.loader) as order:
            step = -1
            for step, batch in enumerate(self._batches(epoch)):
                self._check(step, batch.y)
                if step + 1 == len(self):
                    order.clear()  # read to its end: the next epoch has another order
                yield batch
            if step + 1 < len(self):
                raise ValueError(
                    f"{self.where}: the DataLoader must give {len(self)} batches an epoch, got {step + 1}."
                )

    def _batches(self, epoch: int) -> Iterator[Batch]:
        """One pass; two batches wait, as a lone last sample joins the one before it."""
        waiting: list[tuple[Inputs, Tensor]] = []
        for pair in read_pairs(
            self.loader,
            self.streams,
            epoch,
            where=self.where,
            model=self.model,
            targets=self.targets,
            mask=self.mask,
        ):
            if len(waiting) == 2:
                yield self._placed(*waiting.pop(0))
            waiting.append(pair)
        lone = len(waiting) == 2 and len(waiting[1][1]) == 1 < len(waiting[0][1])
        if lone and not is_graph(waiting[1][0]):  # of graphs a batch norm sees the nodes
            (x, y), (last, its_y) = waiting
            with told_in_a_line(self.where):
                waiting = [(joined([x, last]), torch.cat([y, its_y]))]
        for pair in waiting:
            yield self._placed(*pair)

    def _placed(self, x: Inputs, y: Tensor) -> Batch:
        dtype = precision_of_targets(self.dtype) if y.is_floating_point() else None
        there = y.to(self.device, dtype)
        if y.ndim <= 2:
            remember_on_host(there, y)
        return Batch(placed(x, self.device, self.dtype), there)

    def _check(self, step: int, y: Tensor | None) -> None:
        """Refuse what the first pass did not show: read-outs are built for its targets, schedules for its steps."""
        assert y is not None
        assert self.y is not None
        check_same_kind(y, self.y, where=self.where)
        if step >= len(self):
            raise ValueError(f"{self.where}: the DataLoader must give {len(self)} batches an epoch, got more.")
        if kind_of_targets(y) == "classes" and int(y.max()) > int(self.y.max()):
            raise ValueError(
                f"{self.where}: y holds class {int(y.max())}, and the first pass over the DataLoader had none above "
                f"{int(self.y.max())}; let every epoch hold every class."
            )


def check_start(batches: object, step: int, *, where: str) -> None:
    """Refuse to enter an epoch of a `DataLoader` behind its start.

    Raises:
        ValueError: it would be.
    """
    if isinstance(batches, LoaderBatches) and step:
        raise ValueError(
            f"{where}: an epoch of a DataLoader begins at its start, got step {step}; keep the state where "
            "info.ends_epoch, or give arrays, whose epochs can be entered at any step."
        )


def read_pairs(
    loader: DataLoader[Any],
    streams: SeedStreams,
    epoch: int,
    *,
    where: str,
    model: object = None,
    targets: Targets = "auto",
    mask: Mask = "train_mask",
) -> Iterator[tuple[Inputs, Tensor]]:
    """The checked pairs of one pass over a loader; its worker processes end with it, however it ends."""
    iterator = None
    try:
        # What reads the samples may draw from the global generators: order, the workers' seeds, transforms.
        with streams.as_global_everywhere("loader", epoch):
            iterator = iter(loader)
        for step in count():
            with streams.as_global_everywhere("loader", epoch, step), told_in_a_line(where):
                item = next(iterator, _END)
            if item is _END:
                return
            yield _pair(item, model, targets, mask, where=where)
    finally:
        stop = getattr(iterator, "_shutdown_workers", None)
        if stop is not None and not loader.persistent_workers:
            stop()  # else they live as long as a traceback holds the iterator


@contextmanager
def told_in_a_line(where: str) -> Iterator[None]:
    """A context in which what a data set or its stacking raises, in a worker with a page of traceback, is one line."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        kind = next((kind for kind in (TypeError, OSError) if isinstance(error, kind)), ValueError)
        reason = str(error).strip().rpartition("\n")[2] or type(error).__name__
        raise kind(f"{where}: the DataLoader cannot give a batch: {reason}") from error


def _pair(item: Any, model: object, targets: Targets, mask: Mask, *, where: str) -> tuple[Inputs, Tensor]:
    if is_graph(item):
        return graph_and_targets(item, targets, where=where, mask=mask)
    if isinstance(item, Mapping):
        item = inputs_and_labels(item, where=where)
    if not isinstance(item, tuple | list) or len(item) != 2:
        got = f"a {type(item).__name__}" + (f" of {len(item)}" if isinstance(item, tuple | list) else "")
        raise TypeError(f"{where}: a DataLoader must give pairs (x, y), y -1 where there is no class, got {got}.")
    if isinstance(model, nn.Module) and takes_several(model, item[0]):
        return _several(item, model, targets, where=where)
    if not isinstance(item[0], Tensor | np.ndarray):
        got = type(item[0]).__name__
        raise TypeError(f"{where}: x of a DataLoader must be a tensor or an array of real numbers, got {got}.")
    x, y = (as_tensor(values, where=where, name=name) for name, values in zip(("x", "y"), item, strict=True))
    for name, values in (("x", x), ("y", y)):
        if values.ndim == 0:
            raise ValueError(f"{where}: {name} of a DataLoader must have rows of samples, got a single number.")
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{where}: x of a DataLoader must be finite, got NaN or infinite values.")
    check_paired(x, y, where=where)
    return x, read_targets(y, targets, where=where)


def _several(item: Any, model: nn.Module, targets: Targets, *, where: str) -> tuple[NamedTensors, Tensor]:
    x, y = several_inputs(model, item[0], where=where), as_tensor(item[1], where=where, name="y")
    if y.ndim == 0:
        raise ValueError(f"{where}: y of a DataLoader must have rows of samples, got a single number.")
    check_paired(x.main, y, where=where)
    return x, read_targets(y, targets, where=where)


def check_same_kind(y: Tensor, first: Tensor, *, where: str) -> None:
    """Refuse targets that are of another kind or shape than those before them."""
    if y.is_floating_point() != first.is_floating_point():
        raise TypeError(f"{where}: y must be of one kind in all batches, got {first.dtype} and {y.dtype}.")
    if y.shape[1:] != first.shape[1:]:
        shapes = f"{tuple(first.shape[1:])} and {tuple(y.shape[1:])}"
        raise ValueError(f"{where}: y must have one shape a sample in all batches, got {shapes}.")


@contextmanager
def order_kept(loader: DataLoader[Any]) -> Iterator[list[tuple[torch.Generator, Tensor]]]:
    """A context after which the loader's own generators are as before; of those taken off the list, as they are."""
    holders = (loader, loader.sampler, loader.batch_sampler, getattr(loader.batch_sampler, "sampler", None))
    held = [getattr(holder, "generator", None) for holder in holders]
    kept = [(one, one.get_state()) for one in dict.fromkeys(held) if isinstance(one, torch.Generator)]
    try:
        yield kept
    finally:
        for generator, state in kept:
            generator.set_state(state)
