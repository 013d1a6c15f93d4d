"""What autograd keeps at its highest: module by module against back-propagation and its two usual savings.

A 16-layer perceptron of width 1024, batch 512, a linear read-out of 10 classes a module.
Run: python benchmarks/memory.py
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint_sequential

from infotorch.data.batches import TensorBatches
from infotorch.objectives.labels import ReadoutInformation
from infotorch.training.loop import train
from infotorch.training.memory import SavedActivations, track_saved_activations
from infotorch.training.plan import Plan

DEPTH, WIDTH, BATCH, CLASSES = 16, 1024, 512, 10
STEPS, MIB = 8, 2**20
RESULT = Path(__file__).parent / "results" / "memory.json"

#: One forward and backward pass: (network, read-outs, x, y).
Pass = Callable[[nn.Sequential, list[nn.Linear], torch.Tensor, torch.Tensor], None]


def network() -> nn.Sequential:
    """DEPTH blocks of linear and ReLU."""
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()) for _ in range(DEPTH)))


def data(steps: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows for some steps."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps * BATCH, WIDTH, generator=generator)
    return x, torch.arange(steps * BATCH) % CLASSES


def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The same optimiser for every row."""
    return torch.optim.Adam(parameters, lr=1e-4, fused=True)


def with_plan(make: Callable[[nn.Sequential], Plan]) -> Callable[[], SavedActivations]:
    """A row that our loop trains."""

    def step() -> SavedActivations:
        plan = make(network())
        batches = TensorBatches(*data(steps=2), batch_size=BATCH)
        steps = train(plan, batches, epochs=1)
        next(steps)  # the loop counts its first step itself; the second is ours to count
        with track_saved_activations([p for module in plan for p in module.parameters()]) as saved:
            next(steps)
        return saved

    return step


def layerwise(count: int, order: str = "simultaneous") -> Callable[[nn.Sequential], Plan]:
    """DEPTH layers in `count` modules of equal depth."""
    cuts = [str(DEPTH // count * k) for k in range(1, count)]
    return lambda model: Plan.layerwise(model, cuts, ["Y"] * count, order=order, optimizer=adam)  # type: ignore[arg-type]


def end_to_end(model: nn.Sequential) -> Plan:
    """Back-propagation with one read-out."""
    return Plan.end_to_end(model, ReadoutInformation(), optimizer=adam)


def bare(run: Pass) -> Callable[[], SavedActivations]:
    """A row in plain PyTorch: `run` does forward and backward."""

    def step() -> SavedActivations:
        model, (x, y) = network(), data()
        readouts = [nn.Linear(WIDTH, CLASSES) for _ in range(DEPTH)]
        parameters = [*model.parameters(), *(p for readout in readouts for p in readout.parameters())]
        with track_saved_activations(parameters) as saved:
            run(model, readouts, x, y)
        return saved

    return step


def detach_then_one_backward(model: nn.Sequential, readouts: list[nn.Linear], x: torch.Tensor, y: torch.Tensor) -> None:
    """The trap: gradients are cut, but every graph lives until the one backward."""
    losses, hidden = [], x
    for block, readout in zip(model, readouts, strict=True):
        hidden = block(hidden.detach())
        losses.append(nn.functional.cross_entropy(readout(hidden), y))
    torch.stack(losses).sum().backward()


def checkpointed(model: nn.Sequential, readouts: list[nn.Linear], x: torch.Tensor, y: torch.Tensor) -> None:
    """Back-propagation that computes the activations of four segments again."""
    hidden = checkpoint_sequential(model, 4, x.requires_grad_(), use_reentrant=False)
    nn.functional.cross_entropy(readouts[-1](hidden), y).backward()


def accumulated(model: nn.Sequential, readouts: list[nn.Linear], x: torch.Tensor, y: torch.Tensor) -> None:
    """Back-propagation in four micro-batches."""
    for rows, labels in zip(x.chunk(4), y.chunk(4), strict=True):
        (nn.functional.cross_entropy(readouts[-1](model(rows)), labels) / 4).backward()


def seconds_per_step(plans: dict[str, Plan], repeats: int = 5) -> dict[str, float]:
    """Median seconds of a step, the rows taken in turn so that a drift of the machine hits all."""
    x, y = data(STEPS)
    times: dict[str, list[float]] = {name: [] for name in plans}
    for repeat in range(repeats + 1):
        for name, plan in plans.items():
            batches = TensorBatches(x, y, batch_size=BATCH, seed=repeat)
            began = time.perf_counter()
            for _ in train(plan, batches, epochs=1):
                continue
            if repeat:  # the first round warms up
                times[name].append((time.perf_counter() - began) / STEPS)
    return {name: sorted(values)[len(values) // 2] for name, values in times.items()}


def main() -> None:
    """Print the table and keep it."""
    rows = {
        "back-propagation": with_plan(end_to_end),
        "back-propagation, checkpoints (4)": bare(checkpointed),
        "back-propagation, accumulation (4)": bare(accumulated),
        "detach, one backward": bare(detach_then_one_backward),
        **{f"module by module, K = {count}": with_plan(layerwise(count)) for count in (2, 4, 8, 16)},
    }
    measured = {name: step() for name, step in rows.items()}
    plans = {"back-propagation": end_to_end(network())}
    plans |= {f"module by module, K = {count}": layerwise(count)(network()) for count in (2, 4, 8, 16)}
    seconds = seconds_per_step(plans)
    base_bytes = measured["back-propagation"].peak_bytes
    print(f"{'':<36} distinct  as saved  of BP   time")
    table = {}
    for name, saved in measured.items():
        share = saved.peak_bytes / base_bytes
        ratio = seconds[name] / seconds["back-propagation"] if name in seconds else None
        table[name] = {
            "distinct_mib": saved.peak_bytes / MIB,
            "as_saved_mib": saved.peak_bytes_as_saved / MIB,
            "share_of_bp": share,
            "time_ratio_to_bp": ratio,
        }
        took = "" if ratio is None else f"{ratio:.2f} x"
        distinct, as_saved = saved.peak_bytes / MIB, saved.peak_bytes_as_saved / MIB
        print(f"{name:<36} {distinct:>8.1f} {as_saved:>9.1f} {share:>6.0%} {took:>7}")
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    RESULT.parent.mkdir(exist_ok=True)
    content = {"unit": "MiB kept by autograd at its highest", "machine": machine, "rows": table}
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
