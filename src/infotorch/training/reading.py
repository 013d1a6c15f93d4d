"""The samples that `fit` and `train` are handed, arrays, data sets or loaders, as what training reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from torch import Tensor, nn

from infotorch.data.dict_batches import inputs_and_labels
from infotorch.data.folders import ImageFiles
from infotorch.data.graph_checks import Mask
from infotorch.data.graph_reading import TrainingGraphs, graph_samples, holds_graphs
from infotorch.data.loaders import LoaderBatches, SampleSource, as_loader, held_pair, is_read_by_loader
from infotorch.data.targets import TARGETS, Targets, precision_of_targets, read_targets
from infotorch.networks.forward_inputs import several_inputs, takes_several
from infotorch.networks.segments import network_of
from infotorch.numerics.checks import as_tensor, check_choice
from infotorch.numerics.finite import all_finite
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.training.checks import check_batches
from infotorch.training.inputs import batches_of

if TYPE_CHECKING:
    from infotorch.data.batches import Batch
    from infotorch.data.typing import Samples

#: What `fit` and `train` learn from.
TrainingData: TypeAlias = "SampleSource | TrainingGraphs"


class Batches(Protocol):
    """What training reads: mini-batches keyed by epoch. `TensorBatches` is one.

    Attributes:
        y: the targets of all training samples, or None.
    """

    y: Tensor | None

    def __len__(self) -> int:
        """Steps in an epoch."""
        ...

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from step `start` on, the same whenever they are asked for."""
        ...


def training_samples(
    model: nn.Module,
    data: Any,
    *,
    batch_size: int,
    seed: int,
    where: str,
    targets: Targets = "auto",
    mask: Mask = "train_mask",
) -> tuple[Samples | LoaderBatches, Tensor | None]:
    """Samples and targets where the model is, and in its precision.

    Args:
        model: what is trained.
        data: a pair of arrays, or of several inputs by name and targets, a dict that holds both, a `DataLoader` or
            `Dataset` of torch, whose samples are its batches, or graphs.
        batch_size: samples a step of a `Dataset`.
        seed: decides the order of a `Dataset`.
        where: for messages.
        targets: what y is, see `read_targets`.
        mask: of the nodes of a graph whose targets are read.

    Raises:
        TypeError: no pair, or no numbers.
        ValueError: a model without parameters, rows that do not pair, NaN in x, or a y that is not what `targets` says.

    Example:
        >>> x, y = training_samples(nn.Linear(2, 2), ([[0, 1.0]], [1]), batch_size=1, seed=0, where="example")
        >>> x.dtype, y.dtype
        (torch.float32, torch.int64)
    """
    data = held_pair(data)
    if isinstance(data, Mapping):
        data = inputs_and_labels(data, where=where)
    if next(model.parameters(), None) is None:
        raise ValueError(f"{where}: the model has no parameters to train.")
    if holds_graphs(data):
        x, y = graph_samples(model, data, where=where, mask=mask)
        return x, None if y is None else _told(y, model, targets, where=where)
    if is_read_by_loader(data):
        loader = as_loader(data, batch_size=batch_size, where=where)
        batches = LoaderBatches(loader, network_of(model), seed=seed, where=where, targets=targets, mask=mask)
        return batches, batches.y
    return _arrays(model, data, targets, where=where)


def _arrays(
    model: nn.Module, data: Any, targets: Targets, *, where: str
) -> tuple[Tensor | NamedTensors | ImageFiles, Tensor | None]:
    if not isinstance(data, tuple) or len(data) != 2:
        got = type(data).__name__
        raise TypeError(
            f"{where}: data must be the pair (x, y), a Dataset or DataLoader of pairs, or torch_geometric graphs, one "
            f"or a list, got {got}."
        )
    x = inputs_for(model, data[0], where=where)
    y = None if data[1] is None else as_tensor(data[1], where=where, name="y").to(next(model.parameters()).device)
    if (isinstance(x, Tensor) and x.ndim == 0) or (y is not None and y.ndim == 0):
        raise ValueError(f"{where}: x and y must have rows of samples, got a single number.")
    if isinstance(x, Tensor) and x.is_floating_point() and not all_finite([x]):
        raise ValueError(f"{where}: x must be finite, got NaN or infinite values.")
    if y is not None and len(y) != len(x):
        raise ValueError(f"{where}: x and y must be paired row by row, got {len(x)} and {len(y)} rows.")
    if y is None:
        return x, None
    return x, _told(y, model, targets, where=where)


def inputs_for(model: nn.Module, x: Any, *, where: str) -> Tensor | NamedTensors | ImageFiles:
    """Inputs, an array or several by name, where the model is and in its precision; as they are without weights.

    Raises:
        TypeError: no numbers.
        ValueError: names that forward does not take, or rows that do not pair.

    Example:
        >>> inputs_for(nn.Linear(2, 2), [[0, 1.0]], where="example").dtype
        torch.float32
        >>> inputs_for(nn.Bilinear(2, 2, 1), {"input2": [[1, 0]], "input1": [[0, 1]]}, where="example").keys()
        ['input1', 'input2']
    """
    parameter = next(model.parameters(), None)
    device, dtype = (None, None) if parameter is None else (parameter.device, parameter.dtype)
    if isinstance(x, ImageFiles):
        return x if device is None else x.to(device)
    if takes_several(network_of(model), x):
        return several_inputs(network_of(model), x, where=where).to(device, dtype)
    x = as_tensor(x, where=where, name="x")
    # Integer inputs are token ids; real ones take the precision of the weights.
    return x.to(device, dtype if x.is_floating_point() else None)


def _told(y: Tensor, model: nn.Module, targets: Targets, *, where: str) -> Tensor:
    """Targets in the type that says what they are, real ones in the precision of losses."""
    y = read_targets(y, targets, where=where)
    return y.to(precision_of_targets(next(model.parameters()).dtype)) if y.is_floating_point() else y


def as_batches(
    data: Any, model: nn.Module, *, batch_size: int, seed: int, where: str, targets: Targets = "auto"
) -> Batches:
    """Batches as they are; samples of any other kind in batches of `batch_size`, but for a loader's own.

    Args:
        data: what `train` was given.
        model: decides device and precision.
        batch_size: samples a step.
        seed: decides the order of the samples.
        where: for messages.
        targets: what y is, see `read_targets`; batches say it themselves, by the type of their y.

    Raises:
        TypeError: neither batches nor samples.
        ValueError: as in `training_samples`, or targets for batches.

    Example:
        >>> import torch
        >>> len(as_batches((torch.eye(4), [0, 1, 0, 1]), nn.Linear(4, 2), batch_size=2, seed=0, where="example"))
        2
    """
    check_choice(targets, TARGETS, where=where, name="targets")
    held = held_pair(data)
    if callable(getattr(held, "epoch", None)) or not _are_samples(held):
        check_batches(data, where=where)
        if targets != "auto":
            raise ValueError(f"{where}: targets must be 'auto' for batches, whose y says what it is, got {targets!r}.")
        return data
    x, y = training_samples(model, held, batch_size=batch_size, seed=seed, where=where, targets=targets)
    return x if isinstance(x, LoaderBatches) else batches_of(x, y, batch_size=batch_size, seed=seed)


def _are_samples(held: Any) -> bool:
    return is_read_by_loader(held) or isinstance(held, tuple | Mapping) or holds_graphs(held)
