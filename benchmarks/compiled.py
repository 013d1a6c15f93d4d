"""Whether `torch.compile` of module bodies pays: a training step of a plan with and without, in turns, in one process.

    python benchmarks/compiled.py                     on the CPU
    python benchmarks/compiled.py --device cuda       on a GPU; its result lies apart by device
    python benchmarks/compiled.py --rounds 1 --only perceptron

Bodies are compiled in place, `module.body.compile()`, which a user can do with any plan before `train`. The figures are
the time of a step as a multiple of the uncompiled one's, medians of the rounds; what compiling itself takes; and the
largest difference of a loss. Times of a busy machine are of use as these ratios alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from gpu import RESULTS, device_name
from infotorch.data.batches import TensorBatches
from infotorch.networks.thin_residual import thin_resnet
from infotorch.training.loop import train
from infotorch.training.plan import Plan

CPU_RESULT = Path(__file__).parent / "results" / "compiled.json"
STEPS = 10


def perceptron() -> tuple[nn.Module, tuple[str, ...], Tensor]:
    """Four layers of width 512 in four modules."""
    layers = [nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU()) for _ in range(3)]
    return nn.Sequential(*layers, nn.Linear(512, 10)), ("1", "2", "3"), _drawn(256, 512)


def convolutions() -> tuple[nn.Module, tuple[str, ...], Tensor]:
    """Three blocks of a convolution, batch norm, ReLU and pooling in four modules."""
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))
        for before, after in ((3, 32), (32, 64), (64, 64))
    ]
    return nn.Sequential(*blocks, nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))), ("1", "2", "3"), _images(128)


def residual() -> tuple[nn.Module, tuple[str, ...], Tensor]:
    """ResNet-20 in four modules."""
    return thin_resnet((3, 32, 32), 10, depth=20), ("block1_3", "block2_2", "block3_2"), _images(64)


NETWORKS: dict[str, Callable[[], tuple[nn.Module, tuple[str, ...], Tensor]]] = {
    "perceptron": perceptron,
    "convolutions": convolutions,
    "residual": residual,
}
OBJECTIVES = ("Y,Y,Y,CE", "Y:supcon,Y:supcon,Y:supcon,CE")


def _drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _images(count: int) -> Tensor:
    return _drawn(count, 3, 32, 32)


def steps(network: str, objectives: str, device: str, *, compiled: bool) -> tuple[Iterator[object], float]:
    """A training that goes on, and the seconds of its first two steps, which compile."""
    torch.manual_seed(0)
    model, cuts, x = NETWORKS[network]()
    model, x = model.to(device), x.to(device)
    y = (torch.arange(len(x)) % 10).to(device)
    plan = Plan.layerwise(
        model, cuts, objectives, order="simultaneous", optimizer=lambda p: torch.optim.Adam(p, lr=1e-4, fused=True)
    )
    if compiled:
        for module in plan:
            module.body.compile()
    taken = train(plan, TensorBatches(x, y, batch_size=len(x), shuffle=False), epochs=10**6)
    began = time.perf_counter()
    for _ in range(2):
        next(taken)
    return taken, time.perf_counter() - began


def timed(taken: Iterator[object], device: str) -> tuple[float, float]:
    """Seconds of a step, and the loss of the last."""
    began, loss = time.perf_counter(), 0.0
    for _ in range(STEPS):
        info = next(taken)
        loss = sum(float(one.total) for one in info.losses.values())  # pyright: ignore[reportAttributeAccessIssue]
    if device != "cpu":
        torch.accelerator.synchronize()
    return (time.perf_counter() - began) / STEPS, loss


def measured(network: str, objectives: str, device: str, rounds: int) -> dict[str, object]:
    """A line of the result."""
    plain, first = steps(network, objectives, device, compiled=False)
    faster, compiling = steps(network, objectives, device, compiled=True)
    ratios, apart = [], 0.0
    for _ in range(rounds):
        (one, loss), (other, its_loss) = timed(plain, device), timed(faster, device)
        ratios.append(other / one)
        apart = max(apart, abs(loss - its_loss))
    return {
        "network": network,
        "objectives": objectives,
        "compiled_step_over_plain": round(median(ratios), 3),
        "rounds": [round(ratio, 3) for ratio in ratios],
        "compiling_seconds": round(compiling - first, 1),
        "largest_difference_of_a_loss": apart,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="compiled", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default 5)")
    parser.add_argument("--only", action="append", choices=list(NETWORKS), help="a network; repeatable")
    parser.add_argument("--out", type=Path, help="the file of the result")
    chosen = parser.parse_args(arguments)
    name = device_name(chosen.device)
    out = chosen.out or (CPU_RESULT if name == "cpu" else RESULTS / name / "compiled.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "torch": torch.__version__,
        "device": name,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }
    lines = []
    for network in chosen.only or NETWORKS:
        for objectives in OBJECTIVES:
            lines.append(measured(network, objectives, chosen.device, chosen.rounds))
            print(json.dumps(lines[-1]), flush=True)
            # After every line: a call on a lent machine may be cut off.
            out.write_text(json.dumps({"about": about, "lines": lines}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
