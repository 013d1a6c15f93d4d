"""A perceptron on a table with columns of mixed types, trained module by module."""

import numpy as np
import torch
from torch import nn

import infotorch

# A table as a pandas DataFrame holds it: `table[name]` is a column. Who buys is known but for one label in twenty:
# nurses and teachers in the middle of life, and owners with another trade who are not.
rng = np.random.default_rng(0)
rows = 3000
table = {
    "age": rng.uniform(18, 80, rows),
    "income": rng.lognormal(10, 0.5, rows),
    "owner": rng.random(rows) < 0.5,
    "trade": rng.choice(["baker", "clerk", "nurse", "teacher"], rows),
    "city": rng.choice(["Basel", "Bern", "Chur", "Genf", "Thun"], rows),
}
middle, caring = abs(table["age"] - 45) < 15, np.isin(table["trade"], ["nurse", "teacher"])
buys = np.where(caring, middle, table["owner"] & ~middle) ^ (rng.random(rows) < 0.05)


def as_array(column):
    """Numbers standardised, words and truth values one column for each value."""
    if column.dtype.kind == "f":
        return ((column - column.mean()) / column.std())[:, None]
    return (column[:, None] == np.unique(column)).astype(float)


def make_model():
    """The same initial weights for every row of the comparison."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))


def accuracy(model):
    """On the last 1000 rows, which no model was trained on."""
    return (model(x[-1000:]).argmax(dim=1) == y[-1000:]).float().mean()


x = torch.tensor(np.hstack([as_array(column) for column in table.values()]), dtype=torch.float32)
y = torch.tensor(buys).long()
learn = (x[:-1000], y[:-1000])

# infotorch, from here ...
model = make_model()
settings = {"epochs": 20, "batch_size": 64, "lr": 3e-3}
result = infotorch.fit(model, learn, plan="Y,Y,CE", **settings)
print(f"module by module  {accuracy(model):.3f}   (0.95 is the best possible)")
print(f"I(Y; T) in training >= {result.metrics['0/mi_ty_nats']:.2f}, {result.metrics['2/mi_ty_nats']:.2f} nats")
# ... to here

model = make_model()
infotorch.fit(model, learn, plan="CE", cuts=(), **settings)
print(f"back-propagation  {accuracy(model):.3f}")
model = make_model()
infotorch.fit(model, learn, plan="frozen,CE", cuts=("4",), **settings | {"lr": 0.3})  # convex: a high rate solves it
print(f"frozen features   {accuracy(model):.3f}")
