"""How often the doubt that neighbours fall short is missed, and how often it is raised in vain.

    python benchmarks/shortfall.py [--seeds 1]        about four minutes on one core

Laws with known information: d columns of which one pair, or every pair, is correlated ("idle", "spread"), one pair
whose dependence no correlation sees ("unseen"), and the tuning and the reporting suite of `infotorch.distributions`. A
value is *right* where it lies within two standard errors of the truth or above, *far short* where it lies more than
that, a quarter and 0.2 nats below. Writes results/shortfall.json and prints the rates.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import infotorch
from infotorch.distributions import suite, tuning_suite

RESULTS = Path(__file__).parent / "results" / "shortfall.json"
SIZES, COLUMNS, NATS = (100, 300, 1000), (2, 3, 4, 6, 8, 10, 14, 20, 28, 40), (0.0, 0.3, 0.7, 1.5, 3.0, 5.0)
# An error in nats that a doubt should find.
FAR = 0.2
MEASURES = {"ksg": infotorch.ksg, "mutual_information": infotorch.mutual_information}


def pairs(kind: str, n: int, columns: int, nats: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Half of the columns on each side, so many nats in one pair or in all."""
    half = columns // 2
    shared = half if kind == "spread" else 1
    rho = math.sqrt(-math.expm1(-2 * nats / shared))
    x = torch.randn(n, half, generator=generator, dtype=torch.float64)
    y = torch.randn(n, columns - half, generator=generator, dtype=torch.float64)
    y[:, :shared] = rho * x[:, :shared] + math.sqrt(1 - rho**2) * y[:, :shared]
    if kind == "unseen":  # a random sign tells nothing, and hides the rest from correlations
        x[:, 0] = x[:, 0].exp() * (2 * torch.randint(2, (n,), generator=generator) - 1)
    return x, y


def samples(n: int, seed: int) -> Iterator[tuple[str, str, float, Tensor, Tensor]]:
    """(group, law, truth in nats, x, y)."""
    for kind in ("idle", "spread", "unseen"):
        for columns in COLUMNS[2 * (kind == "spread") :]:
            for nats in NATS:
                generator = torch.Generator().manual_seed(1000 * seed + columns)
                yield kind, f"{kind} {columns}", nats, *pairs(kind, n, columns, nats, generator)
    for group, laws in (("tuning suite", tuning_suite()), ("suite", suite())):
        for name, law in laws.items():
            yield group, name, law.mutual_information(), *law.sample(n, torch.Generator().manual_seed(seed))


def verdict(value: float, error: float, truth: float) -> str:
    """Right, short, or far short."""
    short = truth - value
    if short <= 2 * error:
        return "right"
    return "far short" if value < 0.75 * truth and short > 0.2 else "short"


def rows(seeds: int) -> Iterator[dict[str, Any]]:
    """One an estimator, a law, a size and a seed."""
    for n in SIZES:
        for seed in range(seeds):
            for group, law, truth, x, y in samples(n, seed):
                for name, measure in MEASURES.items():
                    found = measure(x, y)
                    value, error = round(float(found), 4), round(found.std_error, 4)
                    yield {
                        "estimator": name,
                        "group": group,
                        "law": law,
                        "n": n,
                        "truth": round(truth, 4),
                        "value": value,
                        "std_error": error,
                        "reliable": found.reliable,
                        "verdict": verdict(value, error, truth),
                    }
        print(f"n = {n} done", flush=True)


def rates(table: list[dict[str, Any]]) -> dict[str, str]:
    """How many were doubted of all, for every estimator, group and verdict: misses are the rest of "far short"."""
    found: dict[str, list[bool]] = {}
    for row in table:
        far = abs(row["value"] - row["truth"]) > FAR
        for kind in (row["verdict"], f"off by {FAR} nats" if far else f"within {FAR} nats"):
            found.setdefault(f"{row['estimator']}, {row['group']}, {kind}", []).append(not row["reliable"])
    return {key: f"{sum(doubted)} of {len(doubted)}" for key, doubted in sorted(found.items())}


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore", UserWarning)
    table = list(rows(seeds))
    found = {"seeds": seeds, "torch": torch.__version__, "doubted": rates(table), "rows": table}
    lines = ",\n".join("    " + json.dumps(row) for row in table)
    head = json.dumps({**found, "rows": []}, indent=2).removesuffix("[]\n}")
    RESULTS.write_text(f"{head}[\n{lines}\n  ]\n}}\n")
    for key, value in found["doubted"].items():
        print(f"{key}: doubted {value}")


if __name__ == "__main__":
    main()
