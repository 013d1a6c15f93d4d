"""Data sets by name -> train, validation and test splits; checksummed; never silently something else."""

from infotorch.data.batches import Batch as Batch
from infotorch.data.batches import TensorBatches as TensorBatches
from infotorch.data.catalogue import Source as Source
from infotorch.data.catalogue import names as names
from infotorch.data.fetch import FileStatus as FileStatus
from infotorch.data.fetch import data_root as data_root
from infotorch.data.folders import ImageFiles as ImageFiles
from infotorch.data.folders import ImageFolders as ImageFolders
from infotorch.data.folders import image_folders as image_folders
from infotorch.data.graph_splits import graphs_as_dataset as graphs_as_dataset
from infotorch.data.graphs import GraphSamples as GraphSamples
from infotorch.data.graphs import NodeSamples as NodeSamples
from infotorch.data.inventory import Entry as Entry
from infotorch.data.inventory import check as check
from infotorch.data.inventory import describe as describe
from infotorch.data.inventory import get as get
from infotorch.data.loading import load as load
from infotorch.data.sets import Dataset as Dataset
from infotorch.data.sets import Graph as Graph
from infotorch.data.sets import GraphSet as GraphSet
from infotorch.data.sets import Scaling as Scaling
from infotorch.data.sets import Split as Split
HOMES: dict[str, str]
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
    "graphs_as_dataset",
    "image_folders",
    "load",
    "names",
]
