"""Intervals and flags of `mutual_information`: how often they hold the truth, and which errors they find.

    python benchmarks/flags.py [--seeds 3] [--sets tuning drawn suite unseen] [--fresh]        an hour on one core

The factor by which the amortised estimator's quantiles are moved from the median, and the width of an interval from
which it is doubted, are chosen on `tuning_suite` by the first two tables of the page; how growth with the number of
samples is counted, on drawn laws. `suite` and the families of `amortised.unseen` then tell what they are worth. A doubt
is ranked by the flag first and by the standard error (bias counted) second. Writes results/flags.json and .md; goes on
where it stopped.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import statistics
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

import infotorch
from amortised.families import draw
from amortised.pairs import Pair, pool
from amortised.unseen import families
from infotorch.distributions import JointLaw, suite, tuning_suite
from infotorch.numerics.seeds import derive_seed

RESULT = Path(__file__).parent / "results" / "flags.json"
SIZES, FAR = (300, 1000, 3000), 0.2
DRAWN_N, DRAWN_EACH, DRAWN_SEED = 10_000, 60, 23
FACTORS, WIDTHS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5), (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
SETS = {
    "tuning": "`tuning_suite()`, to choose on",
    "drawn": "laws drawn by `amortised.families`, 3 to 11 nats in 1 to 25 columns, to choose on",
    "suite": "`suite()`, 41 laws",
    "unseen": "families that the network was not trained on",
}

Json = dict[str, Any]


@functools.cache
def _pool() -> list[Pair]:
    return pool(100, np.random.default_rng(DRAWN_SEED))


def drawn(index: int) -> tuple[Tensor, Tensor, float] | None:
    """Samples of a law drawn as those that the network learns from; None where it tells too little or too much."""
    rng = np.random.default_rng([DRAWN_SEED, index])
    least, most = (1, 6) if rng.uniform() < 0.4 else (6, 25)
    d_x, d_y = rng.integers(least, most + 1, size=2)
    law = draw(DRAWN_N, int(d_x), int(d_x if rng.uniform() < 0.5 else d_y), _pool(), rng)
    return (torch.from_numpy(law.x), torch.from_numpy(law.y), law.mi) if 3 <= law.mi <= 11 else None


def cases(name: str, seeds: int) -> Iterator[tuple[str, int, int, Callable[[], tuple[Tensor, Tensor, float] | None]]]:
    """(law, n, seed, what gives x, y and the truth) of a set."""
    if name == "drawn":
        for index in range(seeds * DRAWN_EACH):
            yield f"drawn {index}", DRAWN_N, 0, partial(drawn, index)
        return
    laws = {"tuning": tuning_suite, "suite": suite, "unseen": _unseen}[name]()
    for seed, n, (law, made) in itertools.product(range(seeds), SIZES, laws.items()):
        yield law, n, seed, partial(_sampled, law, made, n, seed)


def _unseen() -> dict[str, JointLaw]:
    return {f"{family} {law}": made for family, laws in families().items() for law, made in laws.items()}


def _sampled(name: str, law: JointLaw, n: int, seed: int) -> tuple[Tensor, Tensor, float]:
    x, y = law.sample(n, torch.Generator().manual_seed(derive_seed(seed, f"flags {name}", n)))
    return x, y, law.mutual_information()


def estimate(x: Tensor, y: Tensor, truth: float) -> Json:
    """One estimate, its interval and its flag."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = infotorch.mutual_information(x, y)
    low, high = found.interval()
    return {
        "truth": round(truth, 5),
        "value": round(float(found), 5),
        "std_error": round(math.hypot(found.std_error, found.bias_std), 5),
        "low": round(low, 5),
        "high": round(high, 5),
        "reliable": found.reliable,
        "quantiles": [[level, round(value, 5)] for level, value in found.quantiles],
    }


def measure(sets: list[str], seeds: int, lines: list[Json]) -> None:
    """A line for each estimate that is not yet there."""
    there = {(line["set"], line["law"], line["n"], line["seed"]) for line in lines}
    for set_name in sets:
        for law, n, seed, make in cases(set_name, seeds):
            if (set_name, law, n, seed) in there or (made := make()) is None:
                continue
            lines.append({"set": set_name, "law": law, "n": n, "seed": seed, **estimate(*made)})
            if len(lines) % 10 == 0:
                write(lines)
                print(f"{set_name} {law} n = {n} seed {seed}", flush=True)
    write(lines)


def error(line: Json) -> float:
    """Of the value, in nats."""
    return abs(line["value"] - line["truth"])


def held(line: Json, factor: float = 1.0) -> bool:
    """Whether the 95 % interval holds the truth, were its ends so many times as far from the value."""
    value = line["value"]
    return value + factor * (line["low"] - value) <= line["truth"] <= value + factor * (line["high"] - value)


def doubt(line: Json) -> float:
    """The flag first, the standard error second."""
    return math.atan(line["std_error"]) + 2 * (not line["reliable"])


def ranked(lines: list[Json], by: Callable[[Json], float] = doubt) -> float | None:
    """Area under the curve of doubts that find errors above `FAR`; None where all are, or none is."""
    far = [error(line) > FAR for line in lines]
    return float(roc_auc_score(far, [by(line) for line in lines])) if len(set(far)) == 2 else None


#: Other ranks of doubt that were tried.
RANKS: dict[str, Callable[[Json], float]] = {
    "the flag first, the standard error second: taken": doubt,
    "width of the 95 % interval": lambda line: line["high"] - line["low"],
    "standard error, more of high values": lambda line: line["std_error"] * (1 + max(line["value"], 0)),
    "how far the interval reaches above the value": lambda line: line["high"] - line["value"],
}


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
        f"seeds: up to {1 + max(line['seed'] for line in lines)} of a set. An error is far above {FAR} nats.",
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
        sizes = sorted({line["n"] for line in own})
        for n in [*sizes, *[None] * (len(sizes) > 1)]:
            some = [line for line in own if n in (None, line["n"])]
            page.append(f"| {SETS[name]} | {n or 'all'} | {flags(some)} |")
    return "\n".join([*page, "", *_attempts(sets)]) + "\n"


def _attempts(sets: dict[str, list[Json]]) -> list[str]:
    """Other ranks."""
    sets = {name: lines for name, lines in sets.items() if name != "drawn" and lines}
    page = [
        "## Attempts",
        "",
        "Goal: an AUROC of 0.95, and intervals of which 90 to 98 % hold the truth. AUROC by rank:",
        "",
    ]
    page += ["| rank | " + " | ".join(SETS[name] for name in sets) + " |", "|---" * (len(sets) + 1) + "|"]
    for said, by in RANKS.items():
        areas = [ranked(lines, by) for lines in sets.values()]
        page.append(f"| {said} | " + " | ".join("–" if area is None else f"{area:.3f}" for area in areas) + " |")
    return [
        *page,
        "",
        "Also tried: what functions of x alone tell of y (`estimators/shadows.py`), which raises no flag here.",
    ]


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
