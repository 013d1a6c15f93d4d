"""A proximal split in a plain PyTorch loop: a CNN and a small Transformer on the digits, each cut at a named layer."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

import infotorch

data = infotorch.load("digits")


class Tokens(nn.Module):
    """The rows of an image as tokens, each with a vector for its place: (b, 1, 8, 8) -> (b, 8, 32)."""

    def __init__(self):
        super().__init__()
        self.pixels, self.place = nn.Linear(8, 32), nn.Parameter(torch.zeros(8, 32))

    def forward(self, x):
        """See above."""
        return self.pixels(x.flatten(1, 2)) + self.place


class Mean(nn.Module):
    """The mean over the tokens."""

    def forward(self, x):
        """(b, tokens, d) -> (b, d)."""
        return x.mean(dim=1)


def cnn():
    """Two convolutions and two linear layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def transformer():
    """Two encoder blocks, whose attention ProximalSplit differentiates twice by itself."""
    torch.manual_seed(0)
    block = partial(nn.TransformerEncoderLayer, 32, 4, 64, dropout=0.0, activation="gelu", batch_first=True)
    return nn.Sequential(Tokens(), block(), block(), Mean(), nn.Linear(32, 10))


def accuracy(model):
    """On the validation rows."""
    with torch.no_grad():
        return (model.eval()(data.validation.x).argmax(dim=1) == data.validation.y).float().mean()


def batches(epochs):
    """The same mini-batches for every model."""
    for epoch in range(epochs):
        yield from ((batch.x, batch.y) for batch in steps.epoch(epoch))


steps = infotorch.TensorBatches(data.train.x, data.train.y, batch_size=64, seed=0)
adam = partial(torch.optim.Adam, lr=2e-3)

# The layer that the back half starts with: the first linear one, and the second block.
for name, make, at, epochs in (("CNN", cnn, "7", 8), ("Transformer", transformer, "2", 8)):
    model = make()
    optimizer = adam(model.parameters())
    for x, y in batches(epochs):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    print(f"{name}: back-propagation {accuracy(model):.3f}")

    for order in ("hybrid", 2):
        model = make()
        split = infotorch.ProximalSplit.at(
            model, at, order=order, step_size=1.0, forward_optimizer=adam, backward_optimizer=adam
        )
        for x, y in batches(epochs):
            info = split.step(x, lambda output, y=y: F.cross_entropy(output, y))
        print(f"{name}: order {order} {accuracy(model):.3f}, |dL/dz| {info.gradient_norm:.4f}, stalled {info.stalled}")
