"""A convolutional network whose convolutions learn without labels; the loop as a generator."""

import torch
from torch import nn

import infotorch
from infotorch import Plan, TensorBatches, train

data = infotorch.load("digits")


def make_model():
    """The same initial weights for every row of the comparison."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU()),
        nn.Linear(32, 10),
    )


def adam(parameters, lr=3e-3):
    """The same optimiser for every row."""
    return torch.optim.Adam(parameters, lr=lr)


def accuracy(model):
    """On the test images."""
    return (model.eval()(data.test.x).argmax(dim=1) == data.test.y).float().mean()


# infotorch, from here ...
batches = TensorBatches(data.train.x, data.train.y, batch_size=64)
model = make_model()
plan = Plan.layerwise(model, objectives="X:views,X:views,Y,CE", optimizer=adam)
for info in train(plan, batches, epochs=6):
    if info.ends_stage:
        terms = [f"{name} {value:.2f}" for loss in info.losses.values() for name, value in loss.terms.items()]
        print(f"module {info.position.stage}: {', '.join(terms)}")
print(f"module by module  {accuracy(model):.3f}")
# ... to here

model = make_model()
for _ in train(Plan.end_to_end(model, optimizer=adam), batches, epochs=6):
    continue
print(f"back-propagation  {accuracy(model):.3f}")
model = make_model()
plan = Plan.layerwise(model, ("3",), "frozen,CE", optimizer=lambda p: adam(p, lr=0.3))  # convex: a high rate solves it
for _ in train(plan, batches, epochs=6):
    continue
print(f"frozen features   {accuracy(model):.3f}")
