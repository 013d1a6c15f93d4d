"""Two small tasks on graphs, and networks of two modules whose first one the objective under test trains."""

import pytest
import torch
from torch import nn

from infotorch import fit
from infotorch.objectives.names import objective_from_name


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def communities(*, seed=0, classes=0):
    """One graph of 240 nodes in three communities, which two weak columns of twelve tell; twelve labels.

    `classes` columns of zeros follow, for labels.
    """
    pyg = pytest.importorskip("torch_geometric.data")
    generator, y = seeded(seed), torch.arange(240) % 3
    joined = torch.rand(240, 240, generator=generator) < torch.where(y[:, None] == y, 0.06, 0.003)
    edges = (joined.triu(1) | joined.triu(1).T).nonzero().T
    corners = torch.tensor([[1.0, 0.0], [-0.5, 0.87], [-0.5, -0.87]])
    signal = 1.5 * corners[y] + torch.randn(240, 2, generator=generator)
    noise = 1.5 * torch.randn(240, 10, generator=generator)
    x = torch.cat([signal, noise, torch.zeros(240, classes)], dim=1)
    return pyg.Data(x=x, edge_index=edges), y


def molecules(*, seed=0, classes=0, count=120):
    """Rings of 3 to 9 nodes of two classes: one column leans a little to the class, seven are noise of every node."""
    pyg = pytest.importorskip("torch_geometric.data")
    generator, graphs = seeded(seed), []
    sizes = torch.randint(3, 10, (count,), generator=generator).tolist()
    for number, size in enumerate(sizes):
        around = torch.arange(size)
        edges = torch.cat([torch.stack([around, around.roll(1)]), torch.stack([around.roll(1), around])], dim=1)
        x = torch.cat([torch.randn(size, 8, generator=generator), torch.zeros(size, classes)], dim=1)
        x[:, 0] += 1.0 - 2.0 * (number % 2)
        graphs.append(pyg.Data(x=x, edge_index=edges))
    return graphs, torch.arange(count) % 2


class Readout(nn.Module):
    """The mean over the nodes of every graph."""

    def forward(self, hidden, batch):
        return pytest.importorskip("torch_geometric.nn").global_mean_pool(hidden, batch)


class Network(nn.Module):
    """A graph convolution, the mean over nodes where the task is one of graphs, and a linear output module."""

    def __init__(self, features, width, classes, *, of_graphs):
        super().__init__()
        layers = pytest.importorskip("torch_geometric.nn")
        self.conv, self.pool = layers.GCNConv(features, width), Readout()
        self.norm, self.out, self.of_graphs = nn.BatchNorm1d(width), nn.Linear(width, classes), of_graphs

    def forward(self, x, edge_index, batch):
        hidden = self.norm(self.conv(x, edge_index)).relu()
        return self.out(self.pool(hidden, batch) if self.of_graphs else hidden)


def trained(name, task, *, seed, width=2, epochs=40, lr=1e-2, cut="out", **settings):
    """The result of training (name, CE) on a task, and the accuracy on all nodes or on 120 other molecules.

    With the cut "pool" the first module of a task of graphs has an output for each node.
    """
    of_graphs = task is molecules
    free = (2 if of_graphs else 3) if "forward-forward" in name else 0
    graphs, y = task(seed=seed, classes=free)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Network(8 + free if of_graphs else 12 + free, width, 2 if of_graphs else 3, of_graphs=of_graphs)
    plan = [objective_from_name(name, {name: settings}), "CE"]
    known = y if of_graphs else torch.where(torch.arange(len(y)) < 12, y, -1)
    result = fit(model, (graphs, known), plan=plan, cuts=[cut], epochs=epochs, lr=lr, batch_size=40, seed=seed)
    return result, accuracy(model, *(task(seed=seed + 100, classes=free) if of_graphs else (graphs, y)))


def accuracy(model, graphs, y):
    """Of graphs, or of the nodes of one graph."""
    pyg = pytest.importorskip("torch_geometric.data")
    held = pyg.Batch.from_data_list(graphs) if isinstance(graphs, list) else graphs
    with torch.no_grad():
        scores = model.eval()(held.x, held.edge_index, held.batch)
    return float((scores.argmax(dim=1) == y).float().mean())
