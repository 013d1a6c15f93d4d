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
from collections.abc import Iterator
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
DATA = {"digits": (None, 20), "fashion-mnist": (5000, 10), "adult": (5000, 10)}
DEPTHS = (2, 3, 5)
HIDDEN = {"Y": ("Y", "Y"), "X then Y": ("X", "Y"), "Y:supcon": ("Y:supcon",) * 2, "Y:supcon+Y": ("Y:supcon+Y",) * 2}
WIDTH = 128


def network(inputs: int, outputs: int, depth: int, seed: int) -> nn.Module:
    """`depth` linear layers, with a ReLU between two."""
    with seed_streams(seed).as_global("init"):
        widths = [inputs, *[WIDTH] * (depth - 1)]
        blocks = [nn.Sequential(nn.Linear(before, after), nn.ReLU()) for before, after in pairwise(widths)]
        return nn.Sequential(nn.Flatten(), *blocks, nn.Linear(widths[-1], outputs))


def ways(depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What `fit` is asked for."""
    yield "bp", {"plan": "CE", "cuts": ()}
    yield "bp, as many epochs as all modules", {"plan": "CE", "cuts": (), "times": depth}
    for name, (first, other) in HIDDEN.items():
        plan = ",".join([first, *[other] * (depth - 2), "CE"])
        for order in ("sequential", "simultaneous"):
            yield f"{name}, {order}", {"plan": plan, "order": order}


def rows(seeds: int) -> Iterator[dict[str, Any]]:
    """One a data set, depth, seed and way."""
    for name, (limit, epochs) in DATA.items():
        for depth in DEPTHS:
            for seed in range(seeds):
                data = infotorch.load(name, seed=seed, limit=limit)
                train, held = data.train, data.validation
                classes = int(train.y.max()) + 1
                for way, asked in ways(depth):
                    model = network(train.x[0].numel(), classes, depth, seed)
                    times = asked.pop("times", 1)
                    result = infotorch.fit(model, train, epochs=times * epochs, seed=seed, **asked)
                    value = plan_accuracy(result.plan, held.x, held.y)
                    yield {"data": name, "modules": depth, "way": way, "seed": seed, "accuracy": round(value, 5)}
            print(f"{name}, {depth} modules: done", flush=True)


def summary(table: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Way -> data and depth -> mean and standard error over seeds, in percent; and the mean over all."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in table:
        cells = found.setdefault(row["way"], {})
        cells.setdefault(f"{row['data']}, {row['modules']} modules", []).append(100 * row["accuracy"])
    return {
        way: {cell: f"{mean(values):.2f} ± {standard_error(values):.2f}" for cell, values in cells.items()}
        | {"mean": f"{mean(mean(values) for values in cells.values()):.2f}"}
        for way, cells in found.items()
    }


def standard_error(values: list[float]) -> float:
    """Of the mean over seeds; nan of one seed."""
    return stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def main() -> None:
    """Train, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    table = list(rows(seeds))
    found = {"seeds": seeds, "torch": torch.__version__, "validation accuracy, %": summary(table), "rows": table}
    lines = ",\n".join("    " + json.dumps(row) for row in table)
    head = json.dumps({**found, "rows": []}, indent=2, ensure_ascii=False).removesuffix("[]\n}")
    RESULTS.write_text(f"{head}[\n{lines}\n  ]\n}}\n", encoding="utf-8")
    for way, cells in found["validation accuracy, %"].items():
        print(f"{way}: {', '.join(f'{cell} {value}' for cell, value in cells.items())}")


if __name__ == "__main__":
    main()
