"""Small trainings that one process and several run alike: `python in_processes.py OUT [NAME ...]`, also under torchrun.

Every case trains in float64 for 50 steps or more, with a last batch of an odd number of rows; OUT-<rank>.pt then has
its weights, losses and what its objectives learned.
"""

import os
import sys
from functools import partial

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv, global_mean_pool

from infotorch import Plan
from infotorch.data.batches import TensorBatches
from infotorch.networks import Recomputed
from infotorch.networks.noise import GaussianNoise
from infotorch.networks.stochastic import GaussianLayer, SampleMean
from infotorch.objectives import VariationalBottleneck
from infotorch.objectives.names import objective_from_name
from infotorch.objectives.registry import REGISTRY
from infotorch.training.loop import train

OPTIONS = {
    name: {"hidden": (8,)}
    for name in ("X:infonce", "X:mine", "X:nwj", "X:jsd", "Y:infonce", "Y:mine", "Y:nwj", "Y:jsd", "X:dim")
}
ROWS, BATCH = 65, 15  # of two processes one has a row more, and the last batch is shorter


def rows(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def data(kind):
    x = rows(ROWS, 1, 8, 8) if kind == "images" else rows(ROWS, 6)
    return x, torch.arange(ROWS) % 3


def sgd(parameters, lr=0.01):
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


#: HSIC's ratio of small numbers makes ten million times as much of a last digit in fifty steps at the others' rate.
RATES = {"Y:hsic": 0.001}


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3)


def network(kind):
    torch.manual_seed(1)
    if kind == "images":
        first = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.2))
        return nn.Sequential(
            first, nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU()), nn.Sequential(nn.Flatten(), nn.Linear(80, 3))
        )
    first = nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
    return nn.Sequential(first, nn.Sequential(nn.Linear(8, 6), nn.Tanh(), GaussianNoise(0.1)), nn.Linear(6, 3))


def objective_case(name, **settings):
    kind = "images" if REGISTRY[name].needs == "images" else "vectors"
    asked = objective_from_name(name, {name: OPTIONS.get(name, {})})
    names = (None, None, asked) if name in {"CE", "X:squared-error"} else (asked, None, None)
    if name == "X:squared-error":
        model = network("vectors")
        model[2] = nn.Linear(6, 6)
    else:
        model = network(kind)
    return Plan.layerwise(
        model.double(), ("1", "2"), names, optimizer=partial(sgd, lr=RATES.get(name, 0.01)), **settings
    ), data(kind)


def plan_case(**settings):
    return Plan.layerwise(network("vectors").double(), ("1", "2"), "Y:supcon,X:infonce,CE", **settings), data("vectors")


def penalty_case():
    """A layer within the module is looked at, and draws three times for each sample."""
    torch.manual_seed(1)
    layer = GaussianLayer(8, 6, draws=3, evaluation_draws=3)
    model = nn.Sequential(nn.Linear(6, 8), layer, nn.Linear(6, 3), SampleMean(3, 3))
    objective = VariationalBottleneck(layer=layer, beta=0.1)
    return Plan.end_to_end(model.double(), objective, optimizer=sgd), data("vectors")


def proximal_case(order, **settings):
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(6, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 6), nn.Dropout(0.2), nn.Tanh(), nn.Linear(6, 3)
    )
    settings = {"at": "3", "optimizer": sgd, "step_size": 0.1} | settings
    return Plan.proximal(model.double(), order=order, **settings), data("vectors")


class Pool(nn.Module):
    def forward(self, hidden, batch):
        return global_mean_pool(hidden, batch)


class GraphNetwork(nn.Module):
    """A graph convolution with batch norm and dropout, the mean over nodes if wanted, and a linear module."""

    def __init__(self, *, of_graphs):
        super().__init__()
        self.conv, self.norm, self.drop = GCNConv(9, 4), nn.BatchNorm1d(4), nn.Dropout(0.2)
        self.pool, self.out, self.of_graphs = Pool(), nn.Linear(4, 3), of_graphs

    def forward(self, x, edge_index, batch):
        hidden = self.drop(self.norm(self.conv(x, edge_index)).relu())
        return self.out(self.pool(hidden, batch) if self.of_graphs else hidden)


def graph_case(name, *, of_graphs):
    """A graph convolution that `name` trains, and an output module; rings of several sizes, or one graph."""
    torch.manual_seed(1)
    sizes = (5, 3, 7, 4, 6, 3, 8) if of_graphs else (20,)
    graphs = []
    for number, size in enumerate(sizes):
        around = torch.arange(size)
        edges = torch.cat([torch.stack([around, around.roll(1)]), torch.stack([around.roll(1), around])], dim=1)
        labels = torch.tensor([number % 3]) if of_graphs else around % 3
        features = torch.cat([rows(20, 6)[:size] + number, rows(20, 3)[:size] * 0], dim=1)  # the last are for labels
        graphs.append(Data(x=features, edge_index=edges, y=labels))
    model = GraphNetwork(of_graphs=of_graphs).double()
    plan = Plan.layerwise(model, ("out",), (objective_from_name(name), "CE"), optimizer=sgd)
    return plan, graphs if of_graphs else graphs[0]


def proximal_graph_case():
    _, graph = graph_case("Y", of_graphs=False)
    torch.manual_seed(1)
    network = GraphNetwork(of_graphs=False).double()
    return Plan.proximal(network, order="hybrid", at="out", optimizer=sgd, step_size=0.1), graph


class Experts(nn.Module):
    """Each row goes to one of many layers, so that some processes' rows do not meet some of the weights."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(20))
        self.register_buffer("used", torch.ones(6, dtype=torch.bool))  # of a type that gloo does not know

    def forward(self, x):
        chosen, output = (7 * x[:, 0].abs()).long() % 20, x
        for number in chosen.unique().tolist():
            rows = (chosen == number).nonzero().flatten()
            output = output.index_add(0, rows, self.layers[number](x[rows]))
        return output * self.used


def experts_case():
    torch.manual_seed(1)
    model = nn.Sequential(Experts(), nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 3)))
    return Plan.layerwise(model.double(), ("1",), "Y,CE", optimizer=adam), data("vectors")


def normed_experts_case():
    torch.manual_seed(1)
    experts = Experts()
    experts.layers = nn.ModuleList(nn.Sequential(layer, nn.BatchNorm1d(6)) for layer in experts.layers)
    return Plan.layerwise(nn.Sequential(experts, nn.Linear(6, 3)).double(), ("1",), "Y,CE", optimizer=sgd), data(
        "vectors"
    )


class WordExperts(Experts):
    """Each row goes to one of many tables of vectors, whose gradients are sparse; the last one's row has none."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Embedding(6, 6, sparse=True, padding_idx=5) for _ in range(20))

    def forward(self, x):
        chosen, output = (7 * x[:, 0].abs()).long() % 20, x
        for number in chosen.unique().tolist():
            rows = (chosen == number).nonzero().flatten()
            output = output.index_add(0, rows, self.layers[number]((5 * x[rows, 1].abs()).long() % 6))
        return output


def word_experts_case():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Sequential(WordExperts(), nn.Linear(6, 6)), nn.Linear(6, 3)).double()
    return Plan.layerwise(model, ("1",), "Y,CE", optimizer=partial(torch.optim.SGD, lr=0.1)), data("vectors")


def recomputed_case():
    """Batch norm and dropout that run again in the backward pass."""
    torch.manual_seed(1)
    block = Recomputed(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3)))
    model = nn.Sequential(nn.Sequential(block, nn.Conv2d(4, 4, 1)), nn.Sequential(nn.Flatten(), nn.Linear(144, 3)))
    return Plan.layerwise(model.double(), ("1",), "Y,CE", optimizer=sgd), data("images")


class Rerun(nn.Module):
    """A layer that torch runs again in the backward pass."""

    def __init__(self, layer):
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(6, 6), layer)

    def forward(self, x):
        return checkpoint(self.layer, x, use_reentrant=False)


def rerun_case(layer):
    torch.manual_seed(1)
    return Plan.end_to_end(nn.Sequential(Rerun(layer), nn.Linear(6, 3)).double(), optimizer=sgd), data("vectors")


def resumed_case():
    """A checkpoint that one process alone has loaded."""
    plan, given = plan_case(optimizer=adam)
    plan.prepare(given, batch_size=BATCH, epochs=10, seed=5)
    if int(os.environ["RANK"]) == 0:
        for parameter in plan[0].parameters():
            parameter.grad = torch.ones_like(parameter)
        plan[0].update.apply()
    return plan, given


def another_order_case():
    return plan_case(optimizer=sgd, order="sequential" if int(os.environ["RANK"]) else "simultaneous")


def triangle(optimizer, steps):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)


GRAPHS = [name for name, registered in REGISTRY.items() if registered.needs == "graphs"]
#: Of these, what needs several graphs, and what takes outputs of graphs or of nodes.
POOLED, EITHER = ("X:infograph",), ("X:graph-renyi", "Y:graph-forward-forward")
CASES = {
    **{name: partial(objective_case, name) for name in REGISTRY if name not in GRAPHS},
    "simultaneous": partial(plan_case, optimizer=adam, order="simultaneous"),
    "crossing": partial(plan_case, optimizer=adam, order="simultaneous", isolated=False),
    "schedule": partial(plan_case, optimizer=sgd, scheduler=triangle),
    "penalty": penalty_case,
    "adam": partial(plan_case, optimizer=adam),
    "micro-batches": partial(plan_case, optimizer=adam, order="simultaneous"),
    "after": partial(plan_case, optimizer=adam, order="simultaneous"),
    **{f"proximal {order}": partial(proximal_case, order) for order in (1, 2, "hybrid", "whole")},
    "proximal after": partial(proximal_case, "hybrid", handoff="after", max_norm=1.0, penalty="huber"),
    "experts": experts_case,
    "experts with sparse gradients": word_experts_case,
    "recomputed": recomputed_case,
    "proximal chain": partial(proximal_case, "hybrid", at=("3", "6"), step_size=(0.1, 0.1)),
}  # fmt: skip
OF_GRAPHS = {
    **{f"{name} of nodes": partial(graph_case, name, of_graphs=False) for name in ("Y", *GRAPHS) if name not in POOLED},
    **{f"{name} of graphs": partial(graph_case, name, of_graphs=True) for name in ("Y", *POOLED, *EITHER)},
    "proximal of nodes": proximal_graph_case,
}
#: What several processes refuse.
REFUSED = {
    "other batches": partial(plan_case, optimizer=sgd),
    "another seed": partial(plan_case, optimizer=sgd),
    "another order": another_order_case,
    "resumed in one": resumed_case,
    "experts with norms": normed_experts_case,
    "dropout again": partial(rerun_case, nn.Dropout(0.5)),
    "norm again": partial(rerun_case, nn.BatchNorm1d(6)),
}
TRAINING = {"micro-batches": {"micro_batches": 3}, "after": {"handoff": "after"}}


def run(name, fabric):
    plan, given = (CASES | OF_GRAPHS | REFUSED)[name]()
    seed = fabric.global_rank if name == "other batches" else 3
    batches = TensorBatches(*given, batch_size=BATCH, seed=seed) if isinstance(given, tuple) else given
    losses, seed = [], 5 + (fabric.global_rank if name == "another seed" else 0)
    settings = {"epochs": 10} | TRAINING.get(name, {})
    if not isinstance(given, tuple):
        settings = {"epochs": 20, "batch_size": 3} if isinstance(given, list) else {"epochs": 50}
    for info in train(plan, batches, seed=seed, fabric=fabric, **settings):
        losses += [loss.total.double() for loss in info.losses.values()]
        assert info.diverged is None, name
    state = [value for value in _leaves(plan.state_dict()) if isinstance(value, torch.Tensor)]
    return {"losses": torch.stack(losses), "state": state}


def _leaves(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def main(out, *names):
    size = int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=size, precision="64-true")
    fabric.launch()
    found = {}
    for name in names or CASES:
        try:
            found[name] = run(name, fabric)
        except (ValueError, TypeError, RuntimeError) as error:
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    torch.save(found, f"{out}-{fabric.global_rank}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
