"""Intervals and flags of `mutual_information`: how often they hold the truth, and which errors they find.

    python benchmarks/flags.py [--seeds 3] [--sets tuning suite unseen] [--fresh]        an hour on one core

The factor by which the amortised estimator's quantiles are moved from the median, and the width of an interval from
which it is doubted, are chosen on `tuning_suite` alone, by the first two tables of the page. `suite` and the families
of `amortised.unseen` then tell what they are worth. A doubt is ranked by the flag first and by `std_error` second.
Writes results/flags.json and .md; goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import warnings
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import roc_auc_score

import infotorch
from amortised.unseen import families
from infotorch.distributions import JointLaw, suite, tuning_suite
from infotorch.numerics.seeds import derive_seed

RESULT = Path(__file__).parent / "results" / "flags.json"
SIZES, FAR = (300, 1000, 3000), 0.2
FACTORS, WIDTHS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5), (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
SETS = {
    "tuning": "`tuning_suite()`, to choose on",
    "suite": "`suite()`, 41 laws",
    "unseen": "families that the network was not trained on",
}

Json = dict[str, Any]


def laws_of(name: str) -> dict[str, JointLaw]:
    """The laws of a set."""
    if name == "unseen":
        return {f"{family} {law}": made for family, laws in families().items() for law, made in laws.items()}
    return {"tuning": tuning_suite, "suite": suite}[name]()


def estimate(name: str, law: JointLaw, n: int, seed: int) -> Json:
    """One estimate, its interval and its flag."""
    x, y = law.sample(n, torch.Generator().manual_seed(derive_seed(seed, f"flags {name}", n)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = infotorch.mutual_information(x, y)
    low, high = found.interval()
    return {
        "truth": law.mutual_information(),
        "value": float(found),
        "std_error": found.std_error,
        "low": low,
        "high": high,
        "reliable": found.reliable,
        "quantiles": [list(pair) for pair in found.quantiles],
    }


def measure(sets: list[str], seeds: int, lines: list[Json]) -> None:
    """A line for each estimate that is not yet there."""
    there = {(line["set"], line["law"], line["n"], line["seed"]) for line in lines}
    for set_name in sets:
        for seed in range(seeds):
            for n in SIZES:
                for law, made in laws_of(set_name).items():
                    if (set_name, law, n, seed) not in there:
                        own = {"set": set_name, "law": law, "n": n, "seed": seed}
                        lines.append({**own, **estimate(law, made, n, seed)})
                write(lines)
                print(f"{set_name} n = {n} seed {seed}", flush=True)


def error(line: Json) -> float:
    """Of the value, in nats."""
    return abs(line["value"] - line["truth"])


def held(line: Json, factor: float = 1.0) -> bool:
    """Whether the 95 % interval holds the truth, were its ends so many times as far from the value."""
    value = line["value"]
    return value + factor * (line["low"] - value) <= line["truth"] <= value + factor * (line["high"] - value)


def ranked(lines: list[Json]) -> float | None:
    """Area under the curve of doubts that find errors above `FAR`; None where all are, or none is."""
    far = [error(line) > FAR for line in lines]
    if len(set(far)) < 2:
        return None
    most = max(line["std_error"] for line in lines)
    return float(roc_auc_score(far, [line["std_error"] + most * (not line["reliable"]) for line in lines]))


def flags(lines: list[Json]) -> str:
    """Cells of a table: how many, mean error, coverage, errors above `FAR`, how many of these are flagged, others."""
    far = [line for line in lines if error(line) > FAR]
    near = [line for line in lines if error(line) <= FAR]
    area = ranked(lines)
    cells = (
        f"{len(lines):,}",
        f"{statistics.fmean(map(error, lines)):.3f}",
        f"{statistics.fmean(map(held, lines)):.1%}",
        f"{len(far)}",
        f"{sum(not line['reliable'] for line in far)}",
        f"{sum(not line['reliable'] for line in near)}",
        "–" if area is None else f"{area:.3f}",
    )
    return " | ".join(cells)


def report(lines: list[Json]) -> str:
    """The page."""
    sets = {name: [line for line in lines if line["set"] == name] for name in SETS}
    page = [
        "# Intervals and flags of `mutual_information`",
        "",
        f"Made by `python benchmarks/flags.py`; numbers in `flags.json`. n = {', '.join(f'{n:,}' for n in SIZES)}; "
        f"seeds: {1 + max(line['seed'] for line in lines)}. An error is far above {FAR} nats.",
        "",
        *_choices([line for line in sets["tuning"] if line["quantiles"]]),
        "",
        "## What they are worth",
        "",
        "| laws | n | estimates | mean error | 95 % intervals that hold the truth | far | of these flagged "
        "| others flagged | AUROC |",
        "|---" * 9 + "|",
    ]
    for name, own in sets.items():
        for n in [*SIZES, None] if own else []:
            some = [line for line in own if n in (None, line["n"])]
            page.append(f"| {SETS[name]} | {n or 'all'} | {flags(some)} |")
    return "\n".join(page) + "\n"


def _choices(lines: list[Json]) -> list[str]:
    """How the factor and the width were chosen."""
    if not lines:
        return []
    page = ["## Chosen on `tuning_suite`", "", f"{len(lines):,} estimates by the network. Intervals as they are, and"]
    page += ["with their ends so many times as far from the value:", ""]
    page += ["| " + " | ".join(("times as far", *map(str, FACTORS))) + " |", "|---" * (len(FACTORS) + 1) + "|"]
    shares = [statistics.fmean(held(line, factor) for line in lines) for factor in FACTORS]
    page += ["| hold the truth | " + " | ".join(f"{share:.1%}" for share in shares) + " |", ""]
    page += ["Flagged where half of the interval that holds 80 % is wider than so many nats:", ""]
    page += ["| " + " | ".join(("nats", *map(str, WIDTHS))) + " |", "|---" * (len(WIDTHS) + 1) + "|"]
    for said, far in ((f"errors above {FAR}", True), ("other errors", False)):
        own = [_half(line) for line in lines if (error(line) > FAR) == far]
        found = [f"{sum(half > width for half in own)} of {len(own)}" for width in WIDTHS]
        page.append(f"| {said} | " + " | ".join(found) + " |")
    return page


def _half(line: Json) -> float:
    quantiles = dict(map(tuple, line["quantiles"]))
    return (quantiles[0.9] - quantiles[0.1]) / 2


def write(lines: list[Json]) -> None:
    """Keep what is measured, and the page of it."""
    RESULT.write_text(json.dumps(lines) + "\n", encoding="utf-8")
    RESULT.with_suffix(".md").write_text(report(lines), encoding="utf-8")


def main() -> None:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() and not args.fresh else []
    measure(args.sets, args.seeds, lines)


if __name__ == "__main__":
    main()
