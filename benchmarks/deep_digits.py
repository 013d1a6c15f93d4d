"""The README's second example over ten seeds: nine layers on the digits, with local losses or by back-propagation.

Both sides have the same network, epochs and batches; each has the rate that is best on validation samples with two
other seeds. Accuracy is of test samples.

Run: OMP_NUM_THREADS=1 python benchmarks/deep_digits.py
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from statistics import fmean, stdev

import torch
from torch import nn

import infotorch
from infotorch.data.sets import Dataset, Split

RESULT = Path(__file__).parent / "results" / "deep_digits.json"
LAYERS, WIDTH, EPOCHS, BATCH = 8, 256, 15, 128
RATES = (5e-4, 1e-3, 2e-3, 4e-3, 8e-3)
SEARCH_SEEDS, SEEDS = (1000, 1001), range(10)


def network(seed: int) -> nn.Module:
    """Eight hidden layers and one that decides."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        hidden = [
            nn.Sequential(nn.Linear(WIDTH if number else 64, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU())
            for number in range(LAYERS)
        ]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(WIDTH, 10))


def accuracy(model: nn.Module, split: Split) -> float:
    """A fraction of one."""
    with torch.no_grad():
        return float((model.eval()(split.x).argmax(dim=1) == split.y).float().mean())


def trained(side: str, data: Dataset, lr: float, seed: int) -> tuple[nn.Module, int]:
    """A trained network, and the bytes that autograd kept at its highest."""
    model = network(seed)

    def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=lr)

    if side == "back-propagation":
        plan = infotorch.Plan.end_to_end(model, optimizer=adam)
    else:
        objectives = ["Y"] * LAYERS + ["CE"]
        plan = infotorch.Plan.layerwise(model, objectives=objectives, order="simultaneous", optimizer=adam)
    peak = 0
    for info in infotorch.train(plan, data.train, epochs=EPOCHS, batch_size=BATCH, seed=seed):
        peak = max(peak, info.peak_saved_activation_bytes or 0)
    return model, peak


def main() -> None:
    """Print and keep both sides."""
    data, found = infotorch.load("digits"), {}
    for side in ("local losses", "back-propagation"):
        searched = {
            lr: fmean(accuracy(trained(side, data, lr, seed)[0], data.validation) for seed in SEARCH_SEEDS)
            for lr in RATES
        }
        lr = max(searched, key=lambda rate: searched[rate])
        runs = [trained(side, data, lr, seed) for seed in SEEDS]
        scores = [accuracy(model, data.test) for model, _ in runs]
        mib = max(peak for _, peak in runs) / 2**20
        found[side] = {"lr": lr, "validation": searched, "test_accuracy": scores, "saved_mib": mib}
        error = stdev(scores) / len(scores) ** 0.5
        print(f"{side:<18} rate {lr:g}, test accuracy {100 * fmean(scores):.2f} ± {100 * error:.2f} %, {mib:.2f} MiB")
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    RESULT.write_text(json.dumps({"machine": machine, "sides": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
