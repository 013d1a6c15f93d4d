"""Hundreds of fits and thousands of estimates in one process: memory, files, threads and objects stay flat.

A round is one fit and ten estimates, and what the process holds is looked at after every round. The first third of the
rounds fills caches. What the process holds in the last third must be what it held in the middle one, up to what an
allocator moves: medians of both, so that a single round decides nothing.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from campaign.part import Part

ROUNDS, ESTIMATES, LIMIT = 200, 10, 400
HERE = Path(__file__).parents[1]
#: what the last third may hold beyond the middle one, and what for each of the rounds between them
BOUNDS = {"memory in MB": (8.0, 0.05), "open files": (0.0, 0.0), "threads": (0.0, 0.0), "objects": (500.0, 0.0)}


def run(seed: int, scale: float, scratch: Path) -> Part:
    """The rounds in a fresh process, and the growth of everything that it holds."""
    part, rounds, out = Part(), max(6, round(ROUNDS * scale)), scratch / "soak.json"
    command = [sys.executable, "-m", "campaign.soak", str(seed), str(rounds), str(out)]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        part.check(False, f"soak (seed {seed}): hung for {LIMIT} s")
        return part
    if done.returncode:
        part.check(False, f"soak (seed {seed}): exit code {done.returncode}, {done.stderr.strip()[-300:]}")
        return part
    part.tried.update({"fit": rounds, "estimate with its standard error": rounds * ESTIMATES})
    for name, held in json.loads(out.read_text()).items():
        grown = growth(held)
        part.count(f"{name}: flat")
        part.figures[f"{name}, last third less the middle one"] = grown
        most = allowed(name, rounds)
        part.check(grown <= most, f"{name} (seed {seed}): grew by {grown:g} in {rounds // 3} rounds, {most:g} allowed")
    return part


def growth(held: list[float]) -> float:
    """The median of the last third less that of the middle one.

    Example:
        >>> growth([0, 0, 5, 5, 7, 7])
        2.0
    """
    third = len(held) // 3
    return median(held[-third:]) - median(held[-2 * third : -third])


def allowed(name: str, rounds: int) -> float:
    """What an allocator or a cache may take."""
    fixed, each = BOUNDS[name]
    return fixed + each * (rounds // 3)


# In the fresh process.


def _held() -> dict[str, float]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory in MB": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
    }


def _data(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def _fits() -> Iterator[Callable[[int], object]]:
    """Every round another of them."""
    from infotorch import InformationPlane, fit
    from infotorch.data.batches import TensorBatches
    from infotorch.training.loop import train
    from infotorch.training.plan import Plan

    def model() -> nn.Sequential:
        return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))

    def planned(plan: str, cuts: tuple[str, ...] | None = None) -> Callable[[int], object]:
        return lambda seed: fit(model(), _data(seed), plan=plan, cuts=cuts, epochs=2, batch_size=64, seed=seed)

    def watched(seed: int) -> object:
        own = model()
        with InformationPlane(own, _data(3), noise_std=0.5) as plane:
            return fit(own, _data(seed), epochs=1, batch_size=64, seed=seed), plane(1)

    def left_early(seed: int) -> object:
        plan = Plan.layerwise(model(), ["3"], ["X", "CE"], optimizer=lambda own: torch.optim.SGD(own, lr=0.1))
        return next(train(plan, TensorBatches(*_data(seed), batch_size=64), epochs=2))

    return cycle([planned("X,Y,CE"), planned("CE", ()), watched, planned("X:infonce,Y:hsic,CE"), left_early])


def _estimates() -> Iterator[Callable[[int], object]]:
    """Every estimate another of them, with its standard error."""
    from infotorch import cka, hsic, pairwise_bounds
    from infotorch.estimators.registry import describe_estimators, named

    def by_name(name: str) -> Callable[[int], object]:
        function = named(name, where="campaign").load()

        def estimate(seed: int) -> object:
            x, y = _data(seed)
            second = y if name in {"ross", "discrete", "auto"} else x[:, 2:4] + x[:, :2]
            return function(y if name == "discrete" else x[:, :2], second).std_error

        return estimate

    kernels = [
        lambda seed: float(hsic(*_data(seed))),
        lambda seed: float(cka(_data(seed)[0], _data(seed)[0].abs(), kernel="rbf")),
        lambda seed: pairwise_bounds(_data(seed)[0], 0.5)[1].std_error,
    ]
    return cycle([*(by_name(name) for name in describe_estimators() if name != "neural"), *kernels])


def _work(seed: int, rounds: int) -> dict[str, list[float]]:
    held: dict[str, list[float]] = {name: [] for name in BOUNDS}
    fits, estimates = _fits(), _estimates()
    for number in range(rounds):
        next(fits)(seed + number)
        for own in range(ESTIMATES):
            next(estimates)(seed + number * ESTIMATES + own)
        for name, value in _held().items():
            held[name].append(value)
    return held


if __name__ == "__main__":
    result: Any = _work(int(sys.argv[1]), int(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps(result))
