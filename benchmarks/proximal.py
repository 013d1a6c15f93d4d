"""A step of a proximal split beside a step of back-propagation: processor time, and what autograd keeps at its highest.

The image networks of `prox-mnist` and `prox-cifar10` (four convolutions | two hidden layers), images of 32 x 32, batch
128, Adam, split behind the last convolution. `naive` is order 2 as it is written down: the penalty is formed with
create_graph and differentiated through everything.
Run: python benchmarks/proximal.py
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from infotorch.networks.convolutional import convnet
from infotorch.networks.segments import split
from infotorch.recipes.registry import find_recipe
from infotorch.training.memory import track_saved_activations
from infotorch.updates.proximal import ProximalSplit

NETWORKS = {"prox-mnist": 1, "prox-cifar10": 3}  # recipe -> channels of its images
BATCH, CLASSES, AT, STEP_SIZE = 128, 10, "flatten", 0.1
ROUNDS, WARM_UP, MIB = 21, 2, 2**20
RESULT = Path(__file__).parent / "results" / "proximal.json"

Step = Callable[[Tensor, Tensor], object]
ADAM = partial(torch.optim.Adam, lr=1e-4, fused=True)


def network(recipe: str) -> nn.Sequential:
    """The recipe's network, the same weights whenever it is asked for."""
    wanted = find_recipe(recipe).network
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return convnet((NETWORKS[recipe], 32, 32), wanted.channels, wanted.hidden, CLASSES, halving=wanted.halving)


def back_propagation(model: nn.Sequential) -> Step:
    """Back-propagation in plain PyTorch."""
    optimizer = ADAM(model.parameters())

    def step(x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        loss.item()  # whoever trains looks at it, and ProximalSplit does
        optimizer.step()

    return step


def proximal(model: nn.Sequential, order: int | str) -> Step:
    """`ProximalSplit`."""
    moved = ProximalSplit.at(
        model, AT, order=order, step_size=STEP_SIZE, forward_optimizer=ADAM, backward_optimizer=ADAM
    )
    return lambda x, y: moved.step(x, lambda output: F.cross_entropy(output, y))


def naive(model: nn.Sequential) -> Step:
    """Order 2 by a double backward pass through the whole network."""
    forward, backward = split(model, (AT,))
    halves = [ADAM(half.parameters()) for half in (forward, backward)]
    theta, phi = list(forward.parameters()), list(backward.parameters())

    def step(x: Tensor, y: Tensor) -> None:
        z = forward(x, x)
        loss = F.cross_entropy(backward(z, x), y)
        slope, *gradients = torch.autograd.grad(loss, [z, *phi], create_graph=True)
        penalty = STEP_SIZE**2 / 2 * slope.square().sum()
        for parameter, gradient in zip(theta, torch.autograd.grad(penalty, theta), strict=True):
            parameter.grad = gradient
        for parameter, gradient in zip(phi, gradients, strict=True):
            parameter.grad = gradient.detach()
        for half in halves:
            half.step()

    return step


def measure(recipe: str) -> dict[str, dict[str, float]]:
    """Update -> time and memory over those of back-propagation: the updates in turn, so that a drift hits all."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, NETWORKS[recipe], 32, 32, generator=generator)
    y = torch.randint(CLASSES, (BATCH,), generator=generator)
    models = {name: network(recipe) for name in ("bp", "order1", "order2", "hybrid", "naive")}
    steps = {"bp": back_propagation(models["bp"]), "naive": naive(models["naive"])}
    orders = {"order1": 1, "order2": 2, "hybrid": "hybrid"}
    steps |= {name: proximal(models[name], order) for name, order in orders.items()}
    kept = {}
    for name, step in steps.items():
        with track_saved_activations(models[name].parameters()) as saved:
            step(x, y)
        kept[name] = saved.peak_bytes
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(WARM_UP + ROUNDS):
        for name, step in steps.items():
            began = time.process_time()
            step(x, y)
            if turn >= WARM_UP:
                times[name].append(time.process_time() - began)
    return {
        name: {
            "milliseconds": 1000 * median(seen),
            "time_ratio": median(a / b for a, b in zip(seen, times["bp"], strict=True)),
            "mib": kept[name] / MIB,
            "memory_ratio": kept[name] / kept["bp"],
        }
        for name, seen in sorted(times.items(), key=lambda item: list(models).index(item[0]))
    }


def main() -> None:
    """Print the table and keep it."""
    torch.set_num_threads(1)
    table = {recipe: measure(recipe) for recipe in NETWORKS}
    for recipe, rows in table.items():
        print(f"{recipe:<14}     ms  x bp     MiB  x bp")
        for name, row in rows.items():
            milliseconds, ratio, mib, share = row.values()
            print(f"  {name:<12} {milliseconds:6.1f} {ratio:5.2f} {mib:7.1f} {share:5.2f}")
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    content = {
        "unit": f"processor time of a step of {BATCH} images, median of {ROUNDS}, and of its ratio to a step of "
        "back-propagation in the same round; MiB kept by autograd at its highest",
        "machine": machine,
        "rows": table,
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
