"""The nodes of one graph: attention (GAT) and GraphSAGE on the citations of Cora, 140 papers of 2,708 with a label.

Run: python examples/nodes.py; needs torch_geometric (pip install 'infotorch[graph]') and the files of Cora.
"""

import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GATConv, SAGEConv

import infotorch

try:
    cora = infotorch.load("cora")
except FileNotFoundError as missing:
    raise SystemExit(str(missing)) from None

graph = Data(x=cora.x, edge_index=cora.edge_index, y=cora.y)
graph.train_mask = torch.zeros(len(cora.y), dtype=torch.bool).index_fill(0, cora.train, True)  # classes that are known


class Network(nn.Module):
    """Two layers on the graph and a linear one."""

    def __init__(self, layer):
        super().__init__()
        self.first, self.second = layer(cora.x.shape[1], 64), layer(64, 64)
        self.out = nn.Linear(64, cora.num_classes)

    def forward(self, x, edge_index):
        """Features of all nodes (n, d) -> class scores (n, classes)."""
        hidden = self.first(x, edge_index).relu()
        return self.out(self.second(hidden, edge_index).relu())


def make_model(layer):
    """The same initial weights for every row of the comparison."""
    torch.manual_seed(0)
    return Network(layer)


def report(name, model):
    """Accuracy on the test papers."""
    with torch.no_grad():
        right = model.eval()(graph.x, graph.edge_index).argmax(dim=1) == cora.y
    print(f"{name:<32} {right[cora.test].float().mean():.3f}", flush=True)


settings = {"epochs": 25, "lr": 1e-2}
# infotorch, from here ...
for name, layer in (("module by module", GATConv), ("the same with GraphSAGE", SAGEConv)):
    model = make_model(layer)
    infotorch.fit(model, graph, plan="X:gmi,Y,CE", **settings)
    report(name, model)
# ... to here

model = make_model(GATConv)
infotorch.fit(model, graph, plan="CE", cuts=(), **settings)
report("back-propagation", model)
model = make_model(GATConv)
infotorch.fit(model, graph, plan="frozen,CE", cuts=("out",), **settings | {"lr": 0.1})
report("frozen features", model)
