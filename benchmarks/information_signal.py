"""What the signal of an information-driven rate costs: one `InformationSignal` against one epoch of training.

LeNet-5 on random images of MNIST's size; an epoch is 55,000 of them in batches of 256, extrapolated from the median of
its steps. The signal is measured on 1000 rows, of the output and of all four layers with weights, the convolutions'
grids averaged to 1024 columns (the default) or to 4096. Steps and signals take turns, in one thread, in seconds of the
processor, so that a busy machine disturbs both alike. The goal is at most 2 % and 5 %.
Run: OMP_NUM_THREADS=1 python benchmarks/information_signal.py
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from infotorch import InformationSignal
from infotorch.networks.lenet import lenet5
from infotorch.schedules.signal import parameterised_layers

EPOCH, BATCH, CLASSES, ROWS, N = 55_000, 256, 10, 4096, 1000
ROUNDS, STEPS = 3, 18  # of the first round nothing is counted
GOALS = {"output": 0.02, "all layers": 0.05}
# (of what, most columns of a layer) -> estimators
CASES: dict[tuple[str, int], tuple[Any, ...]] = {
    ("output", 4096): ("ross", "readout", "ksg", "renyi"),
    ("all layers", 4096): ("ross", "ksg", "renyi"),
    ("all layers", 1024): ("ross", "ksg", "renyi"),
}
RESULT = Path(__file__).parent / "results" / "information_signal.json"


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Random images whose classes differ in their mean, so that there is something to learn."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(ROWS) % CLASSES
    shapes = torch.rand(CLASSES, 1, 28, 28, generator=generator)
    return (shapes[y] + torch.randn(ROWS, 1, 28, 28, generator=generator)).clamp(0, 1), y


def seconds(call: Callable[[], Any]) -> float:
    """Of the processor, for one call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def training(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """One step of SGD with momentum, as in the recipes."""
    sgd = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    generator = torch.Generator().manual_seed(1)

    def step() -> None:
        rows = torch.randint(0, len(x), (BATCH,), generator=generator)
        loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()

    return step


def main() -> None:
    """Print the shares of an epoch and keep them."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = images()
    network = lenet5((1, 28, 28), CLASSES)
    step = training(network, x, y)
    signals: dict[tuple[str, int, str], InformationSignal] = {}
    for (of, columns), estimators in CASES.items():
        layers = parameterised_layers(network) if of == "all layers" else None
        for name in estimators:
            signals[of, columns, name] = InformationSignal(
                network, (x, y), num_samples=N, layers=layers, estimator=name, columns=columns
            )
    steps: list[float] = []
    times: dict[tuple[str, int, str], list[float]] = {case: [] for case in signals}
    for number in range(ROUNDS + 1):
        taken = [seconds(step) for _ in range(STEPS)]
        measured = {case: seconds(signal) for case, signal in signals.items()}
        if number:  # the first round warms up
            steps += taken
            for case, value in measured.items():
                times[case].append(value)
    report(steps, times)


def report(steps: list[float], times: dict[tuple[str, int, str], list[float]]) -> None:
    """Print and write down what was measured."""
    epoch = median(steps) * EPOCH / BATCH
    print(f"an epoch: {epoch:.1f} s, from the median of {len(steps)} steps")
    rows = []
    for (of, columns, name), found in times.items():
        share = median(found) / epoch
        rows.append({"of": of, "columns": columns, "estimator": name, "seconds": sorted(found), "share": share})
        goal = f"goal {100 * GOALS[of]:.0f} %"
        print(f"{of:<10}  {columns:>4}  {name:<8} {median(found):6.3f} s  {100 * share:5.2f} % of an epoch ({goal})")
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    content = {"machine": machine, "epoch_seconds": epoch, "step_seconds": sorted(steps), "n": N, "rows": rows}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
