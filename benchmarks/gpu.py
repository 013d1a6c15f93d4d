"""What only a GPU can run, in pieces that fit a lent machine: minutes a call, going on where the last one stopped.

    make gpu                                              nine minutes on the first unfinished pieces
    python benchmarks/gpu.py --list                       the pieces, and what became of each
    python benchmarks/gpu.py cifar10-bp --minutes 5       one piece
    python benchmarks/gpu.py cifar10-bp --device cpu --set data.limit=256 --set epochs=1       a tiny trial

A piece is one `infotorch table` command. At the end of the minutes it is asked to stop, which it does at the end of a
step with everything kept; the next call resumes it, on the same machine or wherever the folder `--runs` is carried to.
Runs lie apart by device, RUNS/<device>/<piece>; finished pieces are collected into
benchmarks/results/gpu/<device>/<table>.json. The exit code is 1 where a piece was refused or failed.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "gpu"
#: A run that is asked to stop ends its step and writes a checkpoint.
GRACE_S = 60.0


class Piece(NamedTuple):
    """A table command: its table, rows (all if there are none), seeds and settings."""

    table: str
    variants: Sequence[str] = ()
    seeds: int = 3
    settings: Sequence[str] = ()

    def arguments(self) -> list[str]:
        """Of `infotorch table`."""
        rows = [part for name in self.variants for part in ("--variant", name)]
        changes = [part for one in self.settings for part in ("--set", one)]
        return [self.table, *rows, "--seeds", str(self.seeds), *changes]


# Searches of the speed run's rows see what a search on a CPU would, four epochs of 10,000 images.
_SEARCH = ("tune=true", "epochs=4", "data.limit=10000")
_PROXIMAL = ("adam-bp", "adam-paper", "adam-order2", "adam-hybrid")

#: In the order of worth: what a CPU cannot reach in a day first, the longest last.
PIECES: Mapping[str, Piece] = {
    "cifar10-bp": Piece("cifar10", ("bp",)),
    "cifar10-search": Piece("cifar10", ("best", "layerwise", "label-free", "deep-bp", "random"), 1, _SEARCH),
    "cifar10-local": Piece("cifar10", ("best", "layerwise", "label-free", "deep-bp", "random")),
    "cifar10-others": Piece("cifar10", ("infopro", "predsim", "dgl", "bp-checkpoint", "bp-accumulate"), 1),
    "resnet110": Piece("cifar10-large", ("resnet110-infopro", "resnet110-readout", "resnet110")),
    "cifar10-wide": Piece("cifar10-large", ("wide-layerwise", "wide-predsim", "wide-bp")),
    "ib-cifar10": Piece("ib-cifar10", ("ce", "mi-only", "full-bound", "best", "random", "full", "mi-only-mine")),
    "prox-cifar10": Piece("prox-cifar10", _PROXIMAL),
    "prox-vae-cifar10": Piece("prox-vae-cifar10", _PROXIMAL, settings=("data.limit=none",)),
    "allconv": Piece(
        "milr-cifar10-allconv", ("adam", "rmsprop", "lars", "network-ksg", "layerwise-ksg", "best", "step")
    ),
    "vgg16": Piece(
        "milr-cifar10-vgg16", ("network-ksg", "layerwise-ksg", "best", "control", "step", "adam", "rmsprop")
    ),
    "wrn28-10": Piece("milr-cifar100-wrn28-10", ("network-ksg", "best", "control", "step"), 1),
    "resnet50": Piece("milr-imagenet-resnet50", ("network-ksg", "best", "control", "step"), 1),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    chosen = _parser().parse_args(arguments)
    if unknown := set(chosen.pieces) - set(PIECES):
        _parser().error(f"no piece {', '.join(sorted(unknown))}; there are {', '.join(PIECES)}")
    if chosen.device == "cuda" and not chosen.list and not has_cuda():
        print("gpu: torch sees no CUDA device here; --device cpu tries a piece, with settings that make it small.")
        return 1
    device = device_name(chosen.device)
    names = chosen.pieces or list(PIECES)
    if chosen.list:
        for name in names:
            piece = PIECES[name]
            became = state(piece, chosen.runs / device / name)
            print(f"{name:18} {became:10}  infotorch table {' '.join(piece.arguments())}")
        return 0
    return work(names, chosen.runs / device, RESULTS / device, chosen.device, 60 * chosen.minutes, chosen.set)


def work(
    names: Sequence[str], runs: Path, results: Path, device: str, seconds: float, settings: Sequence[str] = ()
) -> int:
    """Take the unfinished pieces in turn until the time is up; trials with settings of their own are not collected."""
    end, failed = time.monotonic() + seconds, False
    for name in names:
        left = end - time.monotonic()
        changed = PIECES[name]._replace(settings=(*PIECES[name].settings, *settings))
        if left <= 0 or state(changed, runs / name) == "finished":
            continue
        became = run(changed, runs / name, device, left)
        print(f"{name}: {became}", flush=True)
        failed |= became == "failed"
        if became == "finished" and not settings and "tune=true" not in changed.settings:
            _infotorch("collect", str(runs / name), "--out", str(results)).wait()
    return int(failed)


def run(piece: Piece, folder: Path, device: str, seconds: float) -> str:
    """Begin or go on with a piece, for so long.

    Returns:
        "finished", with all its runs completed or diverged; "unfinished", asked to stop; or "failed".
    """
    process = _infotorch("table", *piece.arguments(), "--device", device, "--out", str(folder), "--resume")
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(GRACE_S)
        except subprocess.TimeoutExpired:  # what it had at its last checkpoint is kept
            process.kill()
            process.wait()
            code = 130
    # The runs, not the exit code, say whether it is finished: one may be asked to stop after its last run's end.
    if state(piece, folder) == "finished":
        return "finished"
    return "unfinished" if code == 130 else "failed"


def state(piece: Piece, folder: Path) -> str:
    """Of a piece: "finished", where all its runs completed or diverged, "begun" or "not begun"."""
    from infotorch.recipes.registry import variants_of
    from infotorch.records.finding import find_runs, holds_runs

    if not folder.exists():
        return "not begun"
    if not holds_runs(folder):
        return "begun"
    ended = [record.outcome() for record in find_runs(folder)]
    number = sum(outcome is not None and outcome.status in {"completed", "diverged"} for outcome in ended)
    return "finished" if number == piece.seeds * len(piece.variants or variants_of(piece.table)) else "begun"


def device_name(device: str) -> str:
    """Of the folder for a device's results: "cpu", or what CUDA calls it, as "nvidia-h100-80gb-hbm3"."""
    if device == "cpu" or not has_cuda():
        return "cpu"
    import torch

    return re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name(device).lower()).strip("-")


def has_cuda() -> bool:
    """Whether torch sees a CUDA device here."""
    import torch

    return torch.cuda.is_available()


def _infotorch(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "infotorch", *arguments])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpu", description="Tables that need a GPU, some minutes at a time.")
    parser.add_argument(
        "pieces", nargs="*", metavar="PIECE", help=f"of {', '.join(PIECES)}; default: all, in this order"
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="how long to work (default 9)")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu (default cuda)")
    parser.add_argument("--runs", type=Path, default=Path("runs/gpu"), help="where the runs lie (default runs/gpu)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument("--list", action="store_true", help="show the pieces and what became of each")
    return parser


if __name__ == "__main__":
    sys.exit(main())
