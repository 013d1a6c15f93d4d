"""Small networks whose verdict is known by theory: (network, x, layer, verdict) by name."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.networks.noise import GaussianNoise, LogNormalNoise
from infotorch.networks.quantiser import Quantiser


class Apply(nn.Module):
    """A function as a layer of its own, as a user would write it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Functional(nn.Module):
    """Two layers whose activation stands in the forward alone."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 8)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.second(self.function(self.first(x))))


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class OutOfSight(torch.autograd.Function):
    """Rounds by numpy: no function of torch is called on x."""

    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(x.detach().numpy().round())

    @staticmethod
    def backward(ctx, grad):  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad


def gaussian(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def coins(*shape: int) -> Tensor:
    return (gaussian(*shape) > 0).float()


def mlp(*between: nn.Module, columns: int = 4) -> nn.Module:
    layers = [part for layer in between for part in (nn.Linear(columns, columns), layer)]
    return nn.Sequential(*layers)


def with_bias(network: nn.Module, value: float) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.constant_(layer.bias, value)
    return network


def trained(quantiser: Quantiser) -> Quantiser:
    quantiser.train()(gaussian(50, 8))
    return quantiser


def straight_through(x: Tensor) -> Tensor:
    return x + (x.sign() - x).detach()


def shared_noise(x: Tensor) -> Tensor:
    return x + torch.randn(len(x), 1, dtype=x.dtype)


def half_noisy(x: Tensor) -> Tensor:
    half = x.shape[1] // 2
    return torch.cat([x[:, :half], x[:, half:] + 0.1 * torch.randn_like(x[:, half:])], dim=1)


NORMAL, PIXELS, BITS = gaussian(300, 4), (gaussian(300, 1, 8, 8).sigmoid() * 255).round() / 255, coins(300, 12)
# Ink at 2 % to 60 % of the rows, as from an image's border to its middle.
SPARSE = PIXELS * (
    torch.rand(300, 64, generator=torch.Generator().manual_seed(1)) < torch.linspace(0.02, 0.6, 64)
).view(300, 1, 8, 8)
FEW_BITS, IMAGES, WORDS = coins(300, 3), gaussian(300, 1, 8, 8), torch.arange(300 * 5).reshape(300, 5) * 7 % 11

# Theorem 1: bi-Lipschitz, or continuously differentiable with a positive derivative.
_INCREASING = {
    "tanh": nn.Tanh(), "leaky relu": nn.LeakyReLU(), "sigmoid": nn.Sigmoid(), "softplus": nn.Softplus(),
    "elu": nn.ELU(), "prelu": nn.PReLU(), "batch norm": nn.BatchNorm1d(4), "dropout that is off": nn.Dropout(),
}  # fmt: skip
# Smooth, or smooth in pieces: some direction of T has a density.
_MOVING = {
    "relu with live units": nn.ReLU(), "relu in place": nn.ReLU(inplace=True), "gelu": nn.GELU(),
    "softmax": nn.Softmax(dim=1), "layer norm": nn.LayerNorm(4), "maximum of two": nn.MaxPool1d(2),
    "a function written by hand": Apply(lambda x: x / (1 + x.abs())), "residual": Residual(nn.Tanh()),
    "dropout that stays on": Apply(lambda x: F.dropout(x, 0.5, training=True)),
    "complex, a bijection": Apply(torch.fft.fft), "purely imaginary": Apply(lambda x: 1j * x),
    "a random mask": Apply(lambda x: x * (torch.rand_like(x) > 0.5)),
    "one noise for all columns": Apply(shared_noise),
    "noise that some rows lack": Apply(lambda x: x + (x[:, :1] + 1).relu() * torch.randn_like(x)),
    "noise that few rows lack": Apply(lambda x: x + (x[:, :1] > -1.8) * torch.randn_like(x)),
    "noise that each column lacks at few rows": Apply(lambda x: x + (x > -1.8) * torch.randn_like(x)),
    "noise on one side alone": Apply(lambda x: x + (x[:, :1] < 0) * torch.randn_like(x)),
    "noise below a floor that moves": Apply(lambda x: torch.maximum(x, torch.randn_like(x))),
    "noise in one column": Apply(lambda x: torch.cat([x[:, :1] + torch.randn_like(x[:, :1]), x[:, 1:]], dim=1)),
}  # fmt: skip
_STEPS = {
    "sign": Apply(torch.sign), "step": Apply(lambda x: (x > 0).to(x.dtype)),
    "quantiser": Apply(lambda x: (2 * x).round() / 2), "fine quantiser": Apply(lambda x: (200 * x).round() / 200),
    "argmax": Apply(lambda x: F.one_hot(x.argmax(1), 4).to(x.dtype)), "straight-through": Apply(straight_through),
    "rounding out of sight": Apply(OutOfSight.apply),
    "division that rounds": Apply(lambda x: torch.div(x, 0.5, rounding_mode="floor")),
    "integers in between": Apply(lambda x: (2 * x).to(torch.int64).to(x.dtype)),
}  # fmt: skip
_NOISY = {
    "gaussian noise": Apply(lambda x: x + torch.randn_like(x)),
    "gaussian dropout": Apply(lambda x: x * (1 + 0.5 * torch.randn_like(x))),
    "uniform noise": Apply(lambda x: x + torch.rand_like(x)),
    "sign of noise": Apply(lambda x: (x + torch.randn_like(x)).sign()),
    "a coin for each unit": Apply(lambda x: torch.bernoulli(x.sigmoid())),
    "gaussian noise behind dropout that stays on": Apply(
        lambda x: F.dropout(x, 0.5, training=True) + 0.1 * torch.randn_like(x)
    ),
}

# On inputs of few values: noise hides values by fixed odds, or blurs them.
_ON_BITS = {
    "dropout": (lambda x: F.dropout(x, 0.5, training=True), "piecewise-constant"),
    "a coin of its own": (lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)), "piecewise-constant"),
    "a mask by comparison": (lambda x: x * (torch.rand_like(x) > 0.5), "piecewise-constant"),
    "a dropped path": (lambda x: x * x.new_empty(len(x), 1).bernoulli_(0.5), "piecewise-constant"),
    "a coin by x": (lambda x: torch.bernoulli(x.sigmoid()), "finite"),
    "a coin by comparison with x": (lambda x: (torch.rand_like(x) < x.sigmoid()).to(x.dtype), "finite"),
    "a step behind noise": (lambda x: (x + torch.randn_like(x)).sign(), "finite"),
    "noise": (lambda x: x + torch.randn_like(x), "finite"),
}


def networks() -> dict[str, tuple[nn.Module, Tensor, str, str]]:
    """Name -> (network, x, layer, verdict)."""
    torch.manual_seed(0)
    found = {name: (mlp(layer, nn.Identity()), NORMAL, "3", "infinite") for name, layer in _INCREASING.items()}
    found |= {name: (nn.Sequential(nn.Linear(4, 4), layer), NORMAL, "1", "infinite") for name, layer in _MOVING.items()}
    found |= {name: (mlp(layer, nn.Tanh()), NORMAL, "3", "piecewise-constant") for name, layer in _STEPS.items()}
    found |= {name: (mlp(layer, nn.Tanh()), NORMAL, "3", "finite") for name, layer in _NOISY.items()}
    conv = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 2)
    )
    return found | {
        "relu with dead units": (with_bias(mlp(nn.ReLU(), nn.Tanh()), -100.0), NORMAL, "3", "constant"),
        "relu with one live row in a hundred": (
            nn.Sequential(Apply(lambda x: (x[:, :1] - 2.3).relu())), NORMAL, "0", "infinite"),
        "zero weights": (nn.Sequential(nn.Linear(4, 4), Apply(lambda x: 0 * x)), NORMAL, "1", "constant"),
        "noise alone": (nn.Sequential(Apply(torch.randn_like)), NORMAL, "0", "constant"),
        "saturated tanh": (with_bias(mlp(nn.Tanh()), 8.0), NORMAL, "1", "infinite"),
        "convolutional": (conv, IMAGES, "5", "infinite"),
        "convolutional, on pixels of 256 levels": (conv, PIXELS, "5", "saturated"),
        "convolutional, on pixels with little ink": (conv, SPARSE, "5", "saturated"),
        "functional tanh": (Functional(torch.tanh), NORMAL, "output", "infinite"),
        "functional swish": (Functional(lambda x: x * torch.sigmoid(2 * x)), NORMAL, "output", "infinite"),
        "functional sign": (Functional(torch.sign), NORMAL, "output", "piecewise-constant"),
        "dropout, then a wide linear map": (
            nn.Sequential(nn.Linear(4, 30), Apply(lambda x: F.dropout(x, 0.5, training=True)), nn.Linear(30, 30)),
            NORMAL, "2", "infinite"),
        "noise, then a wide linear map": (
            nn.Sequential(Apply(lambda x: x + torch.randn_like(x)), nn.Linear(4, 30)), NORMAL, "1", "finite"),
        "noise, then relu": (nn.Sequential(nn.Linear(4, 8), GaussianNoise(0.05), nn.ReLU()), NORMAL, "2", "finite"),
        "noise, then relu, then a wide linear map": (
            nn.Sequential(nn.Linear(4, 8), GaussianNoise(0.1), nn.ReLU(), nn.Linear(8, 32)), NORMAL, "3", "finite"),
        "relu, then noise in proportion": (
            nn.Sequential(nn.Linear(4, 16), nn.ReLU(), LogNormalNoise(0.5)), NORMAL, "2", "finite"),
        "noise on half the units": (
            nn.Sequential(nn.Linear(4, 8), Apply(half_noisy)), NORMAL, "1", "infinite"),
        "relu, then noise on half the units": (
            nn.Sequential(nn.Linear(4, 16), nn.ReLU(), Apply(half_noisy)), NORMAL, "2", "infinite"),
        "noise beside a unit that lives at few rows": (
            nn.Sequential(Apply(lambda x: torch.cat([(x[:, :1] - 2.3).relu(), torch.randn_like(x[:, :1])], dim=1))),
            NORMAL, "0", "infinite"),
        "quantiser that has seen no training": (nn.Sequential(nn.Linear(4, 8), Quantiser(4)), NORMAL, "1", "unknown"),
        "quantiser that has": (
            nn.Sequential(nn.Linear(4, 8), trained(Quantiser(4))), NORMAL, "1", "piecewise-constant"),
        "batch norm by the batch alone": (
            nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False)), NORMAL, "0", "unknown"),
        "noise that follows the batch": (
            nn.Sequential(nn.Linear(4, 8), GaussianNoise(0.3, scale="relative")), NORMAL, "1", "finite"),
        "one noise for all, then bent": (
            nn.Sequential(Apply(shared_noise), nn.Linear(4, 4), nn.Tanh()), NORMAL, "2", "infinite"),
        "fine rounding out of sight": (
            Apply(lambda x: OutOfSight.apply(1e3 * x)), NORMAL, "output", "unknown"),  # pyright: ignore
        "no continuity anywhere": (Apply(lambda x: torch.frac(1e12 * x)), NORMAL, "output", "unknown"),
        "bits through tanh": (mlp(nn.Tanh(), nn.Tanh(), columns=12), BITS, "3", "saturated"),
        "eight inputs": (mlp(nn.Tanh(), columns=3), FEW_BITS, "1", "saturated"),
        "bits through dead relus": (nn.Sequential(nn.Linear(12, 1), nn.ReLU()), BITS, "1", "piecewise-constant"),
        "words": (nn.Sequential(nn.Embedding(11, 3), nn.Flatten(), nn.Linear(15, 4)), WORDS, "2", "saturated"),
        "words, averaged": (
            nn.Sequential(nn.Embedding(11, 1), Apply(lambda x: x.amax(dim=1))), WORDS, "1", "piecewise-constant"),
        "one-hot words": (
            nn.Sequential(Apply(lambda x: F.one_hot(x[:, 0], 11).float()), nn.Linear(11, 4)), WORDS[:, :1] % 4,
            "1", "saturated"),
        "bits with noise": (mlp(Apply(lambda x: x + torch.randn_like(x)), columns=12), BITS, "1", "finite"),
        "bits as odds": (Apply(lambda x: torch.bernoulli(0.8 * x + 0.1)), BITS, "output", "finite"),
        "bits compared with noise": (
            Apply(lambda x: (torch.rand_like(x) < x).to(x.dtype)), BITS * 0.9, "output", "finite"),
        "bits with dropout": (
            nn.Sequential(Apply(lambda x: F.dropout(x, 0.5, training=True))), BITS, "0", "piecewise-constant"),
        **{
            f"bits with {noise}, then a linear map and {name}": (
                nn.Sequential(nn.Linear(12, 12), nn.Tanh(), Apply(function), nn.Linear(12, 8), activation),
                BITS, "4", verdict)
            for name, activation in {"tanh": nn.Tanh(), "relu": nn.ReLU()}.items()
            for noise, (function, verdict) in _ON_BITS.items()
        },
    }  # fmt: skip
