"""How long work takes with two threads, as a multiple of one thread's time: alone, and beside one busy process.

Part "steps": training steps of small networks in plain torch, from which `infotorch.numerics.threads.SMALL` was read.
Part "demo": `infotorch demo` beside a busy process, as a multiple of its time alone.

Run on two cores with nothing else to do: taskset -c 0,1 python benchmarks/threads.py
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from infotorch.numerics.threads import SMALL, OperationCount

RESULT = Path(__file__).parent / "results" / "threads.json"
REPEATS = 5
SECONDS = 0.2
MLPS = [(width, batch) for width in (32, 64, 128, 256, 512, 1024) for batch in (32, 128, 512)]
CONVOLUTIONS = [(channels, side) for channels in (8, 16, 32) for side in (8, 16, 32)]


@contextmanager
def neighbour(busy: bool) -> Iterator[None]:
    """Another process that never rests, or none."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()


def networks() -> Iterator[tuple[str, nn.Module, torch.Tensor]]:
    """A name, a network and a batch."""
    for width, batch in MLPS:
        hidden = [layer for _ in range(3) for layer in (nn.Linear(width, width), nn.ReLU())]
        yield f"mlp {width}, batch {batch}", nn.Sequential(*hidden, nn.Linear(width, 10)), torch.randn(batch, width)
    for channels, side in CONVOLUTIONS:
        first, second = nn.Conv2d(3, channels, 3, padding=1), nn.Conv2d(channels, channels, 3, padding=1)
        read = nn.Linear(channels * side * side, 10)
        layers = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), read)
        yield f"cnn {channels}, {side} x {side}, batch 64", layers, torch.randn(64, 3, side, side)


def step_of(network: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """A training step by Adam."""
    y, optimizer = torch.arange(len(x)) % 10, torch.optim.Adam(network.parameters(), 1e-3)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    return step


def seconds_of(step: Callable[[], None], threads: int) -> float:
    """Mean seconds of a step."""
    torch.set_num_threads(threads)
    step()
    steps, began = 0, time.perf_counter()
    while time.perf_counter() < began + SECONDS:
        step()
        steps += 1
    return (time.perf_counter() - began) / steps


def steps() -> list[dict[str, Any]]:
    """One network an entry, smallest first."""
    found = []
    for name, network, x in networks():
        with OperationCount() as count, torch.no_grad():
            network(x)
        entry: dict[str, Any] = {"network": name, "operations": count.total}
        step = step_of(network, x)
        for where, busy in (("alone", False), ("beside a busy process", True)):
            with neighbour(busy):
                times = [(seconds_of(step, 1), seconds_of(step, 2)) for _ in range(REPEATS)]
            entry[where] = {
                "one_thread_ms": median(one for one, _ in times) * 1e3,
                "two_threads_ratio": median(two / one for one, two in times),
            }
        found.append(entry)
    return sorted(found, key=lambda entry: entry["operations"])


def demo(variants: list[str]) -> dict[str, Any]:
    """Seconds of the demo, alone and beside a busy process, in turn."""
    chosen = [part for variant in variants for part in ("--variant", variant)]
    times: dict[str, list[float]] = {"alone": [], "busy": []}
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    for where, busy in (("alone", False), ("busy", True)) * 2:
        with neighbour(busy), tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "infotorch", "table", "demo", *chosen, "--seeds", "1"]
            began = time.perf_counter()
            subprocess.run([*command, "--out", f"{folder}/demo"], check=True, capture_output=True, env=environment)
            times[where].append(time.perf_counter() - began)
    ratio = min(times["busy"]) / min(times["alone"])
    return {"seconds_alone": times["alone"], "seconds_busy": times["busy"], "ratio": ratio}


def main() -> None:
    """Print and keep both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=["steps", "demo"], action="append")
    parser.add_argument("--variant", action="append", default=[], help="of the demo; all without it")
    given = parser.parse_args()
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    found["machine"] = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    if "steps" in (given.part or ["steps"]):
        found["steps"] = steps()
        for entry in found["steps"]:
            ratios = [entry[where]["two_threads_ratio"] for where in ("alone", "beside a busy process")]
            small = "one thread" if entry["operations"] < SMALL else ""
            print(f"{entry['network']:<30} {entry['operations'] / 1e6:9.2f} M  {ratios[0]:.2f} {ratios[1]:.2f} {small}")
    if "demo" in (given.part or ["demo"]):
        found["demo"] = demo(given.variant)
        print(found["demo"])
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
