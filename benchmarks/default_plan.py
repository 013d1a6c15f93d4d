"""Which objectives `fit` gives to hidden modules by default: validation accuracy, beside back-propagation.

    python benchmarks/default_plan.py [--seeds 3]        about ten minutes on one core

Rows of linear layers and ReLU with 2, 3 and 5 modules, the last trained by cross-entropy, at the defaults of `fit`
(Adam, 1e-3, batches of 128). All rows have the same number of epochs: of each module in sequential order, of the run in
simultaneous order and in back-propagation; a second row of back-propagation has as many as a sequential run in all.
Nothing here looks at test samples. Writes results/default_plan.json and
prints means over seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import nn

import infotorch
from infotorch.numerics.seeds import seed_streams
from infotorch.training.evaluate import plan_accuracy

RESULTS = Path(__file__).parent / "results" / "default_plan.json"
LIMITS = {"digits": None, "fashion-mnist": 5000, "adult": 5000}
EPOCHS = {"digits": 20, "fashion-mnist": 10, "adult": 10}
DEPTHS = (2, 3, 5)
HIDDEN = {"Y": ("Y", "Y"), "X then Y": ("X", "Y"), "Y:supcon": ("Y:supcon",) * 2, "Y:supcon+Y": ("Y:supcon+Y",) * 2}
WIDTH = 128


def network(inputs: int, outputs: int, depth: int, seed: int) -> nn.Module:
    """`depth` linear layers, with a ReLU between two."""
    with seed_streams(seed).as_global("init"):
        widths = [inputs, *[WIDTH] * (depth - 1)]
        blocks = [nn.Sequential(nn.Linear(before, after), nn.ReLU()) for before, after in pairwise(widths)]
        return nn.Sequential(nn.Flatten(), *blocks, nn.Linear(widths[-1], outputs))


def standard_error(values: list[float]) -> float:
    """Of the mean over seeds; nan of one seed."""
    return stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


@dataclass(frozen=True)
class Comparison:
    """What is tried on which samples, and how it is scored and told.

    Args:
        epochs: data set -> epochs of a module.
        hidden: name -> objectives of the first module, and of the other hidden ones.
        last: objective of the last module.
        samples: (data set, seed) -> what is learnt from, what is held out, inputs and outputs of a network.
        score: (result of `fit`, what is held out) -> the number.
        key: its name in a row.
        title: of the summary.
        digits: behind the point of the summary's cells.
        factor: of the summary's numbers to those of the rows.
    """

    epochs: Mapping[str, int]
    hidden: Mapping[str, tuple[str, str]]
    last: str
    samples: Callable[[str, int], tuple[Any, Any, int, int]]
    score: Callable[[infotorch.FitResult, Any], float]
    key: str
    title: str
    digits: int
    factor: float = 1.0

    def ways(self, depth: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Name, times the epochs, and what `fit` is asked for."""
        yield "bp", 1, {"plan": self.last, "cuts": ()}
        yield "bp, as many epochs as all modules", depth, {"plan": self.last, "cuts": ()}
        for name, (first, other) in self.hidden.items():
            plan = ",".join([first, *[other] * (depth - 2), self.last])
            for order in ("sequential", "simultaneous"):
                yield f"{name}, {order}", 1, {"plan": plan, "order": order}

    def rows(self, seeds: int) -> Iterator[dict[str, Any]]:
        """One a data set, depth, seed and way."""
        for name, epochs in self.epochs.items():
            for depth in DEPTHS:
                for seed in range(seeds):
                    learnt, held, inputs, outputs = self.samples(name, seed)
                    for way, times, asked in self.ways(depth):
                        model = network(inputs, outputs, depth, seed)
                        result = infotorch.fit(model, learnt, epochs=times * epochs, seed=seed, **asked)
                        value = round(self.score(result, held), 5)
                        yield {"data": name, "modules": depth, "way": way, "seed": seed, self.key: value}
                print(f"{name}, {depth} modules: done", flush=True)

    def summary(self, table: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
        """Way -> data and depth -> mean and standard error over seeds; and the mean over all."""
        found: dict[str, dict[str, list[float]]] = {}
        for row in table:
            cells = found.setdefault(row["way"], {})
            cells.setdefault(f"{row['data']}, {row['modules']} modules", []).append(self.factor * row[self.key])

        def told(value: float) -> str:
            return f"{value:.{self.digits}f}"

        return {
            way: {cell: f"{told(mean(values))} ± {told(standard_error(values))}" for cell, values in cells.items()}
            | {"mean": told(mean(mean(values) for values in cells.values()))}
            for way, cells in found.items()
        }

    def main(self, results: Path, said: str | None) -> None:
        """Train, write, print."""
        parser = argparse.ArgumentParser(description=said)
        parser.add_argument("--seeds", type=int, default=3)
        seeds = parser.parse_args().seeds
        table = list(self.rows(seeds))
        found = {"seeds": seeds, "torch": torch.__version__, self.title: self.summary(table), "rows": table}
        lines = ",\n".join("    " + json.dumps(row) for row in table)
        head = json.dumps({**found, "rows": []}, indent=2, ensure_ascii=False).removesuffix("[]\n}")
        results.write_text(f"{head}[\n{lines}\n  ]\n}}\n", encoding="utf-8")
        for way, cells in found[self.title].items():
            print(f"{way}: {', '.join(f'{cell} {value}' for cell, value in cells.items())}")


def samples(name: str, seed: int) -> tuple[Any, Any, int, int]:
    """Training and validation part, inputs and classes."""
    data = infotorch.load(name, seed=seed, limit=LIMITS[name])
    return data.train, data.validation, data.train.x[0].numel(), int(data.train.y.max()) + 1


def accuracy(result: infotorch.FitResult, held: Any) -> float:
    """The share of held-out samples whose class is right."""
    return plan_accuracy(result.plan, held.x, held.y)


CLASSES = Comparison(EPOCHS, HIDDEN, "CE", samples, accuracy, "accuracy", "validation accuracy, %", 2, 100.0)

if __name__ == "__main__":
    CLASSES.main(RESULTS, __doc__)
