"""The types of samples: what data sets hold, and what a network sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.utils.data import Dataset
    from torch_geometric.data import Data

    from infotorch.data.folders import ImageFiles
    from infotorch.data.graphs import GraphSamples, NodeSamples
    from infotorch.numerics.named_tensors import NamedTensors

#: The samples of a split: numbers (n, ...), several inputs by name, graphs, the nodes of one graph, pictures on disk.
Samples: TypeAlias = "Tensor | NamedTensors | GraphSamples | NodeSamples | ImageFiles"

#: What a network sees of them in one pass: a tensor (b, ...), several by name, a batch of graphs, or one graph.
Inputs: TypeAlias = "Tensor | NamedTensors | Data"

#: Graphs as torch_geometric holds them: one, whose nodes are the samples, or several.
Graphs: TypeAlias = "Data | Sequence[Data] | Dataset[Data]"
