"""A run of two processes, killed at random moments, either process or the one that started them, and resumed.

    python benchmarks/process_kills.py --kills 20
    python benchmarks/process_kills.py --kills 20 --pipelined

Each killed run must end within seconds, go on from its last checkpoint in two processes, and end with the records of
the run that was never killed, byte for byte; of a pipeline, of modules in a process each, those of one process. Writes
benchmarks/results/process_kills.json, or process_kills_pipelined.json.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil  # comes with the extra cluster

from campaign.commands import difference
from infotorch.records.files import write_json

_WORDS = ("run", "demo", "--variant", "mole", "--set", "epochs=60", "--set", "data.limit=500", "--device", "cpu")
_TARGETS = ("process 0", "process 1", "the command")
_LIMIT = 60.0
_PIPELINED = ("--set", "plan.order=pipelined", "--set", "epochs=300")
RESULTS = Path(__file__).parent / "results"


def _start(directory: Path, words: Sequence[str], processes: int = 2) -> subprocess.Popen[bytes]:
    words = [*words, "--devices", str(processes), "--out", str(directory), "--resume", "--quiet"]
    return subprocess.Popen([sys.executable, "-m", "infotorch", *words], stderr=subprocess.DEVNULL)


def _kill(command: subprocess.Popen[bytes], target: str) -> list[psutil.Process]:
    """Kill one of them by SIGKILL; all that there were."""
    all_of_them = [psutil.Process(command.pid), *psutil.Process(command.pid).children()]
    chosen = {"the command": 0, "process 0": 1, "process 1": 2}[target]
    if len(all_of_them) > chosen:
        all_of_them[chosen].send_signal(signal.SIGKILL)
    return all_of_them


def _one(directory: Path, whole: Path, moment: float, target: str, words: Sequence[str]) -> dict[str, object]:
    command = _start(directory, words)
    try:
        command.wait(moment)
    except subprocess.TimeoutExpired:
        there = _kill(command, target)
        began = time.monotonic()
        _, left = psutil.wait_procs(there, _LIMIT)
        ended = time.monotonic() - began
        had_begun = (directory / "metrics.jsonl").exists()
    else:
        left, ended, had_begun = [], 0.0, False
    resumed = _start(directory, words).wait()
    found = {"target": target, "moment": moment, "seconds to end": ended, "training had begun": had_begun}
    differs = difference(directory, whole) if resumed == 0 else f"exit code {resumed}"
    shutil.rmtree(directory, ignore_errors=True)
    return found | {"left running": len(left), "differs": differs or ""}


def main() -> None:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pipelined", action="store_true", help="modules in a process each, not shares of batches")
    given = parser.parse_args()
    words = (*_WORDS, *(_PIPELINED if given.pipelined else ()))
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        began = time.monotonic()
        assert _start(whole, words, processes=2).wait() == 0, "the run itself fails"
        seconds = time.monotonic() - began
        if given.pipelined:
            shutil.rmtree(whole)
            assert _start(whole, words, processes=1).wait() == 0, "the run in one process fails"
        trials = []
        for number in range(given.kills):
            moment, target = chance.uniform(0.2, 0.95) * seconds, _TARGETS[number % len(_TARGETS)]
            trials.append(_one(Path(folder) / "killed", whole, moment, target, words))
            print(trials[-1], flush=True)
    made_by = f"python benchmarks/process_kills.py --kills {given.kills} --seed {given.seed}"
    name, more = ("process_kills_pipelined", " --pipelined") if given.pipelined else ("process_kills", "")
    write_json(RESULTS / f"{name}.json", {"made_by": made_by + more, "words": list(words), "trials": trials})
    bad = [trial for trial in trials if trial["differs"] or trial["left running"]]
    print(f"{len(trials) - len(bad)} of {len(trials)} ended, resumed and equal the run that was never killed")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
