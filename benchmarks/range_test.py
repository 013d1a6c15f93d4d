"""What the cheap range test saves, and how often it agrees: `search="halving"` on short probes against the whole test.

Thirteen cases: perceptrons and convolutional networks on digits and on subsets of MNIST and Fashion-MNIST, with and
without momentum. Of the exhaustive test every candidate takes 12 parts of 25 steps, of the cheap one at most 5: for
60,000 images in batches of 128 an epoch has 469 steps, and such a part is about a nineteenth. Compared are also the
exhaustive test on probes as short as the cheap one's, which are the first 5 parts of the long ones, and the threshold
epsilon by the length of the probes, in one case.

Writes results/range_test.json after every case, and goes on where it ended:
OMP_NUM_THREADS=1 nice -n 10 python benchmarks/range_test.py
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from infotorch.data.loading import load
from infotorch.data.sets import Dataset
from infotorch.networks.convolutional import convnet
from infotorch.networks.perceptron import mlp
from infotorch.schedules.range_choice import Probe, Range, choose_range, significance, together
from infotorch.schedules.range_test import RangeOptions, RangeTest, Search, lr_range_test
from infotorch.schedules.signal import InformationSignal

Json = dict[str, Any]

RESULT = Path(__file__).parent / "results" / "range_test.json"
STEPS, BATCH, ROWS, SCORED = 25, 32, 4000, 500
LONG, SHORT, TRIALS = 12, 5, 3
STEPS_OF_60000 = 469
RATES = [mantissa * 10.0**power for power in range(-5, 0) for mantissa in (1, 2, 5)] + [1.0]


@dataclass(frozen=True)
class Case:
    """A network on some data with an optimiser and a seed."""

    data: str
    network: str
    momentum: float
    seed: int
    signal: bool = False

    @property
    def name(self) -> str:
        """As the result names it."""
        return f"{self.data} {self.network} momentum {self.momentum} seed {self.seed}"


CASES = [
    Case("digits", "mlp", 0.0, 0),
    Case("mnist", "mlp", 0.9, 0, signal=True),
    Case("digits", "mlp", 0.9, 1),
    Case("mnist", "mlp", 0.0, 1),
    Case("fashion-mnist", "mlp", 0.0, 2),
    Case("fashion-mnist", "mlp", 0.9, 3),
    Case("digits", "deep", 0.0, 4),
    Case("mnist", "deep", 0.9, 5),
    Case("fashion-mnist", "deep", 0.0, 6),
    Case("digits", "convnet", 0.0, 7),
    Case("digits", "convnet", 0.9, 8),
    Case("mnist", "convnet", 0.9, 9),
    Case("fashion-mnist", "convnet", 0.0, 10),
]


def network_of(case: Case, dataset: Dataset) -> nn.Module:
    """The case's network."""
    shape, classes = dataset.train.x.shape[1:], dataset.num_classes or 0
    if case.network == "convnet":
        return convnet(shape, (4, 8), (32,), classes, halving="stride")
    return mlp(shape.numel(), (100,) if case.network == "mlp" else (64, 64, 64), classes)


def test(case: Case, search: Search, epochs: int, dataset: Dataset) -> RangeTest:
    """A range test of the case."""
    torch.manual_seed(case.seed)
    network = network_of(case, dataset)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=case.momentum, fused=True)
    x, y = dataset.train.x, dataset.train.y
    measure = InformationSignal(network, (x, y), num_samples=300, seed=case.seed) if case.signal else None
    part = part_of(network, optimizer, x, y)
    how = RangeOptions(search=search, attribute="accuracy", seed=case.seed)
    given: Json = {"signal": measure, "rates": RATES, "trials": TRIALS, "epochs": epochs}
    return lr_range_test(network, optimizer, part, options=how, **given)


def part_of(
    network: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor
) -> Callable[[], dict[str, float]]:
    """A function that trains for 25 steps and reports."""

    def part() -> dict[str, float]:
        total, order = 0.0, torch.cat([torch.randperm(len(x)) for _ in range(-(-STEPS * BATCH // len(x)))])
        for rows in order[: STEPS * BATCH].split(BATCH):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / STEPS
        with torch.no_grad():
            right = network(x[:SCORED]).argmax(1) == y[:SCORED]
        return {"loss": total, "accuracy": right.float().mean().item()}

    return part


def cut(probes: Sequence[Probe], epochs: int) -> list[list[Probe]]:
    """The passes of an exhaustive test as they would have been with shorter probes; crashes later on are forgotten."""
    passes: list[list[Probe]] = []
    for probe in probes:
        values = {n: past[: epochs + n.startswith("information")] for n, past in probe.values.items()}
        early = probe.epochs <= epochs
        short = replace(probe, values=values, crashed=probe.crashed and early, dead=probe.dead and early)
        if not passes or probe.rate <= passes[-1][-1].rate:
            passes.append([])
        passes[-1].append(short)
    return passes


def steps_apart(one: Range | RangeTest, other: Range | RangeTest) -> Json:
    """Grid steps between two ranges; positive where the first has the higher rate."""
    ends = ("lr_min", "lr_top", "lr_max")
    return {end: RATES.index(getattr(one, end)) - RATES.index(getattr(other, end)) for end in ends}


def measure(case: Case) -> Json:
    """Both tests of a case."""
    limit = None if case.data == "digits" else ROWS
    dataset = load(case.data, seed=case.seed, limit=limit)
    assert isinstance(dataset, Dataset)
    whole = test(case, "exhaustive", LONG, dataset)
    cheap = test(case, "halving", SHORT, dataset)
    short = together([choose_range(one, "accuracy", c1=10.0) for one in cut(whole.probes, SHORT)])
    row: Json = {}
    for name, found, parts in (("exhaustive", whole, whole.epochs), ("halving", cheap, cheap.epochs)):
        steps = parts * STEPS
        row[name] = {"lr_min": found.lr_min, "lr_top": found.lr_top, "lr_max": found.lr_max, "steps": steps}
        row[name] |= {"epochs_of_60000": round(steps / STEPS_OF_60000, 2), "seconds": round(found.seconds, 1)}
        row[name] |= {"crashed": sum(probe.crashed for probe in found.probes)}
    row["exhaustive_short"] = {"lr_min": short.lr_min, "lr_top": short.lr_top, "lr_max": short.lr_max}
    row["apart"], row["apart_same_length"] = steps_apart(cheap, whole), steps_apart(cheap, short)
    if case.signal:
        every = [probe for one in cut(whole.probes, LONG) for probe in one]
        lengths = {n: [p for one in cut(every, n) for p in one] for n in (1, 2, 5, LONG)}
        row["threshold"] = {n: significance(probes, "information", c2=1.0) for n, probes in lengths.items()}
        row["threshold_halving"] = cheap.threshold
    return row


def summary(rows: Json) -> Json:
    """Shares of the cases that agree within one grid step, and the mean costs."""
    found: Json = {"cases": len(rows)}
    for against in ("apart", "apart_same_length"):
        for end in ("lr_min", "lr_top", "lr_max"):
            found[f"{against}_{end}_within_1"] = sum(abs(row[against][end]) <= 1 for row in rows.values()) / len(rows)
    for name in ("exhaustive", "halving"):
        costs = [row[name]["epochs_of_60000"] for row in rows.values()]
        found[f"{name}_epochs_of_60000"] = {"mean": round(sum(costs) / len(costs), 2), "most": max(costs)}
    return found


def main() -> None:
    """Measure what is missing, and keep it."""
    rows: Json = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else {}
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    for case in CASES:
        if case.name in rows:
            continue
        rows[case.name] = measure(case)
        content = {"machine": machine, "summary": summary(rows), "rows": rows}
        RESULT.write_text(json.dumps(content, indent=2) + "\n")
        print(case.name, rows[case.name]["apart"], rows[case.name]["halving"]["epochs_of_60000"], flush=True)


if __name__ == "__main__":
    main()
