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

#: The samples of a split: numbers (n, ...), graphs, the nodes of one graph, or pictures on disk.
Samples: TypeAlias = "Tensor | GraphSamples | NodeSamples | ImageFiles"

#: What a network sees of them in one pass: a tensor (b, ...), a batch of graphs, or one graph.
Inputs: TypeAlias = "Tensor | Data"

#: Graphs as torch_geometric holds them: one, whose nodes are the samples, or several.
Graphs: TypeAlias = "Data | Sequence[Data] | Dataset[Data]"
