"""Makers of valid arguments of public functions and classes: small, made anew each time."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import infotorch as it
from infotorch.data.graphs import GraphStructure
from infotorch.objectives.base import LocalBatch

N = 16
#: Objectives that need grids of an image, and objectives on graphs.
IMAGES = {"DeepInfoMax", "GreedyInfoMax", "InfoPro"}
GRAPHS = {"DeepGraphInfomax", "GraphForwardForward", "GraphRenyiInformation", "GraphicalInformation", "InfoGraph"}
GRAPHS |= {"NodeInformation"}


def rows(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(n: int = N) -> Tensor:
    """Two classes in turn."""
    return torch.arange(n) % 2


def seeded() -> torch.Generator:
    """A generator."""
    return torch.Generator().manual_seed(0)


class Small(nn.Module):
    """A model of a user's: two layers on three columns, two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        return self.last(self.relu(self.first(x)))


def small() -> Small:
    """With weights that are always the same; torch's own generator stays as it is."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Small()


def data() -> tuple[Tensor, Tensor]:
    """Samples and classes for `Small`."""
    return rows(2 * N, 3), labels(2 * N)


def sgd(model: nn.Module | None = None) -> torch.optim.Optimizer:
    """An optimizer with one group of parameters."""
    return torch.optim.SGD((model or small()).parameters(), lr=0.1)


def make_sgd(parameters: Any) -> torch.optim.Optimizer:
    """What makes an optimizer."""
    return torch.optim.SGD(parameters, lr=0.1)


def plan(order: str = "simultaneous") -> it.Plan:
    """Two modules of `Small`."""
    made = it.Plan.layerwise(small(), ["last"], ["Y", "CE"], order=order, optimizer=make_sgd)
    made.prepare(batches(), epochs=1, seed=0)
    return made


def batches() -> it.TensorBatches:
    """Batches for `Small`."""
    return it.TensorBatches(*data(), batch_size=8)


def graph() -> Any:
    """A path of four nodes with three features."""
    from torch_geometric.data import Data

    ends = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    return Data(x=rows(4, 3), edge_index=ends)


def graph_set() -> Any:
    """Two graphs of two nodes."""
    edges, of_graph = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), torch.tensor([0, 0, 1, 1])
    parts = (torch.tensor([0]), torch.tensor([1]), torch.tensor([1]))
    return it.data.GraphSet("toy", torch.eye(4), edges, of_graph, None, torch.tensor([0, 1]), *parts, num_classes=2)


def batch_of(objective: str = "") -> LocalBatch:
    """What a module sees, of the kind that an objective takes."""
    y = labels()
    if objective in GRAPHS:
        places = torch.arange(N)
        edges = torch.cat([torch.stack([places, places ^ 1]), torch.stack([places, places ^ 2])], dim=1)
        structure, x = GraphStructure(edges, places // 4, 4), rows(N, 5)
        x[:, -2:] = 0.0  # free for a label
        encode = lambda x: x[:, :4] * 2  # noqa: E731
        return LocalBatch(
            x, x, encode(x).requires_grad_(), y[: 4 if objective == "InfoGraph" else N], encode=encode, graph=structure
        )
    if objective in IMAGES:
        x = rows(N, 1, 8, 8)
        return LocalBatch(
            x, x, (x.expand(-1, 3, -1, -1) * 2).requires_grad_(), y, encode=lambda x: x.expand(-1, 3, -1, -1) * 2
        )
    x = rows(N, 6)
    if objective == "SquaredError":
        return LocalBatch(x, x, (2 * x[:, :4]).requires_grad_(), rows(N, 4, seed=1))
    return LocalBatch(x, x, (2 * x[:, :4]).requires_grad_(), y, encode=lambda x: x[:, :4] * 2)


@functools.cache
def diagnosis() -> it.Diagnosis:
    """A diagnosis, made once."""
    return it.diagnose(small(), data(), layers=["last"])


@functools.cache
def scratch() -> Path:
    """A folder to write in."""
    return Path(tempfile.mkdtemp(prefix="calls-"))


def split_of() -> it.Split:
    """Four samples."""
    return it.Split(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))


def stateful() -> list[Any]:
    """What `InformationStopping` remembers and puts back."""
    return [small()]


def schedule(cls: Callable[..., Any], **more: Any) -> Any:
    """A schedule of one group."""
    return cls(sgd(), **more)


def an_epoch() -> dict[str, float]:
    return {"loss": 0.5}


def quantised() -> it.Objective:
    objective = it.objectives.QuantisedBottleneck(beta=0.1, compression=it.networks.Quantiser(3))
    batch = batch_of()
    objective.build(batch, batch.y)
    return objective


GRAPH_SET = ("node_features", "edge_index", "graph_index", "edge_features", "y", "train", "validation", "test")


def part_of_set(name: str) -> object:
    return getattr(graph_set(), name)


def built(name: str, **settings: Any) -> it.Objective:
    objective, batch = getattr(it.objectives, name)(**settings), batch_of(name)
    objective.build(batch, batch.y)
    return objective


def several(cls: type) -> it.Objective:
    critic = it.objectives.CriticInformation(of="x", hidden=(4,), critic_steps=1)
    objective, batch = cls([critic, it.objectives.ReadoutInformation()]), batch_of()
    objective.build(batch, batch.y)
    return objective


def through() -> it.Objective:
    critic = it.objectives.CriticInformation(of="x", hidden=(4,), critic_steps=1)
    objective, batch = it.objectives.ThroughAuxiliary(critic, linear(4, 3)), batch_of()
    objective.build(batch, batch.y)
    return objective


def anneal() -> Any:
    return it.InformationAnneal(sgd(), lr_top=0.1, lr_min=0.001, epochs=5, ceiling=1.0)


def decay() -> Any:
    given = {"lr_min": 0.001, "lr_max": 0.1, "lr_top": 0.05, "threshold": 0.05, "ceiling": 1.0, "epochs": 5}
    return it.MutualInformationDecay(sgd(), **given)


@functools.cache
def ranged() -> nn.Module:
    return small()


def halves() -> it.ProximalSplit:
    given = {"forward_optimizer": make_sgd, "backward_optimizer": make_sgd}
    return it.ProximalSplit(linear(3, 4), linear(4, 2), step_size=0.1, **given)


@functools.cache
def pictures() -> tuple[Path, tuple[Path, ...]]:
    """A folder of two classes of three pictures each."""
    from PIL import Image

    folder, paths = scratch() / "pictures", []
    for kind in ("cats", "dogs"):
        (folder / kind).mkdir(parents=True)
        for number in range(6):
            paths.append(folder / kind / f"{number}.png")
            Image.fromarray(np.full((6, 6, 3), 20 * number, dtype=np.uint8)).save(paths[-1])
    return folder, tuple(paths)


def linear(inputs: int, outputs: int) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(inputs, outputs)


def make_for_beta(beta: float) -> tuple[nn.Module, it.Objective]:
    return small(), it.InformationBottleneck(beta=beta, noise_std=0.5)


def mean_square(output: Tensor) -> Tensor:
    return output.square().mean()


def nuisance(x: Tensor) -> Tensor:
    return (x[:, 0] > 0).long()


def first_columns(x: Tensor) -> Tensor:
    return x[:, :2]


def fitted(name: str) -> object:
    """An estimator of scikit-learn's kind, fitted."""
    made = getattr(it.sklearn, name)
    settings = {} if name == "MutualInformationSelector" else {"hidden_layer_sizes": (4,), "epochs": 1}
    return made(**settings).fit(rows(N, 2).numpy(), labels().numpy())
