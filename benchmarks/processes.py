"""What two processes of one thread gain over one of one thread, and of two: by shares of batches, or by modules.

    python benchmarks/processes.py
    python benchmarks/processes.py --parts modules --rounds 5

Shares: networks of three local modules on random images of MNIST's size; the median step of each way. Modules: four
equal local modules, two in each process, in step and at their own pace; the mean step of an epoch, from its fifth step
to the end, where every process has all weights. For each way the bytes that a process sends in a step, and the most
memory that one held. Writes its parts of benchmarks/results/processes.json.
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
from dataclasses import dataclass
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
_WARM = 4


@dataclass(frozen=True)
class Way:
    """Processes, their threads, and how they share the work."""

    processes: int
    threads: int
    order: str = "simultaneous"
    staleness: int = 0


@dataclass(frozen=True)
class Network:
    """What is trained: a network and the shape of its inputs, cuts, objectives, and rows of a batch."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    cuts: tuple[str, ...]
    objectives: str
    batch: int = 256


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


def _equal_convolutions() -> nn.Module:
    return nn.Sequential(
        *(nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()) for _ in range(4))
    )


def _equal_layers() -> nn.Module:
    return nn.Sequential(*(nn.Sequential(nn.Linear(1024, 1024), nn.ReLU()) for _ in range(4)))


_ONE = {"1 process, 1 thread": Way(1, 1), "1 process, 2 threads": Way(1, 2)}
_IMAGE, _TWO, _THREE = (1, 28, 28), ("1", "2"), ("1", "2", "3")
WAYS = {
    "shares": _ONE | {"2 processes, 1 thread": Way(2, 1)},
    "modules": _ONE
    | {
        "2 processes, 1 thread, in step": Way(2, 1, "pipelined"),
        "2 processes, 1 thread, staleness 4": Way(2, 1, "pipelined", 4),
    },
}
NETWORKS = {
    "shares": {
        "convolutions, predicted similarity": Network(_convolutional, _IMAGE, _TWO, "Y:predsim,Y:predsim,CE"),
        "convolutions, read-outs": Network(_convolutional, _IMAGE, _TWO, "Y,Y,CE"),
        "perceptron, read-outs": Network(_perceptron, _IMAGE, _TWO, "Y,Y,CE"),
    },
    "modules": {
        "four convolutions, read-outs": Network(_equal_convolutions, (64, 16, 16), _THREE, "Y,Y,Y,Y", 64),
        "four convolutions, predicted similarity": Network(
            _equal_convolutions, (64, 16, 16), _THREE, ",".join(["Y:predsim"] * 4), 64
        ),
        "four layers of 1,024, read-outs": Network(_equal_layers, (1024,), _THREE, "Y,Y,Y,Y"),
    },
}
STEPS = {"shares": 16, "modules": 120}


def _count_bytes() -> dict[str, int]:
    """From here on, what this process hands to the others."""
    sent = {"bytes": 0}

    def counting(name: str, place: int) -> None:
        call = getattr(dist, name)

        def counted(*given: Any, **more: Any) -> Any:
            sent["bytes"] += given[place].nbytes
            return call(*given, **more)

        setattr(dist, name, counted)

    for name, place in (("all_reduce", 0), ("all_gather", 1), ("isend", 0)):
        counting(name, place)
    return sent


def work(part: str, name: str, way: Way, out: str) -> None:
    """One process's part: an epoch, timed."""
    torch.set_num_threads(way.threads)
    fabric = Fabric(accelerator="cpu", devices=int(os.environ.get("WORLD_SIZE", "1")))
    fabric.launch()
    sent = _count_bytes()
    torch.manual_seed(0)
    network, steps = NETWORKS[part][name], STEPS[part]
    rows = network.batch * (_WARM + steps)
    pool = torch.rand(4 * network.batch, *network.shape)  # the same few samples again: they are only to be computed
    x, y = pool[torch.arange(rows) % len(pool)], torch.arange(rows) % 10
    plan = Plan.layerwise(
        network.make(),
        network.cuts,
        network.objectives,
        order=way.order,  # pyright: ignore[reportArgumentType]
        staleness=way.staleness,
        optimizer=lambda p: torch.optim.Adam(p, lr=1e-3),
    )
    moments, behind, skipped = [time.perf_counter()], [0.0], [0.0]
    for info in train(plan, TensorBatches(x, y, batch_size=network.batch), epochs=1, fabric=fabric):
        moments.append(time.perf_counter())
        if len(moments) == _WARM + 1:
            sent["bytes"] = 0
        last = info.losses.get(plan[-1].name)
        if last is not None and "staleness_steps" in last.terms:
            behind.append(last.terms["staleness_steps"].item())
            skipped.append(last.terms["skipped_batches"].item())
    between = [b - a for a, b in zip(moments[_WARM:], moments[_WARM + 1 :], strict=False)]
    found = {
        "seconds": statistics.median(between) if part == "shares" else statistics.fmean(between),
        "sent_bytes": sent["bytes"] / steps,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "mean_staleness": statistics.fmean(behind),
        "largest_staleness": max(behind),
        "share_skipped": sum(skipped) / len(moments[1:]),
    }
    write_json(Path(f"{out}-{fabric.global_rank}.json"), found)


def measure(part: str, name: str, way: str) -> dict[str, float]:
    """Start the processes of one way."""
    wanted = WAYS[part][way]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found"
        count = str(wanted.processes)
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count] if count != "1" else []
        words = [sys.executable, *launcher, __file__, "--work", part, name, way, "--out", str(out)]
        environment = os.environ | {"OMP_NUM_THREADS": str(wanted.threads)}
        subprocess.run(words, check=True, env=environment, capture_output=True)
        each = [json.loads(Path(f"{out}-{rank}.json").read_text()) for rank in range(wanted.processes)]
    # The first process keeps the time; of bytes the one that sends, or holds, the most.
    return each[0] | {key: max(one[key] for one in each) for key in ("sent_bytes", "peak_bytes")}


def compare(part: str, rounds: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Every way of every network in turn, some times over."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in NETWORKS[part]:
        each = [{way: measure(part, name, way) for way in WAYS[part]} for _ in range(rounds)]
        rows: dict[str, dict[str, Any]] = {}
        for way in WAYS[part]:
            ratios = [one["1 process, 1 thread"]["seconds"] / one[way]["seconds"] for one in each]
            rows[way] = each[-1][way] | {
                "seconds": statistics.median(one[way]["seconds"] for one in each),
                "speedup": statistics.median(ratios),
                "speedup_range": [min(ratios), max(ratios)],
            }
            print(f"{name}; {way}: {rows[way]['seconds'] * 1000:.0f} ms, {rows[way]['speedup']:.2f} times", flush=True)
        found[name] = rows
    return found


def main() -> None:
    """Measure, and keep what other parts have measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--work", nargs=3)
    parser.add_argument("--out", default=str(RESULT))
    given = parser.parse_args()
    if given.work:
        part, name, way = given.work
        work(part, name, WAYS[part][way], given.out)
        return
    out = Path(given.out)
    kept = json.loads(out.read_text()) if out.exists() else {}
    for part in given.parts:
        made_by = f"python benchmarks/processes.py --parts {part} --rounds {given.rounds}"
        kept[part] = {"made_by": made_by, "networks": compare(part, given.rounds)}
        write_json(out, {name: kept[name] for name in NETWORKS if name in kept})


if __name__ == "__main__":
    main()
