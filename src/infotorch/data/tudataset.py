"""TUDataset collections: many labelled graphs in a few text files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infotorch.data.assembly import Options, limited_samples
from infotorch.data.catalogue import TUDATASET_URL
from infotorch.data.fetch import raw_folder, require_local
from infotorch.data.reading import check_file, check_memory, explained
from infotorch.data.sets import GraphSet, check_edge_index, check_graph_index
from infotorch.data.splits import holdout, num_samples_of
from infotorch.numerics.seeds import seed_streams

_FRACTION = 0.1  # of all graphs, for test and for validation each


def load_tudataset(name: str, root: Path, options: Options) -> GraphSet:
    """A collection that is not listed, from `tudataset/<name>/raw/<name>_*.txt`, without known checksums.

    Raises:
        FileNotFoundError: a needed file is missing; the message names the page that has it.
        ValueError: a damaged file, or an option that does not fit.
    """
    folder = raw_folder("tudataset", name, root)
    name = folder.parent.name
    needed = (folder / f"{name}_{part}.txt" for part in ("A", "graph_indicator", "graph_labels"))
    require_local(needed, name=name, page=f"{TUDATASET_URL}/{name}.zip")
    return read_tudataset(folder, name, options, note="No checksum of these files is known.")


def read_tudataset(folder: Path, name: str, options: Options, *, note: str = "") -> GraphSet:
    """Read the raw files; there is no official split: 80/10/10, stratified, drawn by seed.

    Node features are the one-hot node labels beside the node attributes, or a constant 1 where the collection has
    neither; edge features likewise, or None. Graph labels are numbered from 0 in ascending order.

    Args:
        folder: holds <name>_A.txt and the others.
        name: of the collection.
        options: seed, validation (graphs or a fraction of those that are not test) and limit (training graphs).
        note: put before what the reader says itself.

    Raises:
        ValueError: a damaged file, counts that do not agree, a node number out of range, an edge between two graphs,
            a scaling, or a choice of classes.

    Source: Morris et al. 2020, arXiv:2007.08663.
    """
    options.refuse("scaling", reason="features of a graph set are left as they are published")
    options.refuse("classes", reason="a graph set is read whole")
    stem = folder / name
    graph_index = _integers(Path(f"{stem}_graph_indicator.txt")).reshape(-1) - 1
    classes, y = _integers(Path(f"{stem}_graph_labels.txt")).reshape(-1).unique(return_inverse=True)
    edge_index = _integers(Path(f"{stem}_A.txt"), columns=2).T.contiguous() - 1
    check_edge_index(edge_index, len(graph_index), where=f"{stem}_A.txt, counted from 0")
    check_graph_index(graph_index, edge_index, len(y), where=f"{stem}_graph_indicator.txt, counted from 0")
    nodes = _features(stem, "node", len(graph_index))
    train, validation, test = _split(y, options)
    split = f"No official split: {len(train)}/{len(validation)}/{len(test)} graphs, stratified, drawn by the seed."
    return GraphSet(
        name=name,
        node_features=torch.ones(len(graph_index), 1) if nodes is None else nodes,
        edge_index=edge_index,
        graph_index=graph_index,
        edge_features=_features(stem, "edge", edge_index.shape[1]),
        y=y,
        train=train,
        validation=validation,
        test=test,
        num_classes=len(classes),
        note=" ".join(filter(None, (note, split, "Nodes have no features: a constant 1." if nodes is None else ""))),
    )


def _split(y: Tensor, options: Options) -> tuple[Tensor, Tensor, Tensor]:
    streams = seed_streams(options.seed)
    tenth = num_samples_of(_FRACTION, len(y), where="load", name="test")
    rest, test = holdout(y, tenth, streams.generator("test split"))
    size = tenth if options.validation is None else options.validation
    count = num_samples_of(size, len(rest), where="load", name="validation")
    kept, held = holdout(y[rest], count, streams.generator("split"))
    train = rest[kept]
    if options.limit is not None:
        train = train[limited_samples(y[train], options.limit, options.seed)]
    return train, rest[held], test


def _features(stem: Path, what: str, count: int) -> Tensor | None:
    """One-hot labels beside attributes of all nodes or edges, float32 (count, d); None where there are neither."""
    blocks = []
    labels, attributes = Path(f"{stem}_{what}_labels.txt"), Path(f"{stem}_{what}_attributes.txt")
    if labels.exists():
        columns = _integers(labels)
        check_memory(4 * sum(len(column) * len(column.unique()) for column in columns.T), f"{labels}, one-hot,")
        blocks += [_one_hot(column) for column in columns.T]
    if attributes.exists():
        blocks.append(torch.from_numpy(_table(attributes, np.float32)))
    for block in blocks:
        if len(block) != count:
            raise ValueError(f"{stem}: there must be features of {count} {what}s, got {len(block)} lines of them.")
    return torch.cat(blocks, dim=1) if blocks else None


def _one_hot(labels: Tensor) -> Tensor:
    values, position = labels.unique(return_inverse=True)
    return torch.zeros(len(labels), len(values)).scatter_(1, position[:, None], 1.0)


def _integers(path: Path, columns: int | None = None) -> Tensor:
    table = _table(path, np.int64)
    if columns is not None and table.shape[1] != columns:
        raise ValueError(f"{path} must hold {columns} numbers a line, got {table.shape[1]}.")
    return torch.from_numpy(table)


def _table(path: Path, dtype: type[np.generic]) -> np.ndarray:
    """Numbers separated by commas, shape (lines, columns)."""
    check_file(path)
    try:
        table = np.loadtxt(path, dtype=dtype, delimiter=",", ndmin=2, encoding="ascii")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} must hold numbers separated by commas: {explained(error)}.") from error
    if table.size == 0:
        raise ValueError(f"{path} is empty.")
    if not np.isfinite(table).all():
        raise ValueError(f"{path} holds NaN or infinite values.")
    return table
