"""Small networks in two halves, one for each kind of bottleneck, and what the tests of proximal splitting share."""

import copy
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from infotorch.updates.proximal import ProximalSplit

SGD = partial(torch.optim.SGD, lr=0.1)


class Noisy(nn.Module):
    """(mu, sigma) -> mu + sigma eps, decoded."""

    def __init__(self):
        super().__init__()
        self.decode = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 5))

    def forward(self, z):
        mu, sigma = z
        return self.decode(mu + sigma * torch.randn_like(mu))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mu, self.sigma = nn.Linear(5, 6), nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        hidden = self.body(x).tanh()
        return self.mu(hidden), self.sigma(hidden)


class AsDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(5, 3), nn.Linear(5, 2)

    def forward(self, x):
        return {"left": self.left(x).tanh(), "right": self.right(x), "rows": torch.arange(len(x))}


class FromDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 5))

    def forward(self, z):
        return self.out(torch.cat([z["left"], z["right"]], dim=1)[z["rows"]])


def transformer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu")
    return nn.Sequential(
        nn.Linear(5, 8), nn.Unflatten(1, (2, 4)), nn.Linear(4, 8), copy.deepcopy(layer)
    ), nn.Sequential(layer, nn.Flatten(), nn.Linear(16, 5))


def convolutions():
    f = nn.Sequential(nn.Unflatten(1, (1, 1, 5)), nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    return f, nn.Sequential(
        nn.Conv2d(4, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(15, 8), nn.ReLU(), nn.Linear(8, 5)
    )


HALVES = {
    "mlp": lambda: (
        nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4)),
        nn.Sequential(nn.Sigmoid(), nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5)),
    ),
    "cnn": convolutions,
    "vae": lambda: (Encoder(), Noisy()),
    "transformer": transformer,
    "dict": lambda: (AsDict(), FromDict()),
    "batch-norm-and-dropout": lambda: (
        nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Dropout(0.3)),
        nn.Sequential(nn.Linear(7, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 5)),
    ),
}


def halves(kind, seed=0):
    torch.manual_seed(seed)
    f, g = HALVES[kind]()
    return f.double(), g.double()


def batch(seed=1, rows=12):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    return x, torch.randint(5, (rows,), generator=generator)


def loss_of(y):
    return lambda output: functional.cross_entropy(output, y)


def gradients(modules):
    return [p.grad.clone() for module in modules for p in module.parameters() if p.grad is not None]


def split_of(f, g, **options):
    settings = {"order": 2, "step_size": 0.7, "forward_optimizer": SGD, "backward_optimizer": SGD} | options
    return ProximalSplit(f, g, **settings)


def assert_close(found, expected, tolerance=1e-9):
    assert len(found) == len(expected)
    # of the largest entry: a bias before batch norm has a gradient of nothing but rounding
    scale = max(b.abs().max() for b in expected)
    for a, b in zip(found, expected, strict=True):
        assert ((a - b).abs().max() / scale).item() < tolerance
