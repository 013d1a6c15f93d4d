"""Planetoid citation graphs: one graph, with the public split of 20 nodes a class, 500 and 1,000."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infotorch.data.assembly import Options, limited_samples
from infotorch.data.catalogue import PLANETOID_URL
from infotorch.data.fetch import raw_folder, require_local
from infotorch.data.reading import check_memory, explained, read_text
from infotorch.data.sets import Graph, check_edge_index
from infotorch.data.unpickle import load_pickle

PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")
_VALIDATION_NODES = 500


def load_planetoid(name: str, root: Path, options: Options) -> Graph:
    """A Planetoid graph that is not listed, from `planetoid/<name>/raw/ind.<name>.*`, without known checksums.

    Raises:
        FileNotFoundError: a raw file is missing; the message names the page that has it.
        ValueError: a damaged file, or an option that the public split leaves no room for.
    """
    folder = raw_folder("planetoid", name, root)
    require_local((folder / f"ind.{name.lower()}.{part}" for part in PARTS), name=name, page=PLANETOID_URL)
    graph = read_planetoid(folder, name, note="No checksum of these files is known.")
    return with_options(graph, options)


def with_options(graph: Graph, options: Options) -> Graph:
    """The graph with `limit` labelled nodes.

    Raises:
        ValueError: validation, scaling or classes were chosen, or a limit above the labelled nodes.
    """
    options.refuse("validation", reason="the public split of a Planetoid graph is fixed")
    options.refuse("scaling", reason="the words of a Planetoid graph are left as they are published")
    options.refuse("classes", reason="the nodes of one graph belong together")
    if options.limit is None:
        return graph
    return replace(graph, train=graph.train[limited_samples(graph.y[graph.train], options.limit, options.seed)])


@dataclass(frozen=True)
class _Parts:
    """The eight files of one graph, as they were pickled."""

    allx: Any
    tx: Any
    y: np.ndarray
    ty: np.ndarray
    ally: np.ndarray
    neighbours: dict[int, list[int]]
    tested: np.ndarray


def read_planetoid(folder: Path, name: str, *, note: str = "") -> Graph:
    """Read the eight raw files; self loops and duplicates of an edge are left out.

    Args:
        folder: holds ind.<name>.x and the others.
        name: of the graph; file names use it in lower case.
        note: put before what the reader says itself.

    Raises:
        ValueError: a damaged file, counts that do not agree, or a node number out of range; the message names the file.

    Source: Yang, Cohen & Salakhutdinov 2016, arXiv:1603.08861. Test nodes are listed out of order, and CiteSeer lacks
    some of them: those are isolated nodes without words, in no part of the split.
    """
    stem = folder / f"ind.{name.lower()}"
    parts = _read_parts(stem)
    x, labels = _in_node_order(parts, stem)
    edge_index = _edge_index(parts.neighbours, len(x), Path(f"{stem}.graph"))
    trained, known = len(parts.y), len(parts.ally)
    if trained + _VALIDATION_NODES > known:
        raise ValueError(f"{stem}.ally must hold {trained} training and {_VALIDATION_NODES} more nodes, got {known}.")
    counts = f"Public split: {trained} training, {_VALIDATION_NODES} validation and {len(parts.tested)} test nodes."
    return Graph(
        name=name,
        x=x,
        edge_index=edge_index,
        y=labels,
        train=torch.arange(trained),
        validation=torch.arange(trained, trained + _VALIDATION_NODES),
        test=torch.from_numpy(np.sort(parts.tested)),
        num_classes=parts.ally.shape[1],
        note=f"{note} {counts}".strip(),
    )


def _read_parts(stem: Path) -> _Parts:
    # ind.NAME.x repeats the first rows of allx; it is read so that damage to it is seen.
    loaded = {part: load_pickle(Path(f"{stem}.{part}"), encoding="latin1") for part in PARTS[:-1]}
    for part in ("x", "tx", "allx"):
        _check_sparse(loaded[part], f"{stem}.{part}")
    for part in ("y", "ty", "ally"):
        if (
            not isinstance(loaded[part], np.ndarray)
            or loaded[part].ndim != 2
            or not np.isin(loaded[part], (0, 1)).all()
        ):
            raise ValueError(f"{stem}.{part} must hold one-hot labels (n, classes).")
    if not isinstance(loaded["graph"], dict):
        raise ValueError(f"{stem}.graph must hold a dictionary of neighbours, got {type(loaded['graph']).__name__}.")
    for inputs, labels in (("x", "y"), ("tx", "ty"), ("allx", "ally")):
        count, labelled = loaded[inputs].shape[0], len(loaded[labels])
        if count != labelled:
            raise ValueError(f"{stem}.{inputs} and .{labels} must be paired, got {count} and {labelled} rows.")
    tested = _read_index(Path(f"{stem}.test.index"))
    if len(tested) != len(loaded["ty"]):
        raise ValueError(f"{stem}.test.index must name {len(loaded['ty'])} nodes, got {len(tested)}.")
    return _Parts(loaded["allx"], loaded["tx"], loaded["y"], loaded["ty"], loaded["ally"], loaded["graph"], tested)


def _check_sparse(matrix: Any, where: str) -> None:
    from scipy.sparse import csr_matrix

    if not isinstance(matrix, csr_matrix):
        raise ValueError(f"{where} must hold a sparse matrix, got {type(matrix).__name__}.")
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{where} holds NaN or infinite values.")


def _read_index(path: Path) -> np.ndarray:
    try:
        index = np.array([int(word) for word in read_text(path).split()], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} must hold node numbers: {explained(error)}.") from error
    if len(index) == 0 or len(np.unique(index)) != len(index):
        raise ValueError(f"{path} must hold each test node once.")
    return index


def _in_node_order(parts: _Parts, stem: Path) -> tuple[Tensor, Tensor]:
    """Features and labels of all nodes: the known ones, then the test nodes at the places the index file says."""
    known, features, classes = len(parts.ally), parts.allx.shape[1], parts.ally.shape[1]
    if parts.tx.shape[1] != features or parts.ty.shape[1] != classes or parts.y.shape[1] != classes:
        raise ValueError(f"{stem}.*: training and test files must have the same words and classes.")
    if parts.tested.min() < known:
        raise ValueError(f"{stem}.test.index must name nodes from {known} on, got {parts.tested.min()}.")
    if parts.tested.max() >= known + 2 * len(parts.tested):
        raise ValueError(f"{stem}.test.index leaves more nodes out than it names: up to {parts.tested.max()}.")
    check_memory(4 * (int(parts.tested.max()) + 1) * features, f"{stem}.*: {features:,} words of every node")
    x = np.zeros((parts.tested.max() + 1, features), dtype=np.float32)
    onehot = np.zeros((len(x), classes), dtype=np.int64)
    x[:known], onehot[:known] = parts.allx.toarray(), parts.ally
    x[parts.tested], onehot[parts.tested] = parts.tx.toarray(), parts.ty
    return torch.from_numpy(x), torch.from_numpy(onehot.argmax(axis=1))


def _edge_index(neighbours: dict[int, list[int]], num_nodes: int, path: Path) -> Tensor:
    """Both directions of every edge once, sorted by source, without self loops; int64 (2, e)."""
    lists = all(isinstance(others, list) for others in neighbours.values())
    # Every number takes a byte at least; one list named again and again takes none, and its edges have no end.
    if lists and sum(map(len, neighbours.values())) > path.stat().st_size:
        raise ValueError(f"{path} names more neighbours than it has bytes.")
    pairs = [(a, b) for a, others in neighbours.items() for b in others] if lists else []
    if not lists or not all(type(node) is int and abs(node) < 2**31 for pair in pairs for node in pair):
        raise ValueError(f"{path} must hold lists of node numbers.")
    edges = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    check_edge_index(edges.T, num_nodes, where=str(path))
    edges = edges[edges[:, 0] != edges[:, 1]]
    return torch.cat([edges, edges.flip(1)]).unique(dim=0).T.contiguous()
