"""Scores of features: time and error of `mutual_info_scores`, beside scikit-learn's two functions and other packages.

    python benchmarks/feature_scores.py [--seeds 5] [--peers .venv-peers/lib/python3.11/site-packages]

Some three minutes on two cores with nothing else to do.

Every feature has a known information with the target, from 0 to a nat or more. A time is the least of three in one
process, the functions in turn; infomeasure and npeet-plus, which take one feature at a time, run where they are
installed and the samples are few. Ours gives p-values beside the scores. Writes results/feature_scores.json and .md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

import sklearn
from infotorch.sklearn import mutual_info_scores

RESULT = Path(__file__).parent / "results" / "feature_scores.json"
SIZES, FEATURES = (1000, 10_000), 20
# Samples of which packages that take one feature at a time are asked.
FEW = 1000
REPEATS = 3
STRENGTHS = np.linspace(0, 0.95, FEATURES)
CLASSES, SYMBOLS = np.array([0.4, 0.3, 0.2, 0.1]), 5
OURS = "infotorch"


@dataclass(frozen=True)
class Case:
    """Features and a target of known information.

    Args:
        x: (n, d).
        y: (n,).
        truth: nats, (d,).
        features: "numbers" or "symbols".
        target: likewise.
    """

    x: np.ndarray
    y: np.ndarray
    truth: np.ndarray
    features: str
    target: str


def gaussian(n: int, seed: int) -> Case:
    """Correlated normal numbers."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    x = STRENGTHS * y[:, None] + np.sqrt(1 - STRENGTHS**2) * rng.normal(size=(n, FEATURES))
    return Case(x, y, -0.5 * np.log1p(-(STRENGTHS**2)), "numbers", "numbers")


def heavy(n: int, seed: int) -> Case:
    """The same numbers through increasing maps that give them long tails."""
    case = gaussian(n, seed)
    return Case(np.exp(2 * case.x), case.y**3, case.truth, "numbers", "numbers")


def rounded(n: int, seed: int) -> Case:
    """Normal numbers of which the features are rounded to halves."""
    case = gaussian(n, seed)
    truth = np.array([_rounded_truth(strength) for strength in STRENGTHS])
    return Case(np.round(2 * case.x) / 2, case.y, truth, "numbers", "numbers")


def classes(n: int, seed: int) -> Case:
    """Numbers whose mean the class decides."""
    rng = np.random.default_rng(seed)
    y, shift = rng.choice(len(CLASSES), n, p=CLASSES), 3 * STRENGTHS
    return Case(shift * y[:, None] + rng.normal(size=(n, FEATURES)), y, _class_truth(shift), "numbers", "symbols")


def groups(n: int, seed: int) -> Case:
    """Symbols that decide the mean of the target: one of them does, and the others are changed copies of it."""
    rng = np.random.default_rng(seed)
    first = rng.choice(len(CLASSES), n, p=CLASSES)
    y = 1.5 * first + rng.normal(size=n)
    kept = rng.random((n, FEATURES)) < STRENGTHS
    x = np.where(kept, first[:, None], rng.choice(len(CLASSES), (n, FEATURES), p=CLASSES))
    return Case(x, y, np.array([_group_truth(s) for s in STRENGTHS]), "symbols", "numbers")


def symbols(n: int, seed: int) -> Case:
    """Symbols that are kept, or replaced by any."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, SYMBOLS, n)
    x = np.where(rng.random((n, FEATURES)) < STRENGTHS, y[:, None], rng.integers(0, SYMBOLS, (n, FEATURES)))
    right = STRENGTHS + (1 - STRENGTHS) / SYMBOLS
    wrong = (1 - STRENGTHS) / SYMBOLS
    noise = -right * np.log(right) - (SYMBOLS - 1) * wrong * np.log(wrong)
    return Case(x, y, math.log(SYMBOLS) - noise, "symbols", "symbols")


CASES: dict[str, Callable[[int, int], Case]] = {
    "normal": gaussian,
    "long tails": heavy,
    "rounded": rounded,
    "classes": classes,
    "groups": groups,
    "symbols": symbols,
}


def _density(at: np.ndarray) -> np.ndarray:
    return np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)


def _entropy(density: np.ndarray, step: float) -> float:
    return float(-np.sum(density * np.log(np.maximum(density, 1e-300))) * step)


def _class_truth(shifts: np.ndarray) -> np.ndarray:
    """Entropy of the mixture less that of the noise."""
    grid = np.linspace(-10, 20, 30_001)
    mixtures = [sum(p * _density(grid - shift * c) for c, p in enumerate(CLASSES)) for shift in shifts]
    noise = 0.5 * math.log(2 * math.pi * math.e)
    return np.array([_entropy(mixture, grid[1] - grid[0]) for mixture in mixtures]) - noise


def _group_truth(kept: float) -> float:
    """Of the law of y given each symbol, a mixture over what the symbol was copied from."""
    grid = np.linspace(-10, 15, 10_001)
    step, of_first = grid[1] - grid[0], np.stack([_density(grid - 1.5 * c) for c in range(len(CLASSES))])
    marginal = CLASSES @ of_first
    given = kept * of_first + (1 - kept) * marginal
    return _entropy(marginal, step) - float(sum(p * _entropy(own, step) for p, own in zip(CLASSES, given, strict=True)))


def _rounded_truth(rho: float) -> float:
    """Entropy of the rounded feature less its mean given y."""
    normal = torch.special.ndtr
    edges = torch.cat([torch.tensor([-math.inf]), torch.arange(-12, 12) / 2 + 0.25, torch.tensor([math.inf])]).double()
    y = torch.linspace(-8, 8, 4001, dtype=torch.float64)

    def entropy(cumulated: torch.Tensor) -> torch.Tensor:
        return torch.special.entr(cumulated.diff(dim=-1)).sum(dim=-1)

    given = entropy(normal((edges - rho * y[:, None]) / math.sqrt(1 - rho**2)))
    weight = torch.exp(-(y**2) / 2)
    return float(entropy(normal(edges)) - (given * weight).sum() / weight.sum())


def ours(case: Case) -> np.ndarray:
    """All features in one pass."""
    return mutual_info_scores(case.x, case.y, discrete_features=case.features == "symbols")[0]


def scikit_learn(case: Case) -> np.ndarray:
    """`mutual_info_classif` or `mutual_info_regression`, with the 3 neighbours of their defaults."""
    score = mutual_info_classif if case.target == "symbols" else mutual_info_regression
    return score(case.x, case.y, discrete_features=case.features == "symbols", random_state=0)


def infomeasure(case: Case) -> np.ndarray:
    """Its KSG or its counts, feature by feature; numbers with symbols it does not take."""
    measure = import_module("infomeasure").mutual_information
    how: dict[str, Any] = {"approach": "ksg", "k": 3} if case.features == "numbers" else {"approach": "discrete"}
    return np.array([float(measure(x, case.y, base="e", **how)) for x in case.x.T])


def npeet_plus(case: Case) -> np.ndarray:
    """Its estimator for the types, feature by feature; its `midc` hands `micd` its arguments in the wrong places."""
    package, y = import_module("npeet_plus.estimators"), case.y[:, None]
    if case.features == case.target:
        pair = package.mi if case.features == "numbers" else package.midd
        return np.array([float(pair(x[:, None], y, base=math.e)) for x in case.x.T])
    pairs = [(x[:, None], y) if case.features == "numbers" else (y, x[:, None]) for x in case.x.T]
    return np.array([float(package.micd(numbers, symbols, base=math.e)) for numbers, symbols in pairs])


def scorers(case: Case) -> Iterator[tuple[str, Callable[[Case], np.ndarray]]]:
    """Those that take such features and so many samples."""
    yield OURS, ours
    yield "scikit-learn", scikit_learn
    if len(case.x) > FEW:
        return
    if find_spec("infomeasure") and case.features == case.target:
        yield "infomeasure", infomeasure
    if find_spec("npeet_plus"):
        yield "npeet-plus", npeet_plus


def measured(name: str, n: int, seeds: int) -> dict[str, Any]:
    """Seconds, and the mean over features and seeds of the absolute error in nats, with negative scores as 0."""
    seconds: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    for seed in range(seeds):
        case = CASES[name](n, seed)
        for repeat in range(REPEATS if seed == 0 else 1):
            for scorer, score in scorers(case):
                if repeat and scorer not in {OURS, "scikit-learn"}:
                    continue
                began = time.perf_counter()
                found = score(case)
                if seed == 0:
                    seconds.setdefault(scorer, []).append(time.perf_counter() - began)
                if repeat == 0:
                    errors.setdefault(scorer, []).append(float(np.abs(found.clip(min=0) - case.truth).mean()))
    rows = {s: {"seconds": min(seconds[s]), "error_nats": float(np.mean(errors[s]))} for s in seconds}
    return {"case": name, "samples": n, "features": FEATURES, "seeds": seeds, "scorers": rows}


def table(content: dict[str, Any]) -> str:
    """The page, in Markdown."""
    host = content["machine"]
    lines = [
        "# Scores of features",
        "",
        f"`python benchmarks/feature_scores.py`: {FEATURES} features, mean absolute error in nats over features and "
        f"{content['rows'][0]['seeds']} seeds, negative scores as 0, and time as a multiple of ours, which gives "
        f"p-values beside the scores, in the same process. {host}.",
        "",
        "| features | samples | | error (nats) | time | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for row in content["rows"]:
        own = row["scorers"][OURS]["seconds"]
        for scorer, found in row["scorers"].items():
            times = f"{found['seconds'] / own:.1f}"
            told = f"{found['error_nats']:.4f} | {times} | {found['seconds']:.3f}"
            lines.append(f"| {row['case']} | {row['samples']:,} | {scorer} | {told} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peers", help="packages of another environment, searched last")
    given = parser.parse_args()
    sys.path += [given.peers] if given.peers else []
    seeds = given.seeds
    warnings.simplefilter("ignore")
    for name in CASES:  # compiled, and imported, before anything is timed
        for _, score in scorers(CASES[name](60, 0)):
            score(CASES[name](60, 0))
    rows = []
    for n in SIZES:
        for name in CASES:
            rows.append(measured(name, n, seeds))
            print(name, n, rows[-1]["scorers"], flush=True)
    versions = f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, numba {bool(find_spec('numba'))}"
    host = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, Python {platform.python_version()}"
    content = {"machine": f"{host}, {versions}", "rows": rows}
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    RESULT.with_suffix(".md").write_text(table(content), encoding="utf-8")


if __name__ == "__main__":
    main()
