"""Accuracy of a pipeline whose modules train at their own pace, beside simultaneous order in one process.

    python benchmarks/free_running.py [--sets mnist cifar10] [--seeds 3] [--out runs/free-running]

Two processes of one thread, staleness of at most 4. CIFAR-10 is `best` of ib-cifar10, five isolated modules, on 20,000
images for four epochs. Test accuracies are of the last epoch. Writes results/free_running.json; finished runs are not
run again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import t

RESULT = Path(__file__).parent / "results" / "free_running.json"
SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mnist": ("mole-mnist", ()),
    "cifar10": ("ib-cifar10", ("data.limit=20000", "epochs=4")),
}
WAYS: dict[str, tuple[int, tuple[str, ...]]] = {
    "simultaneous": (1, ("plan.order=simultaneous",)),
    "own pace": (2, ("plan.order=pipelined", "plan.staleness=4")),
}


def outcome(name: str, way: str, seed: int, out: Path) -> dict[str, float]:
    """What a run ended with, after it has run if need be."""
    table, settings = SETS[name]
    devices, order = WAYS[way]
    where = out / f"{name}-{way.replace(' ', '-')}-{seed}"
    words = ["-m", "infotorch", "run", table, "--variant", "best", "--devices", str(devices), "--device", "cpu"]
    words += [word for setting in (*settings, *order) for word in ("--set", setting)]
    words += ["--seed", str(seed), "--out", str(where), "--resume", "--quiet"]
    subprocess.run([sys.executable, *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    ended = json.loads((where / "outcome.json").read_text(encoding="utf-8"))
    return {"seed": seed, "test_accuracy": ended["metrics"]["test_accuracy"], **_skipped(where)}


def _skipped(where: Path) -> dict[str, float]:
    """How many batches the modules behind the first passed over before a step, in the mean; {} in one process."""
    lines = map(json.loads, (where / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    found = [line["train_skipped_batches"] for line in lines if line.get("train_skipped_batches") is not None]
    return {"mean_skipped_batches": fmean(found)} if found else {}


def summary(rows: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Means over seeds in %, and the paired difference with its 95 % interval."""
    scores = {way: [100 * one["test_accuracy"] for one in found] for way, found in rows.items()}
    apart = [b - a for a, b in zip(*scores.values(), strict=True)]
    half = float(t.ppf(0.975, len(apart) - 1)) * stdev(apart) / len(apart) ** 0.5
    told = {f"{way}, %": fmean(values) for way, values in scores.items()}
    return told | {"difference": fmean(apart), "low": fmean(apart) - half, "high": fmean(apart) + half}


def main() -> None:
    """Run what is missing, and keep what other sets have found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/free-running"))
    given = parser.parse_args()
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for name in given.sets:
        rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for seed in range(given.seeds):
            for way, found in rows.items():
                found.append(outcome(name, way, seed, given.out))
        kept[name] = {"settings": SETS[name][1], "runs": rows, "found": summary(rows)}
        print(name, {key: round(value, 2) for key, value in kept[name]["found"].items()}, flush=True)
        RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
