"""What autograd keeps at its highest, and the time of a step: K modules, back-propagation and its two usual savings.

A 16-layer perceptron of width 1024, batch 512, a linear read-out of 10 classes a module.
Run: python benchmarks/memory.py
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint_sequential

from infotorch.data.batches import TensorBatches
from infotorch.objectives.labels import ReadoutInformation
from infotorch.training.loop import train
from infotorch.training.memory import SavedActivations, track_saved_activations
from infotorch.training.plan import Plan

DEPTH, WIDTH, BATCH, CLASSES = 16, 1024, 512, 10
ROUNDS, MIB = 9, 2**20
RESULT = Path(__file__).parent / "results" / "memory.json"

#: One forward and backward pass: (network, read-outs, x, y).
Pass = Callable[[nn.Sequential, list[nn.Linear], torch.Tensor, torch.Tensor], None]


def network() -> nn.Sequential:
    """DEPTH blocks of linear and ReLU."""
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()) for _ in range(DEPTH)))


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of every step."""
    return torch.randn(BATCH, WIDTH, generator=torch.Generator().manual_seed(0)), torch.arange(BATCH) % CLASSES


def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The same optimiser for every row."""
    return torch.optim.Adam(parameters, lr=1e-4, fused=True)


def steps_of_plan(make: Callable[[nn.Sequential], Plan]) -> tuple[list[nn.Parameter], Iterator[object]]:
    """The parameters of a row that our loop trains, and its steps; the loop watches the memory of its first itself."""
    plan = make(network())
    x, y = data()
    steps = train(plan, TensorBatches(x, y, batch_size=BATCH), epochs=10**6)
    next(steps)
    return [parameter for module in plan for parameter in module.parameters()], steps


def layerwise(count: int) -> Callable[[nn.Sequential], Plan]:
    """DEPTH layers in `count` modules of equal depth, all trained in every step."""
    cuts = [str(DEPTH // count * k) for k in range(1, count)]
    return lambda model: Plan.layerwise(model, cuts, ["Y"] * count, order="simultaneous", optimizer=adam)


def end_to_end(model: nn.Sequential) -> Plan:
    """Back-propagation with one read-out."""
    return Plan.end_to_end(model, ReadoutInformation(), optimizer=adam)


def bare_steps(run: Pass) -> tuple[list[nn.Parameter], Iterator[object]]:
    """The parameters of a row in plain PyTorch, where `run` does forward and backward, and its steps."""
    model, readouts, (x, y) = network(), [nn.Linear(WIDTH, CLASSES) for _ in range(DEPTH)], data()
    parameters = [*model.parameters(), *(p for readout in readouts for p in readout.parameters())]
    optimizer = adam(parameters)

    def steps() -> Iterator[object]:
        while True:
            optimizer.zero_grad(set_to_none=True)
            run(model, readouts, x, y)
            optimizer.step()
            yield None

    return parameters, steps()


def detach_then_one_backward(model: nn.Sequential, readouts: list[nn.Linear], x: torch.Tensor, y: torch.Tensor) -> None:
    """The trap: gradients are cut, but every graph lives until the one backward."""
    losses, hidden = [], x
    for block, readout in zip(model, readouts, strict=True):
        hidden = block(hidden.detach())
        losses.append(nn.functional.cross_entropy(readout(hidden), y))
    torch.stack(losses).sum().backward()


def checkpointed(model: nn.Sequential, readouts: list[nn.Linear], x: torch.Tensor, y: torch.Tensor) -> None:
    """Back-propagation that computes the activations of four segments again."""
    hidden = checkpoint_sequential(model, 4, x, use_reentrant=False)
    nn.functional.cross_entropy(readouts[-1](hidden), y).backward()


def accumulated(model: nn.Sequential, readouts: list[nn.Linear], x: torch.Tensor, y: torch.Tensor) -> None:
    """Back-propagation in four micro-batches."""
    for rows, labels in zip(x.chunk(4), y.chunk(4), strict=True):
        (nn.functional.cross_entropy(readouts[-1](model(rows)), labels) / 4).backward()


def seconds(steps: Iterator[object]) -> float:
    """The processor's time for the next step, which other processes disturb less than a clock's."""
    began = time.process_time()
    next(steps)
    return time.process_time() - began


def time_ratios(rows: dict[str, Iterator[object]], base: str, rounds: int = ROUNDS) -> dict[str, float]:
    """Name -> median ratio to a step of `base` taken right before; the rows in turn, so that a drift hits all."""
    seen: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(rounds + 1):
        for name, steps in rows.items():
            beside = seconds(rows[base])
            ratio = seconds(steps) / beside
            if turn:  # the first round warms up
                seen[name].append(ratio)
    return {name: median(values) for name, values in seen.items()}


def main() -> None:
    """Print the table and keep it."""
    torch.set_num_threads(1)
    made = {
        "back-propagation": steps_of_plan(end_to_end),
        "back-propagation, checkpoints (4)": bare_steps(checkpointed),
        "back-propagation, accumulation (4)": bare_steps(accumulated),
        "detach, one backward": bare_steps(detach_then_one_backward),
        **{f"module by module, K = {count}": steps_of_plan(layerwise(count)) for count in (1, 2, 4, 8, 16)},
    }
    base = next(iter(made))
    measured: dict[str, SavedActivations] = {}
    for name, (parameters, steps) in made.items():
        with track_saved_activations(parameters) as measured[name]:
            next(steps)
    ratios = time_ratios({name: steps for name, (_, steps) in made.items()}, base)
    print(f"{'':<36} distinct  as saved  of BP   time")
    table = {}
    for name, saved in measured.items():
        table[name] = {
            "distinct_mib": saved.peak_bytes / MIB,
            "as_saved_mib": saved.peak_bytes_as_saved / MIB,
            "share_of_bp": saved.peak_bytes / measured[base].peak_bytes,
            "time_ratio_to_bp": ratios[name],
        }
        distinct, as_saved, share, ratio = table[name].values()
        print(f"{name:<36} {distinct:>8.1f} {as_saved:>9.1f} {share:>6.0%} {ratio:>5.2f} x")
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    content = {
        "unit": "MiB kept by autograd at its highest; processor time of a step, back-propagation = 1",
        "machine": machine,
        "rows": table,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
