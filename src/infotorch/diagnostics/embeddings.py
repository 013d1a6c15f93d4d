"""The raw data and every module's output as points in the plane, by t-SNE; train and held-out samples together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits
from torch import Tensor

from infotorch.data.graph_reading import is_graph_samples
from infotorch.data.graphs import GraphSamples, NodeSamples, structure_of
from infotorch.networks.model_state import ModelState
from infotorch.numerics.checks import as_tensor, check_count, check_paired, check_positive, is_discrete, shown
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.seeds import SeedStreams, derive_seed, seed_streams
from infotorch.records.embedding import Embedding
from infotorch.training.plan import Plan, evaluating

__all__ = ["Embedding", "embed_modules", "embed_rows"]

#: Columns that t-SNE reads; more are first reduced to as many principal components.
COMPONENTS = 50
# Rows a forward pass: the widest layers of the largest networks fit a small machine.
_CHUNK = 250
_WHERE = "embed_modules"


def embed_modules(
    plan: Plan,
    splits: Mapping[str, tuple[Tensor | GraphSamples | NodeSamples, Tensor | None]],
    *,
    num_samples: int = 1000,
    perplexity: float = 30.0,
    seed: int = 0,
) -> list[Embedding]:
    """The raw data and every module's output as points in the plane, samples of all splits together.

    One place is one t-SNE over the rows of all its splits, as points of two t-SNE runs cannot be compared. A t-SNE
    shows which samples are neighbours; distances between clusters, and the clusters' sizes, mean nothing.

    Args:
        plan: a trained plan; it is read in evaluation mode, and modes and buffers of its layers come back.
        splits: name -> (inputs (n, ...), classes (n,), -1 for unlabelled samples, or None), on the plan's device.
            Inputs may be `GraphSamples`, whose points are means over the nodes of each graph; or `NodeSamples`, whose
            nodes without a class are left out, so that splits of one graph have their own nodes.
        num_samples: points of one picture at most, shared evenly by the splits; each class keeps its share of a split.
        perplexity: about how many neighbours a row has; no more than a third of the rows.
        seed: decides the rows and the start of t-SNE, which runs on one thread so that its last bits are decided too.

    Returns:
        "raw data" and then every module by its name, all of the same rows in the same order.

    Raises:
        TypeError: num_samples or seed is not an integer, or classes are not integers.
        ValueError: no split, a split without rows, fewer than 5 rows in all, rows that are not paired, num_samples
            fewer than the splits, perplexity not positive, or a module that does not run on its inputs.

    Source: van der Maaten & Hinton 2008, t-SNE, JMLR 9; started from two principal components (Kobak & Berens 2019,
        doi:10.1038/s41467-019-13056-x).

    Example:
        >>> from torch import nn
        >>> plan = Plan.layerwise(nn.Sequential(nn.Linear(4, 2)), (), "CE", optimizer=torch.optim.SGD)
        >>> x, y = torch.eye(4).repeat(5, 1), torch.arange(20) % 4
        >>> found = embed_modules(plan, {"train": (x, y), "test": (x, y)}, num_samples=20)
        >>> [(embedding.place, embedding.method) for embedding in found]
        [('raw data', 't-SNE'), ('network', 'its two columns')]
    """
    check_kind(plan, Plan, where=_WHERE, name="plan", said="a Plan")
    check_count(num_samples, where=_WHERE, name="num_samples")
    check_positive(perplexity, where=_WHERE, name="perplexity")
    streams = seed_streams(seed)
    pieces, labels, names = _chosen(splits, num_samples, seed)
    if len(labels) < 5:
        raise ValueError(f"{_WHERE}: splits must hold at least 5 rows together, got {len(labels)}.")
    if any(is_graph_samples(x) for x, _ in pieces):
        places = _graph_representations(plan, pieces, streams)
    else:
        places = _representations(plan, torch.cat([x[kept] for x, kept in pieces]), streams)
    found, before = [], [ModelState(module.body) for module in plan]
    try:
        for place, values in places:
            points, method, used = embed_rows(values, perplexity=perplexity, seed=seed)
            found.append(Embedding(place, method, points, labels, names, used))
    finally:
        for state in before:
            state.restore()
    return found


def embed_rows(values: np.ndarray, *, perplexity: float = 30.0, seed: int = 0) -> tuple[np.ndarray, str, float | None]:
    """Rows of numbers as points in the plane.

    Two columns or fewer are shown as they are (a lone one beside zeros). More are embedded by t-SNE, beyond 50 after
    PCA to 50. Where all rows are equal all points are the origin, and values that are not finite give no points (NaN).

    Args:
        values: (n, d), n at least 5.
        perplexity: see `embed_modules`.
        seed: decides PCA's sketch and the start of t-SNE.

    Returns:
        Points (n, 2) float32; how they were made, for people; the perplexity, or None without t-SNE.

    Example:
        >>> embed_rows(np.ones((6, 3)))[1:]
        ('constant', None)
    """
    n, width = values.shape
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        return np.full((n, 2), np.nan, np.float32), "not finite", None
    if (values == values[0]).all():
        return np.zeros((n, 2), np.float32), "constant", None
    if width <= 2:
        points = np.zeros((n, 2), np.float32)
        points[:, :width] = values
        return points, "its one column" if width == 1 else "its two columns", None
    perplexity = min(float(perplexity), (n - 1) / 3)  # the customary limit; t-SNE itself needs less than n
    state = derive_seed(seed, "embedding") % 2**32
    reduced = min(n, width) > COMPONENTS
    # One thread: sums over threads come in any order, and t-SNE turns their last bit into another picture.
    with threadpool_limits(1):
        values = _unit_scale(values)
        if reduced:
            values = PCA(COMPONENTS, svd_solver="randomized", random_state=state).fit_transform(values)
        points = TSNE(init="pca", perplexity=perplexity, random_state=state).fit_transform(values.astype(np.float32))
    method = f"t-SNE after PCA to {COMPONENTS}" if reduced else "t-SNE"
    return points.astype(np.float32), method, perplexity


def _unit_scale(values: np.ndarray) -> np.ndarray:
    """Centred and of largest entry 1: the picture does not depend on the scale, and float32 squares do not overflow."""
    values = values / np.abs(values).max()  # first, or the mean of huge values would overflow
    values = values - values.mean(axis=0)
    return values / np.abs(values).max()


def _representations(plan: Plan, x: Tensor, streams: SeedStreams) -> Iterator[tuple[str, np.ndarray]]:
    """The raw rows and every module's output, flattened; one place in memory at a time beside the one before it."""
    yield "raw data", _flat(x)
    values = x
    for module in plan:
        with torch.no_grad(), evaluating(plan), streams.as_global("embedding", device=x.device):
            pairs = zip(values.split(_CHUNK), x.split(_CHUNK), strict=True)
            try:
                values = torch.cat([module(part, raw) for part, raw in pairs])
            except Exception as error:  # whatever its layers raise
                got = f"shape {tuple(values.shape)}, {values.dtype}: {error}".splitlines()[0]
                raise ValueError(f"{_WHERE}: module {module.name!r} does not run on inputs of {got}") from error
        yield module.name, _flat(values)


def _graph_representations(
    plan: Plan, pieces: list[tuple[Any, Tensor]], streams: SeedStreams
) -> Iterator[tuple[str, np.ndarray]]:
    """The same of graphs (means over their nodes) or of nodes; all places in memory at once, as they take one pass."""
    with torch.no_grad(), evaluating(plan), streams.as_global("embedding", device=pieces[0][0].device):
        found = [_of_graphs(plan, x, kept) for x, kept in pieces]
    for number, name in enumerate(["raw data", *(module.name for module in plan)]):
        yield name, _flat(torch.cat([places[number] for places in found]))


def _of_graphs(plan: Plan, x: Any, kept: Tensor) -> list[Tensor]:
    """Rows of the raw data and of every module's output."""
    if isinstance(x, NodeSamples):
        places: list[Any] = [x.graph.x, *plan.outputs(x.graph)]
        return [values[kept] for values in places]
    parts = []
    for rows in kept.split(_CHUNK):
        batch = x[rows]
        graph = structure_of(batch)
        values = (batch.x, *plan.outputs(batch))
        parts.append([rows if len(rows) == graph.num_graphs else graph.mean(rows) for rows in values])
    return [torch.cat(values) for values in zip(*parts, strict=True)]


def _flat(values: Tensor) -> np.ndarray:
    values = values.detach().flatten(1) if values.ndim > 1 else values.detach()[:, None]
    return values.cpu().to(torch.float64).numpy()


def _chosen(
    splits: Mapping[str, tuple[Any, Any]], num_samples: int, seed: int
) -> tuple[list[tuple[Any, Tensor]], np.ndarray, np.ndarray]:
    """Inputs and chosen rows of each split; of all splits one after the other, the rows' classes and split names."""
    for pair in splits.values() if isinstance(splits, Mapping) else [None]:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise TypeError(f"{_WHERE}: splits must be a dict of pairs (x, y), got {shown(splits)}.")
    if not splits:
        raise ValueError(f"{_WHERE}: splits must name at least one split.")
    if num_samples < len(splits):
        count = len(splits)
        raise ValueError(f"{_WHERE}: num_samples must be at least the number of splits, {count}, got {num_samples}.")
    pieces, labels, names = [], [], []
    for place, (name, (x, y)) in enumerate(splits.items()):
        classes = _classes(name, x, y)
        share = num_samples // len(splits) + (place < num_samples % len(splits))
        own = (classes >= 0).nonzero()[0] if isinstance(x, NodeSamples) and y is not None else np.arange(len(classes))
        kept = own[stratified(classes[own], share, np.random.default_rng(derive_seed(seed, "embedding rows", place)))]
        pieces.append((x, torch.from_numpy(kept).to(x.device)))
        labels.append(classes[kept])
        names += [name] * len(kept)
    return pieces, np.concatenate(labels), np.array(names)


def _classes(name: str, x: Any, y: Tensor | None) -> np.ndarray:
    if len(x) == 0:
        raise ValueError(f"{_WHERE}: split {name!r} must have rows, got none.")
    if y is None:
        return np.full(len(x), -1)
    y = as_tensor(y, where=_WHERE, name=f"the classes of {name!r}")
    same: Any = y if is_graph_samples(x) and len(x) == len(y) else x
    check_paired(same, y, where=f"{_WHERE}, split {name!r}")
    if not is_discrete(y) or y.ndim != 1:
        got = f"{y.dtype} of shape {tuple(y.shape)}"
        raise TypeError(f"{_WHERE}: the classes of {name!r} must be one integer a row, or None, got {got}.")
    return y.cpu().numpy().astype(np.int64)


def stratified(classes: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Numbers of `count` random rows (all of them where there are fewer), each class in its share to within one row.

    Args:
        classes: (n,) integers.
        count: how many rows.
        generator: decides which.

    Returns:
        Row numbers, ascending.

    Example:
        >>> classes = np.array([0] * 90 + [1] * 10)
        >>> np.bincount(classes[stratified(classes, 20, np.random.default_rng(0))]).tolist()
        [18, 2]
    """
    n = len(classes)
    shuffled = generator.permutation(n)
    grouped = shuffled[np.argsort(classes[shuffled], kind="stable")]
    # Evenly spaced over rows that stand class by class.
    steps = (np.arange(min(count, n)) * 2 + 1) * n // (2 * min(count, n))
    return np.sort(grouped[steps])
