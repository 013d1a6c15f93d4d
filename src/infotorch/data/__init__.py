"""Data sets by name -> train, validation and test splits; checksummed; never silently something else.

Names load on first use, so that `infotorch data list` needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infotorch.data.batches import Batch, TensorBatches
    from infotorch.data.catalogue import Source, names
    from infotorch.data.fetch import FileStatus, data_root
    from infotorch.data.folders import ImageFiles, ImageFolders, image_folders
    from infotorch.data.graphs import GraphSamples, NodeSamples
    from infotorch.data.inventory import Entry, check, describe, get
    from infotorch.data.loading import load
    from infotorch.data.sets import Dataset, Graph, GraphSet, Scaling, Split

__all__ = [
    "Batch",
    "Dataset",
    "Entry",
    "FileStatus",
    "Graph",
    "GraphSamples",
    "GraphSet",
    "ImageFiles",
    "ImageFolders",
    "NodeSamples",
    "Scaling",
    "Source",
    "Split",
    "TensorBatches",
    "check",
    "data_root",
    "describe",
    "get",
    "image_folders",
    "load",
    "names",
]

_HOME = {
    "Batch": "batches",
    "Dataset": "sets",
    "Entry": "inventory",
    "FileStatus": "fetch",
    "Graph": "sets",
    "GraphSamples": "graphs",
    "GraphSet": "sets",
    "ImageFiles": "folders",
    "ImageFolders": "folders",
    "NodeSamples": "graphs",
    "Scaling": "sets",
    "Source": "catalogue",
    "Split": "sets",
    "TensorBatches": "batches",
    "check": "inventory",
    "data_root": "fetch",
    "describe": "inventory",
    "get": "inventory",
    "image_folders": "folders",
    "load": "loading",
    "names": "catalogue",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'infotorch.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"infotorch.data.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
