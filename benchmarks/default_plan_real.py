"""Which objectives `fit` gives to hidden modules of real targets by default: R² on validation samples.

    python benchmarks/default_plan_real.py [--seeds 3]        a few minutes on one core

The networks, optimiser and orders of default_plan.py, the last module trained by the squared error, beside
back-propagation with as many epochs a module and with as many in all. Two sets of scikit-learn, which need no network:
`diabetes` (442 patients) and `friedman1` (1,000 samples, noise of 1). A fifth of the samples is held out, others for
every seed; inputs and targets are standardised by the other four fifths. There are no test samples.
Writes results/default_plan_real.json and prints means over seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_diabetes, make_friedman1
from torch import Tensor

import infotorch
from default_plan import DEPTHS, network, standard_error
from infotorch.numerics.seeds import seed_streams

RESULTS = Path(__file__).parent / "results" / "default_plan_real.json"
EPOCHS = {"diabetes": 40, "friedman1": 40}
HIDDEN = {"Y": ("Y", "Y"), "X then Y": ("X", "Y")}


def samples(name: str, seed: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(x, y) to learn from and (x, y) held out, standardised."""
    if name == "diabetes":
        x, y = load_diabetes(return_X_y=True)
    else:
        x, y = make_friedman1(n_samples=1000, noise=1.0, random_state=seed)
    order = torch.randperm(len(x), generator=seed_streams(seed).generator("validation"))
    held, learnt = order[: len(x) // 5], order[len(x) // 5 :]
    columns = [torch.as_tensor(np.asarray(part), dtype=torch.float32) for part in (x, y)]
    x, y = ((part - part[learnt].mean(0)) / part[learnt].std(0) for part in columns)
    return (x[learnt], y[learnt]), (x[held], y[held])


def ways(depth: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Name, times the epochs, and what `fit` is asked for; the default is "Y, sequential"."""
    yield "bp", 1, {"plan": "MSE", "cuts": ()}
    yield "bp, as many epochs as all modules", depth, {"plan": "MSE", "cuts": ()}
    for name, (first, other) in HIDDEN.items():
        plan = ",".join([first, *[other] * (depth - 2), "MSE"])
        for order in ("sequential", "simultaneous"):
            yield f"{name}, {order}", 1, {"plan": plan, "order": order}


def rows(seeds: int) -> Iterator[dict[str, Any]]:
    """One a data set, depth, seed and way."""
    for name, epochs in EPOCHS.items():
        for depth in DEPTHS:
            for seed in range(seeds):
                learnt, held = samples(name, seed)
                for way, times, asked in ways(depth):
                    model = network(learnt[0].shape[1], 1, depth, seed)
                    result = infotorch.fit(model, learnt, epochs=times * epochs, seed=seed, **asked)
                    value = round(result.evaluate(held)["r2"], 5)
                    yield {"data": name, "modules": depth, "way": way, "seed": seed, "r2": value}
            print(f"{name}, {depth} modules: done", flush=True)


def summary(table: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Way -> data and depth -> mean and standard error over seeds; and the mean over all."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in table:
        cells = found.setdefault(row["way"], {})
        cells.setdefault(f"{row['data']}, {row['modules']} modules", []).append(row["r2"])
    return {
        way: {cell: f"{mean(values):.3f} ± {standard_error(values):.3f}" for cell, values in cells.items()}
        | {"mean": f"{mean(mean(values) for values in cells.values()):.3f}"}
        for way, cells in found.items()
    }


def main() -> None:
    """Train, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    table = list(rows(seeds))
    found = {"seeds": seeds, "torch": torch.__version__, "validation R²": summary(table), "rows": table}
    lines = ",\n".join("    " + json.dumps(row) for row in table)
    head = json.dumps({**found, "rows": []}, indent=2, ensure_ascii=False).removesuffix("[]\n}")
    RESULTS.write_text(f"{head}[\n{lines}\n  ]\n}}\n", encoding="utf-8")
    for way, cells in found["validation R²"].items():
        print(f"{way}: {', '.join(f'{cell} {value}' for cell, value in cells.items())}")


if __name__ == "__main__":
    main()
