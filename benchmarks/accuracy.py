"""Error against the known truth, for every estimator: over sample sizes, dimensions and families of laws.

Each cell (estimator, law, n) is the mean over seeds of estimate - truth, its spread, how often the 95 % interval
holds it, and the seconds of one estimate. "coverage" counts the latter over many seeds where bias is small.
"choice" compares `mutual_information` with plain `ksg(x, y, k=3)` on the broad suite, on which nothing is tuned.

Run: python benchmarks/accuracy.py            (goes on where it stopped; --fresh starts again)
     python benchmarks/accuracy.py --only ksg (rows whose name contains it, computed afresh)
     python benchmarks/accuracy.py --report   (table and figure alone)
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch

import infotorch
from accuracy_cases import Case, cases
from accuracy_report import write_report
from accuracy_rows import COVERAGE, Row, available_rows
from infotorch.distributions import JointLaw, suite, tuning_suite
from infotorch.estimators.estimate import Estimate

RESULT = Path(__file__).parent / "results" / "accuracy.json"
CHOICE_N, CHOICE_SEEDS = 3000, 5
COVERAGE_N, COVERAGE_SEEDS = 1000, 300

Json = dict[str, Any]


def generator_for(case: str, n: int, seed: int) -> torch.Generator:
    """The same sample for every estimator."""
    return torch.Generator().manual_seed(zlib.crc32(f"{case} {n} {seed}".encode()))


def measure(row: Row, name: str, case: Case, n: int) -> Json:
    """One cell: an estimator on a law at one sample size."""
    errors, covered, seconds = [], [], []
    for seed in range(row.seeds):
        sample = case.draw(n, generator_for(name, n, seed))
        truth = case.truth if row.truth is None else row.truth(sample)
        began = time.perf_counter()
        estimate = row.estimate(sample)
        seconds.append(time.perf_counter() - began)
        errors.append(float(estimate) - truth)
        if isinstance(estimate, Estimate) and math.isfinite(estimate.std_error):
            covered.append(holds(estimate, truth))
    return {
        "estimator": row.name,
        "group": row.group,
        "law": name,
        "n": n,
        "truth_nats": case.truth if row.truth is None else None,
        "mean_error_nats": statistics.fmean(errors),
        "spread_nats": statistics.stdev(errors),
        "errors_nats": errors,
        "coverage_95": statistics.fmean(covered) if covered else None,
        "seconds": statistics.median(seconds),
    }


def holds(estimate: Estimate, truth: float) -> bool:
    """Whether the truth lies within 1.96 standard errors, or between the quantiles of an estimate that has them."""
    half = 1.96 * estimate.std_error
    low, high = estimate.interval() if estimate.quantiles else (float(estimate) - half, float(estimate) + half)
    return low <= truth <= high


def coverage(row: Row, name: str, case: Case) -> Json:
    """How often the 95 % interval holds the truth; three hundred seeds know that share to about 1.3 points."""
    errors, std_errors, held = [], [], []
    for seed in range(COVERAGE_SEEDS):
        sample = case.draw(COVERAGE_N, generator_for(f"coverage {name}", COVERAGE_N, seed))
        estimate = row.estimate(sample)
        assert isinstance(estimate, Estimate), f"{row.name} has no standard error"
        truth = case.truth if row.truth is None else row.truth(sample)
        errors.append(float(estimate) - truth)
        std_errors.append(estimate.std_error)
        held.append(holds(estimate, truth))
    found = {
        "estimator": row.name,
        "law": name,
        "n": COVERAGE_N,
        "seeds": COVERAGE_SEEDS,
        "coverage_95": statistics.fmean(held),
        "bias_nats": statistics.fmean(errors),
        "spread_nats": statistics.stdev(errors),
        "mean_std_error_nats": statistics.fmean(std_errors),
    }
    print(f"coverage  {row.name:36s} {name:26s} {100 * found['coverage_95']:.1f} %", flush=True)
    return found


def mean_absolute_error(estimate: Callable[..., Any], laws: dict[str, JointLaw], label: str) -> Json:
    """Mean over laws and seeds of |estimate - truth|, and each law's own."""
    by_law = {}
    for name, law in laws.items():
        truth = law.mutual_information()
        samples = (law.sample(CHOICE_N, generator_for(name, CHOICE_N, seed)) for seed in range(CHOICE_SEEDS))
        by_law[name] = statistics.fmean(abs(float(estimate(x, y)) - truth) for x, y in samples)
    mean = statistics.fmean(by_law.values())
    print(f"choice  {label:28s} mean absolute error {mean:.4f}", flush=True)
    return {"mean_absolute_error_nats": mean, "by_law": by_law}


def choice(kind: str, laws: dict[str, JointLaw]) -> Json:
    """`mutual_information` left to choose against plain KSG."""
    plain = mean_absolute_error(lambda x, y: infotorch.ksg(x, y, k=3), laws, f"{kind}, ksg k=3")
    chosen = mean_absolute_error(infotorch.mutual_information, laws, f"{kind}, mutual_information")
    ratio = chosen["mean_absolute_error_nats"] / plain["mean_absolute_error_nats"]
    print(f"choice  {kind}: ratio {ratio:.3f} over {len(laws)} laws", flush=True)
    return {"n": CHOICE_N, "seeds": CHOICE_SEEDS, "ratio": ratio, "ksg k=3": plain, "mutual_information": chosen}


def machine() -> Json:
    """What the seconds depend on."""
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "infotorch": infotorch.__version__,
    }


def save(result: Json) -> None:
    """Whole or not at all: a kill leaves the file of the cell before."""
    partial = RESULT.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    partial.replace(RESULT)


def run(rows: list[Row], result: Json) -> None:
    """Fill in what is missing of the cells of `rows`."""
    laws = cases()
    done = {(cell["estimator"], cell["law"], cell["n"]) for cell in result["cells"]}
    todo = [(row, name, n) for row in rows for name in row.laws for n in row.sizes]
    todo = [(row, name, n) for row, name, n in todo if (row.name, name, n) not in done]
    for number, (row, name, n) in enumerate(todo, 1):
        cell = measure(row, name, laws[name], n)
        result["cells"].append(cell)
        save(result)
        error = f"{cell['mean_error_nats']:+.3f} ± {cell['spread_nats']:.3f}"
        print(
            f"{number:4d}/{len(todo)}  {row.name:36s} {name:26s} n={n:<6d} {error}  {cell['seconds']:.2f}s", flush=True
        )


def run_coverage(rows: list[Row], result: Json) -> None:
    """Fill in what is missing of the coverage of `rows`."""
    laws = cases()
    done = {(found["estimator"], found["law"]) for found in result["coverage"]}
    for row in rows:
        for name in COVERAGE.get(row.name, ()):
            if (row.name, name) not in done:
                result["coverage"].append(coverage(row, name, laws[name]))
                save(result)


def main() -> None:
    """Measure what is missing, then write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="rows whose name contains TEXT ('choice' too), afresh"
    )
    parser.add_argument("--report", action="store_true", help="measure nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = not args.fresh and RESULT.exists()
    result = json.loads(RESULT.read_text(encoding="utf-8")) if kept else {"cells": [], "choice": {}, "coverage": []}
    if not args.report:
        rows = available_rows()
        redo = {row.name for row in rows if args.only and args.only in row.name}
        planned = {(row.name, law) for row in rows if row.name not in redo for law in row.laws}
        result = {
            "unit": "nats; error is estimate - truth",
            "machine": machine(),
            "choice": {} if args.only and args.only in "choice" else result["choice"],
            "coverage": [found for found in result["coverage"] if (found["estimator"], found["law"]) in planned],
            "cells": [cell for cell in result["cells"] if (cell["estimator"], cell["law"]) in planned],
        }
        for kind, laws in (("suite", suite()), ("tuning_suite", tuning_suite())):
            if kind not in result["choice"]:
                result["choice"][kind] = choice(kind, laws)
                save(result)
        run(rows, result)
        run_coverage(rows, result)
    write_report(result, RESULT)


if __name__ == "__main__":
    main()
