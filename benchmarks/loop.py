"""What the loop costs: an epoch of `train(...)` against a bare PyTorch loop on the same tensors.

784-500-256-10 as in the recipes, and a network so small that only overhead is left. Run: python benchmarks/loop.py
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.networks.perceptron import mlp
from infotorch.training.loop import train
from infotorch.training.plan import Plan

ROWS, BATCH, CLASSES, REPEATS = 12_800, 128, 10, 9
NETWORKS = {"784-500-256-10": (784, (500, 256)), "16-16-10": (16, (16,))}
RESULT = Path(__file__).parent / "results" / "loop.json"


def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The same optimiser on both sides."""
    return torch.optim.Adam(parameters, lr=1e-3, fused=True)


def ours(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[int], None]:
    """One epoch of the loop."""
    plan = Plan.end_to_end(model, optimizer=adam)

    def epoch(number: int) -> None:
        for _ in train(plan, TensorBatches(x, y, batch_size=BATCH, seed=number), epochs=1):
            continue

    return epoch


def bare(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[int], None]:
    """One epoch of what one would write by hand."""
    optimizer = adam(list(model.parameters()))

    def epoch(number: int) -> None:
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(number))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return epoch


def main() -> None:
    """Print the ratios and keep them."""
    generator = torch.Generator().manual_seed(0)
    table = {}
    for name, (inputs, hidden) in NETWORKS.items():
        x, y = torch.randn(ROWS, inputs, generator=generator), torch.arange(ROWS) % CLASSES
        models = [mlp(inputs, hidden, CLASSES) for _ in range(2)]
        sides = {"infotorch": ours(models[0], x, y), "bare": bare(models[1], x, y)}
        times: dict[str, list[float]] = {side: [] for side in sides}
        for repeat in range(REPEATS + 1):
            for side, epoch in sides.items():
                began = time.perf_counter()
                epoch(repeat)
                if repeat:  # the first round warms up
                    times[side].append(time.perf_counter() - began)
        ratios = [a / b for a, b in zip(times["infotorch"], times["bare"], strict=True)]
        extra = median(a - b for a, b in zip(times["infotorch"], times["bare"], strict=True)) / (ROWS / BATCH)
        table[name] = {
            "median_ratio": median(ratios),
            "ratios": sorted(ratios),
            "bare_seconds_per_epoch": median(times["bare"]),
            "extra_microseconds_per_step": extra * 1e6,
        }
        print(f"{name:<16} {median(ratios):.3f} x a bare loop, {extra * 1e6:.0f} microseconds a step more")
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"machine": machine, "rows": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
