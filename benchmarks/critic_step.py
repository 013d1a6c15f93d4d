"""Ways to take one training step of a separable critic: what was tried for the InfoNCE row of speed.py.

Each way does the same work as torch-mist's row there: towers 20-256-256, batch 128, InfoNCE, Adam; milliseconds a step.
Writes results/critic_step.json. Run alone on the machine: python benchmarks/critic_step.py
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from infotorch.estimators.bounds import infonce
from infotorch.estimators.critics import SeparableCritic

COLUMNS, WIDTH, BATCH, STEPS, REPEATS, LR = 20, 256, 128, 50, 21, 5e-4
RESULT = Path(__file__).parent / "results" / "critic_step.json"
Step = Callable[[Tensor, Tensor], None]


class StackedCritic(nn.Module):
    """Both towers as one: every layer is one batched product."""

    def __init__(self) -> None:
        super().__init__()
        towers = SeparableCritic(COLUMNS, COLUMNS, hidden=(WIDTH,), embedding=WIDTH)
        layers = [m for m in towers.modules() if isinstance(m, nn.Linear)]
        pairs = list(zip(layers[: len(layers) // 2], layers[len(layers) // 2 :], strict=True))
        self.weights = nn.ParameterList(torch.stack([m.weight.detach().T for m in pair]) for pair in pairs)
        self.biases = nn.ParameterList(torch.stack([m.bias.detach()[None] for m in pair]) for pair in pairs)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores, (n, n)."""
        rows = torch.stack([x, y])
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = torch.baddbmm(bias, rows.relu() if k else rows, weight)
        return rows[0] @ rows[1].T


def step_of(critic: nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    """The usual step."""

    def step(x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        (-infonce(critic(x, y))).backward()
        optimizer.step()

    return step


def towers() -> SeparableCritic:
    """The critic of `neural_mi`, with the widths of the benchmark."""
    return SeparableCritic(COLUMNS, COLUMNS, hidden=(WIDTH,), embedding=WIDTH)


def ways() -> dict[str, Step]:
    """What was tried."""
    found: dict[str, Step] = {}
    for name, settings in {"fused Adam (as neural_mi)": {"fused": True}, "foreach Adam": {"foreach": True}}.items():
        critic = towers()
        found[name] = step_of(critic, torch.optim.Adam(critic.parameters(), lr=LR, **settings))
    stacked = StackedCritic()
    found["both towers in one batched product"] = step_of(
        stacked, torch.optim.Adam(stacked.parameters(), lr=LR, fused=True)
    )
    half = towers()
    adam = torch.optim.Adam(half.parameters(), lr=LR, fused=True)
    plain = step_of(half, adam)

    def in_bfloat16(x: Tensor, y: Tensor) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            plain(x, y)

    found["products in bfloat16 (other numbers)"] = in_bfloat16
    return found


def main() -> None:
    """Time every way in turn and keep the medians."""
    noise = torch.randn(2, BATCH, COLUMNS, generator=torch.Generator().manual_seed(0))
    x, y = noise[0], 0.8 * noise[0] + 0.6 * noise[1]
    steps = ways()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(REPEATS + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            for _ in range(STEPS):
                step(x, y)
            if repeat:  # the first round warms up
                times[name].append((time.perf_counter() - began) / STEPS * 1e3)
    table = {name: {"median_ms_per_step": median(spent)} for name, spent in times.items()}
    RESULT.write_text(
        json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__, "ways": table}, indent=1) + "\n"
    )
    for name, row in table.items():
        print(f"{row['median_ms_per_step']:.2f} ms  {name}")


if __name__ == "__main__":
    main()
