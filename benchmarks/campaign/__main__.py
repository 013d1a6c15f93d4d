"""Run the campaign, or parts of it, and write its figures and its page.

    python -m campaign [PART ...] [--scale 0.1] [--seed 0] [--keep]      from benchmarks/, or: make campaign

Every part is seeded and bounded; at scale 1 the whole takes less than an hour on two cores. Figures go to
benchmarks/results/reliability.json (parts that were not asked for keep theirs) and, between markers, to
docs/reliability.md; with --keep nothing is written. The exit code is 1 where a trial did not end as it must.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "benchmarks" / "results" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"

#: Name of a part, a module beside this one with `run(seed, scale, scratch) -> Part`; and what it tries, for the page.
PARTS = {
    "kills": "runs, tables' variants and a search killed at random moments and resumed: equal to the run never killed",
    "starts": "two processes started at once on one run directory: one runs, the other is refused",
    "records": "damaged and hostile run directories, checkpoints, tables' files and plane files: one line, nothing run",
    "data_files": "damaged and hostile files for every reader of data: one line, nothing executed, no crash, no hang",
    "calls": "generated calls of every public name: a result or one clear error; nobody's state moved; no hang",
    "models": "models that people have, in every use: a right result or one clear error",
    "soak": "hundreds of fits and thousands of estimates: memory, file handles and threads stay flat",
    "threads": "eight threads at once: the numbers that one thread gets",
    "units": "units and scales: what changes with them says so",
}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="campaign", description="The reliability campaign.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the trials (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="show the figures and write nothing")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    failed = False
    for name in chosen.parts or PARTS:
        found = _run(name, chosen.seed, chosen.scale)
        failed |= bool(found["failures"])
        held = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        held[name] = found
        if not chosen.keep:
            ordered = {part: held[part] for part in PARTS if part in held}
            FIGURES.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n")
            write_page(PAGE, ordered)
    return int(failed)


def _run(name: str, seed: int, scale: float) -> dict[str, Any]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"campaign-{name}-") as scratch:
        part = importlib.import_module(f"campaign.{name}").run(seed, scale, Path(scratch))
    seconds = time.monotonic() - began
    print(f"{name}: {sum(part.tried.values())} trials, {len(part.failures)} failures, {seconds:.0f} s", flush=True)
    for failure in part.failures:
        print(f"  {failure}", flush=True)
    return {
        "tried": dict(sorted(part.tried.items())),
        "failures": part.failures,
        "figures": part.figures,
        "seed": seed,
        "scale": scale,
        "seconds": round(seconds, 1),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}",
    }


def write_page(page: Path, figures: dict[str, dict[str, Any]]) -> None:
    """Replace what stands between the page's markers by a table of the figures."""
    text = page.read_text()
    before, rest = text.split("<!-- campaign -->\n", 1)
    after = rest.split("<!-- end -->\n", 1)[1]
    page.write_text(f"{before}<!-- campaign -->\n{table(figures)}<!-- end -->\n{after}")


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The page's tables in Markdown."""
    lines = ["| part | what is tried | trials | failures | time |", "|---|---|---|---|---|"]
    for name, found in figures.items():
        trials, failures = sum(found["tried"].values()), len(found["failures"])
        lines.append(f"| {name} | {PARTS[name]} | {trials:,} | {failures} | {found['seconds'] / 60:.1f} min |")
    for name, found in figures.items():
        about = f"seed {found['seed']}, scale {found['scale']:g}; {found['machine']}"
        lines += ["", f"<details><summary><b>{name}</b> ({about})</summary>", "", "| trial | times |", "|---|---|"]
        lines += [f"| {what} | {times:,} |" for what, times in found["tried"].items()]
        if found["figures"]:
            lines += ["", "| figure | value |", "|---|---|"]
            lines += [f"| {what} | {value:.4g} |" for what, value in found["figures"].items()]
        lines += ["", "</details>"]
        lines += ["", *(f"- {failure}" for failure in found["failures"])] if found["failures"] else []
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
