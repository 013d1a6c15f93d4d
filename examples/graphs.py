"""Many graphs with a class each: a graph isomorphism network (GIN) on the molecules of Mutagenicity.

Run: python examples/graphs.py; needs torch_geometric (pip install 'infotorch[graph]') and the files of Mutagenicity.
"""

import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINConv, global_mean_pool

import infotorch

try:
    loaded = infotorch.load("mutagenicity")
except FileNotFoundError as missing:
    raise SystemExit(str(missing)) from None


def graphs_of(numbers):
    """Molecules as torch_geometric holds them, as a data set of one's own would come: atoms, bonds, class."""
    of_bond, found = loaded.graph_index[loaded.edge_index[0]], []
    for number in numbers.tolist():
        atoms = (loaded.graph_index == number).nonzero().flatten()
        bonds = loaded.edge_index[:, of_bond == number] - atoms[0]
        found.append(Data(x=loaded.node_features[atoms], edge_index=bonds, y=loaded.y[number]))
    return found


class Network(nn.Module):
    """An embedding of the atoms, two message-passing layers, the mean over the atoms, and two linear layers."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Sequential(nn.Linear(loaded.node_features.shape[1], 64), nn.BatchNorm1d(64), nn.ReLU())
        self.first, self.second = self.layer(), self.layer()
        self.out = nn.Linear(64, loaded.num_classes)

    def layer(self):
        """Sums over neighbours, through a perceptron."""
        return GINConv(nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()))

    def forward(self, data):
        """Molecules -> class scores (g, classes)."""
        hidden = self.first(self.embedding(data.x), data.edge_index)
        hidden = self.second(hidden, data.edge_index)
        return self.out(global_mean_pool(hidden, data.batch))


def make_model():
    """The same initial weights for every row of the comparison."""
    torch.manual_seed(0)
    return Network()


def accuracy(model):
    """On the test molecules."""
    with torch.no_grad():
        scores = model.eval()(test)
    return (scores.argmax(dim=1) == test.y).float().mean()


learn, test = graphs_of(loaded.train), Batch.from_data_list(graphs_of(loaded.test))

# infotorch, from here ...
model = make_model()
settings = {"epochs": 5, "batch_size": 64, "lr": 5e-3}
infotorch.fit(model, learn, plan="X:infograph,Y,Y,CE", cuts=("first", "second", "out"), **settings)
print(f"module by module  {accuracy(model):.3f}", flush=True)
# ... to here

model = make_model()
infotorch.fit(model, learn, plan="CE", cuts=(), **settings)
print(f"back-propagation  {accuracy(model):.3f}", flush=True)
model = make_model()
infotorch.fit(model, learn, plan="frozen,CE", cuts=("out",), **settings | {"lr": 0.03})
print(f"frozen features   {accuracy(model):.3f}", flush=True)
