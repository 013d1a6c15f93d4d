"""Our estimators beside other packages', in one process, on the same data: medians, ratios, and whether values agree.

The other packages need an old numpy, so they have an environment of their own (peers.txt), which `make peers` makes
before it runs this; nothing else should run on the machine. Writes results/speed.json and .md, with OMP_NUM_THREADS=1
results/speed_one_thread.json and .md, unless an argument restricts the rows: python benchmarks/speed.py KSG
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

from speed_rows import critics, neighbours, renyi
from speed_rows.row import Row

RESULTS = Path(__file__).parent / "results"
PEERS = ("npeet-plus", "benchmark-mi", "torch-mist", "scikit-learn")


def seconds(work: Callable[[], float]) -> tuple[float, float]:
    """How long one call takes, and what it gives."""
    began = time.perf_counter()
    value = float(work())
    return time.perf_counter() - began, value


def compare(row: Row) -> dict[str, object]:
    """Time all sides in turn, so that a busy moment hits each of them."""
    sides = {"infotorch": row.ours, **row.peers}
    values = {name: seconds(work)[1] for name, work in sides.items()}  # the first call compiles and warms up
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(row.repeats):
        for name, work in sides.items():
            times[name].append(seconds(work)[0])
    medians = {name: median(spent) for name, spent in times.items()}
    fastest = min(row.peers, key=medians.__getitem__)
    ratio = medians[fastest] / medians["infotorch"]
    apart = {name: abs(values[name] - values["infotorch"]) for name in row.peers}
    return {
        "name": row.name,
        "seconds": medians,
        "values": values,
        "fastest_peer": fastest,
        "ratio": ratio,
        "ratios": sorted(b / a for a, b in zip(times["infotorch"], times[fastest], strict=True)),
        "goal": row.goal,
        "reached": ratio >= row.goal,
        "differences": apart,
        "equal": None if row.tolerance is None else min(apart.values()) <= row.tolerance,
        "tolerance": row.tolerance,
        "repeats": row.repeats,
        "note": row.note,
    }


def machine() -> dict[str, object]:
    """What the times were measured on, and with."""
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: version(name) for name in (*PEERS, "numba", "numpy", "scipy")},
    }


def table(found: list[dict]) -> str:
    """A Markdown table, a row each."""
    head = (
        "| | infotorch, s | fastest peer, s | times faster (goal) | from the nearest value |\n|---|---|---|---|---|\n"
    )
    return head + "".join(map(_line, found))


def _line(row: dict) -> str:
    ours, theirs = row["seconds"]["infotorch"], row["seconds"][row["fastest_peer"]]
    apart = "another definition" if row["tolerance"] is None else f"{min(row['differences'].values()):.1g}"
    ratio = f"{row['ratio']:.1f} ({row['goal']:g})" + ", below the goal" * (not row["reached"])
    return f"| {row['name']} | {ours:.4f} | {theirs:.4f} ({row['fastest_peer']}) | {ratio} | {apart} |\n"


def page(result: dict) -> str:
    """The table with what a reader must know."""
    host, rows = result["machine"], result["rows"]
    notes = "".join(f"- {row['name']}: {row['note']}.\n" for row in rows if row["note"])
    return (
        "# Speed beside other packages\n\nMade by `make peers`. Medians of calls in turn, in one process; no standard "
        f"errors. {host['threads']} threads on {host['platform']}, torch {host['torch']}, numpy {host['numpy']}.\n\n"
        f"{table(rows)}\n{notes}"
    )


def main() -> None:
    """Compare every row whose name contains the argument; only a full run is kept."""
    warnings.filterwarnings("ignore")
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    rows = [row for part in (neighbours, renyi, critics) for row in part.rows() if wanted in row.name]
    found = []
    for row in rows:
        found.append(compare(row))
        print(_line(found[-1]), end="", flush=True)
        if found[-1]["equal"] is False:
            print("   values differ:", found[-1]["values"])
    if not wanted:
        file = RESULTS / ("speed.json" if torch.get_num_threads() > 1 else "speed_one_thread.json")
        result = {"machine": machine(), "rows": found}
        file.write_text(json.dumps(result, indent=1) + "\n")
        file.with_suffix(".md").write_text(page(result))


if __name__ == "__main__":
    main()
