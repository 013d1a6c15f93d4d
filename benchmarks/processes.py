"""What two processes of one thread that share every batch gain over one process of one thread, and of two.

    python benchmarks/processes.py

Networks of three local modules on random images of MNIST's size; the median step of each way, the bytes that a process
sends in a step, and the most memory a process held. Writes benchmarks/results/processes.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import distributed as dist
from torch import nn

from infotorch import Plan, train
from infotorch.data.batches import TensorBatches
from infotorch.records.files import write_json

RESULT = Path(__file__).parent / "results" / "processes.json"
WAYS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread": (2, 1)}
_WARM, _STEPS, _BATCH = 4, 16, 256


def _convolutional() -> nn.Module:
    pool = nn.MaxPool2d(2)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), pool),
        nn.Sequential(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), pool, nn.Flatten(), nn.Linear(64 * 49, 10)),
    )


def _perceptron() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(784, 1024), nn.ReLU()),
        nn.Sequential(nn.Linear(1024, 1024), nn.ReLU()),
        nn.Linear(1024, 10),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "convolutions, predicted similarity": (_convolutional, "Y:predsim,Y:predsim,CE"),
    "convolutions, read-outs": (_convolutional, "Y,Y,CE"),
    "perceptron, read-outs": (_perceptron, "Y,Y,CE"),
}


def _count_bytes() -> dict[str, int]:
    """From here on, what this process hands to the others."""
    sent = {"bytes": 0}
    reduce, gather = dist.all_reduce, dist.all_gather

    def counted_reduce(tensor: torch.Tensor, *rest: Any, **more: Any) -> Any:
        sent["bytes"] += tensor.nbytes
        return reduce(tensor, *rest, **more)

    def counted_gather(received: Any, tensor: torch.Tensor, *rest: Any, **more: Any) -> Any:
        sent["bytes"] += tensor.nbytes
        return gather(received, tensor, *rest, **more)

    dist.all_reduce, dist.all_gather = counted_reduce, counted_gather
    return sent


def work(network: str, threads: int, out: str) -> None:
    """One process's part: a few steps, timed."""
    torch.set_num_threads(threads)
    fabric = Fabric(accelerator="cpu", devices=int(os.environ.get("WORLD_SIZE", "1")))
    fabric.launch()
    sent = _count_bytes()
    torch.manual_seed(0)
    make, objectives = NETWORKS[network]
    x, y = torch.rand(_BATCH * (_WARM + _STEPS), 1, 28, 28), torch.arange(_BATCH * (_WARM + _STEPS)) % 10
    plan = Plan.layerwise(
        make(), ("1", "2"), objectives, order="simultaneous", optimizer=lambda p: torch.optim.Adam(p, lr=1e-3)
    )
    moments = [time.perf_counter()]
    for _ in train(plan, TensorBatches(x, y, batch_size=_BATCH), epochs=1, fabric=fabric):
        moments.append(time.perf_counter())
        if len(moments) == _WARM + 1:
            sent["bytes"] = 0
    if fabric.global_rank == 0:
        seconds = statistics.median(b - a for a, b in zip(moments[_WARM:], moments[_WARM + 1 :], strict=False))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        write_json(Path(out), {"seconds": seconds, "sent_bytes": sent["bytes"] / _STEPS, "peak_bytes": peak})


def measure(network: str, way: str) -> dict[str, float]:
    """Start the processes of one way."""
    count, threads = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
        words = [sys.executable, *launcher, __file__, "--work", network, "--threads", str(threads), "--out", str(out)]
        subprocess.run(words, check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, capture_output=True)
        return json.loads(out.read_text())


def main() -> None:
    """Measure every way of every network in turn, some times over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", choices=NETWORKS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", default=str(RESULT))
    given = parser.parse_args()
    if given.work:
        work(given.work, given.threads, given.out)
        return
    found: dict[str, dict[str, dict[str, float]]] = {}
    for network in NETWORKS:
        rounds = [{way: measure(network, way) for way in WAYS} for _ in range(given.rounds)]
        rows = {}
        for way in WAYS:
            ratios = [one["1 process, 1 thread"]["seconds"] / one[way]["seconds"] for one in rounds]
            last = rounds[-1][way]
            rows[way] = last | {
                "seconds": statistics.median(one[way]["seconds"] for one in rounds),
                "speedup": statistics.median(ratios),
                "speedup_range": [min(ratios), max(ratios)],
            }
            print(
                f"{network}; {way}: {rows[way]['seconds'] * 1000:.0f} ms, {rows[way]['speedup']:.2f} times", flush=True
            )
        found[network] = rows
    made_by = f"python benchmarks/processes.py --rounds {given.rounds}"
    write_json(Path(given.out), {"made_by": made_by, "batch": _BATCH, "networks": found})


if __name__ == "__main__":
    main()
