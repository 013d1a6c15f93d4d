"""What a network takes, a tensor or a graph, as the samples that objectives see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infotorch.data.augment import Augmentation, check_augmentation
from infotorch.data.batches import TensorBatches
from infotorch.data.graph_checks import is_graph
from infotorch.data.graphs import (
    NodeBatches,
    NodeSamples,
    features_of,
    structure_of,
    tensors_of,
    with_features,
)
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.base import LocalBatch

if TYPE_CHECKING:
    from infotorch.data.typing import Inputs, Samples


def local_batch(
    x: Inputs,
    module_input: Any,
    output: Tensor,
    y: Tensor | None,
    streams: SeedStreams,
    position: tuple[int, ...],
    encode: Callable[[Inputs], Tensor],
) -> LocalBatch:
    """What an objective sees of a step: of a graph, the features of its nodes and who is joined to whom.

    Of several inputs, X is the main one; `encode` then takes other main inputs beside the same others.

    Args:
        x: the network's raw input.
        module_input: the previous module's output, or x.
        output: the module's output.
        y: targets of the samples, or None.
        streams: the run's random streams.
        position: the key of this step's noise.
        encode: raw inputs, of the kind of x -> the module's output for them.
    """
    if isinstance(x, NamedTensors):
        module_input = x.main if module_input is x else module_input.detach()
        return LocalBatch(x.main, module_input, output, y, streams, position, lambda main: encode(x.with_main(main)))
    if not is_graph(x):
        return LocalBatch(x, module_input.detach(), output, y, streams, position, encode)
    features = features_of(x)
    module_input = features if module_input is x else module_input.detach()

    def encode_features(features: Tensor) -> Tensor:
        return encode(with_features(x, features))

    return LocalBatch(features, module_input, output, y, streams, position, encode_features, structure_of(x))


def device_of(x: Inputs) -> torch.device:
    """Where a raw input is."""
    return tensors_of(x)[0].device


def batches_of(
    x: Samples,
    y: Tensor | None,
    *,
    batch_size: int,
    seed: int = 0,
    shuffle: bool = True,
    augment: Augmentation = "none",
) -> TensorBatches | NodeBatches:
    """The mini-batches of tensors or of graphs; of the nodes of one graph, the whole graph in every step.

    Raises:
        ValueError: as in `TensorBatches`.
    """
    if isinstance(x, NodeSamples):
        check_augmentation(augment, x, where="batches_of")
        return NodeBatches(x, y)
    return TensorBatches(x, y, batch_size=batch_size, seed=seed, shuffle=shuffle, augment=augment)


def describe_input(x: Inputs) -> str:
    """A raw input in a few words, for messages."""
    if isinstance(x, NamedTensors):
        return "inputs " + ", ".join(f"{name} of shape {tuple(x[name].shape)}" for name in x.keys())
    if not is_graph(x):
        return f"a tensor of shape {tuple(x.shape)}, {x.dtype}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
    nodes, edges = features_of(x), structure_of(x).edge_index
    return f"a graph of {len(nodes)} nodes with {nodes.shape[1]} features and {edges.shape[1]} edges"
