"""Data sets by name -> train, validation and test splits; checksummed; never silently something else."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
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
    "graphs_as_dataset": "graph_splits",
    "image_folders": "folders",
    "load": "loading",
    "names": "catalogue",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
