"""Figure 3 of Han et al. 2023 under every rule for the classes and every start that the paper leaves open.

Networks of all rules, starts and seeds move side by side, as one network whose layers have a leading axis: full-batch
gradient descent on the sum of their losses moves each as if it were alone. Rates are the paper's (0.1, 10, 100), and
back-propagation has five rates. The recipe `prox-binary` takes one rule and one start, and searches rates.
Run: python benchmarks/prox_binary.py
"""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn

from infotorch.data.binary import RULES
from infotorch.data.loading import load
from infotorch.data.sets import Dataset
from infotorch.networks.layers import STARTS, initialise
from infotorch.networks.perceptron import mlp
from infotorch.numerics.seeds import seed_streams
from infotorch.updates.proximal import ProximalSplit

SEEDS, STEPS, EVERY = 3, 1000, 50
#: A network has learnt its classes when its training accuracy is at least this.
LEARNT = 0.9
BACKWARD, STEP_SIZE, FORWARD = 0.1, 10.0, 100.0
RATES = (0.1, 1.0, 10.0, 30.0, 100.0)
ORDERS = {"order1": 1, "order2": 2, "hybrid": "hybrid"}
RESULT = Path(__file__).parent / "results" / "prox_binary.json"


class Side(nn.Module):
    """Linear layers of several networks side by side: (networks, b, i) -> (networks, b, o)."""

    def __init__(self, layers: list[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers])[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """Each network's rows by its own weights."""
        return torch.baddbmm(self.bias, x, self.weight)


def side_by_side(networks: list[nn.Sequential]) -> nn.Sequential:
    """Networks of the same layers as one, layer names kept."""
    together = nn.Sequential()
    for name, layer in networks[0].named_children():
        linear = isinstance(layer, nn.Linear)
        if not isinstance(layer, nn.Flatten):
            together.add_module(name, Side([n.get_submodule(name) for n in networks]) if linear else nn.Sigmoid())  # pyright: ignore
    return together


def network(start: str, seed: int) -> nn.Sequential:
    """The recipe's network."""
    with seed_streams(seed).as_global("init"):
        made = mlp(2, (8, 8, 8, 8), 2, activation="sigmoid", squash=True)
        initialise(made, start)  # pyright: ignore[reportArgumentType]
    return made


def loss_of(targets: Tensor) -> Callable[[Tensor], Tensor]:
    """The sum over networks of their mean squared errors."""
    return lambda output: (output - targets).square().mean(dim=(1, 2)).sum()


def bp_step(model: nn.Sequential, rate: float) -> Callable[[Tensor, Callable[[Tensor], Tensor]], tuple[Tensor, Tensor]]:
    """Plain gradient descent."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)

    def step(x: Tensor, loss_fn: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        optimizer.zero_grad()
        output = model(x)
        loss = loss_fn(output)
        loss.backward()
        optimizer.step()
        return output.detach(), loss.detach()

    return step


def split_step(model: nn.Sequential, order: int | str) -> Callable[..., tuple[Tensor, Tensor]]:
    """A proximal split in the middle at the paper's rates."""
    split = ProximalSplit.at(
        model,
        "fc3",
        order=order,
        step_size=STEP_SIZE,
        forward_optimizer=lambda parameters: torch.optim.SGD(parameters, lr=FORWARD),
        backward_optimizer=lambda parameters: torch.optim.SGD(parameters, lr=BACKWARD),
    )

    def step(x: Tensor, loss_fn: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        info = split.step(x, loss_fn)
        return info.output, info.loss

    return step


def curves(step: Callable[..., tuple[Tensor, Tensor]], x: Tensor, y: Tensor, steps: int) -> list[Tensor]:
    """Training accuracy of each network before every step, (networks,) a step."""
    loss_fn = loss_of(nn.functional.one_hot(y, 2).to(x))
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that order 2 stalls is what the table says
        for _ in range(steps):
            output, _ = step(x, loss_fn)
            seen.append((output.argmax(dim=2) == y).double().mean(dim=1))
    return seen


def summary(seen: list[Tensor], rules: list[str], starts: list[str]) -> dict[str, dict[str, dict[str, float | int]]]:
    """Rule -> start -> mean accuracy at the end, networks that learnt their classes, and their mean first step."""
    table: dict[str, dict[str, dict[str, float | int]]] = {}
    stacked = torch.stack(seen)
    for rule in dict.fromkeys(rules):
        for start in dict.fromkeys(starts):
            which = [n for n in range(len(rules)) if (rules[n], starts[n]) == (rule, start)]
            ends = stacked[-1, which]
            firsts = [int(stacked[:, n].ge(LEARNT).nonzero()[0]) for n in which if stacked[-1, n] >= LEARNT]
            row: dict[str, float | int] = {"train_accuracy": round(ends.mean().item(), 4), "learnt": len(firsts)}
            table.setdefault(rule, {})[start] = row | ({"steps": round(fmean(firsts))} if firsts else {})
    return table


def main() -> None:
    """Print what was learnt, and keep it."""
    torch.set_num_threads(1)
    cells = [(rule, start, seed) for rule in RULES for start in STARTS for seed in range(SEEDS)]
    sets = [load(f"binary-{rule}", seed=seed) for rule, _, seed in cells]
    parts = [part.train for part in sets if isinstance(part, Dataset)]
    x, y = torch.stack([part.x for part in parts]), torch.stack([part.y for part in parts])

    def model() -> nn.Sequential:
        return side_by_side([network(start, seed) for _, start, seed in cells])

    updates = {f"bp {rate:g}": bp_step(model(), rate) for rate in RATES}
    updates |= {name: split_step(model(), order) for name, order in ORDERS.items()}
    rows = {}
    for name, step in updates.items():
        rows[name] = summary(curves(step, x, y, STEPS), [cell[0] for cell in cells], [cell[1] for cell in cells])
        print(name)
        for rule, by_start in rows[name].items():
            print(f"  {rule:<10}", *by_start.values(), flush=True)
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": 1}
    content = {
        "unit": f"training accuracy after {STEPS} steps; how many of {SEEDS} networks learnt their classes (a training "
        f"accuracy of {LEARNT} or more at the end), and the first step at which these had it, on average",
        "machine": machine,
        "rows": rows,
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
