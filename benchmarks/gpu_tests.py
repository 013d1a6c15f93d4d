"""The tests and benchmarks that need a GPU, nine minutes a call: repeat it until nothing is left.

    make gpu-tests                                      on the first CUDA device
    python benchmarks/gpu_tests.py --list               what is done, and what is not
    python benchmarks/gpu_tests.py --device cpu -k stand_in --minutes 2       a trial: the same tests without a GPU

A test that has passed is not run again: RUNS/<device>/tests.jsonl has a line for each, written as it ends, so that a
call goes on where the last one stopped, on the same machine or wherever the folder `--runs` is carried to. A failed
test is tried in every call. What was found lies apart by device, in benchmarks/results/gpu/<device>/tests.json, and the
benchmarks' results beside it. The exit code is 1 where a test or benchmark failed, and 3 where something is left.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gpu import GRACE_S, RESULTS, ROOT, device_name, has_cuda

#: Where tests marked `cuda` are; a test of this file's own sees to it that there are no others.
TESTS = ("tests/devices", "tests/estimators/test_devices.py")
#: Benchmarks with a result for each device: name -> file, which takes `--device`.
BENCHMARKS: Mapping[str, str] = {"compiled": "benchmarks/compiled.py"}
#: Environment variable: the file of lines, for pytest, which has this file as a plugin.
_LINES = "INFOTORCH_GPU_TESTS"


def lines_of(file: Path) -> dict[str, dict[str, Any]]:
    """The last line of each test."""
    if not file.exists():
        return {}
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {line["test"]: line for line in found}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has passed."""
    passed = {test for test, line in lines_of(Path(os.environ[_LINES])).items() if line["outcome"] == "passed"}
    gone = [item for item in items if item.nodeid in passed]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item.nodeid not in passed]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Write a line as a test ends."""
    report: Any = yield
    if report.when == "call" or (report.outcome != "passed" and report.when == "setup"):
        told = "" if report.outcome == "passed" else str(report.longrepr)[-2000:]
        line = {"test": item.nodeid, "outcome": report.outcome, "seconds": round(report.duration, 2), "told": told}
        with Path(os.environ[_LINES]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    chosen = _parser().parse_args(arguments)
    if chosen.device == "cuda" and not chosen.list and not has_cuda():
        print("gpu_tests: torch sees no CUDA device here; --device cpu tries the tests that need none.")
        return 1
    device = device_name(chosen.device)
    runs, results = chosen.runs / device, chosen.results / device
    if chosen.list:
        _show(runs, results)
        return 0
    runs.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * chosen.minutes
    which = "cuda" if chosen.device != "cpu" else "not cuda and not slow"
    command = [*_pytest(chosen.word), "-m", which, *TESTS]
    codes = [_run(command, end, {_LINES: str((runs / "tests.jsonl").resolve())})]
    _summarise(runs / "tests.jsonl", results / "tests.json", device)
    for name in () if chosen.word else BENCHMARKS:
        if codes[-1] is not None and not (out := results / f"{name}.json").exists():
            command = [sys.executable, BENCHMARKS[name], "--device", chosen.device, "--out", str(out.resolve())]
            codes.append(_run(command, end, {}))
    if None in codes:
        print("gpu_tests: the time is up; the same command goes on.")
        return 3
    return int(any(code not in {0, int(pytest.ExitCode.NO_TESTS_COLLECTED)} for code in codes))


def _pytest(word: str | None) -> list[str]:
    ours = ["-p", "gpu_tests", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return [sys.executable, "-m", "pytest", "-q", *ours, *(["-k", word] if word else [])]


def _run(command: Sequence[str], end: float, environment: Mapping[str, str]) -> int | None:
    """The exit code of a command, or None where the time was up first."""
    path = os.pathsep.join([str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment, "PYTHONPATH": path})
    try:
        return process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return None


def _summarise(lines: Path, out: Path, device: str) -> None:
    import torch

    found = lines_of(lines)
    failed = {test: line["told"] for test, line in found.items() if line["outcome"] == "failed"}
    about = {
        "device": device,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }
    counts = {outcome: sum(line["outcome"] == outcome for line in found.values()) for outcome in ("passed", "skipped")}
    seconds = round(sum(line["seconds"] for line in found.values()), 1)
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = {"about": about, **counts, "failed": failed, "seconds": seconds}
    out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"gpu_tests: {counts['passed']} passed, {len(failed)} failed, {counts['skipped']} skipped on {device}.")


def _show(runs: Path, results: Path) -> None:
    found = lines_of(runs / "tests.jsonl")
    for outcome in ("passed", "failed", "skipped"):
        print(f"tests {outcome:10} {sum(line['outcome'] == outcome for line in found.values())}")
    for name in BENCHMARKS:
        print(f"{name:16} {'finished' if (results / f'{name}.json').exists() else 'not begun'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpu_tests", description="Tests and benchmarks that need a GPU.")
    parser.add_argument("--minutes", type=float, default=9.0, help="how long to work (default 9)")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu for a trial (default cuda)")
    parser.add_argument("--runs", type=Path, default=Path("runs/gpu"), help="where the lines lie (default runs/gpu)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the results lie")
    parser.add_argument("-k", dest="word", metavar="WORD", help="tests with this in their names alone; no benchmarks")
    parser.add_argument("--list", action="store_true", help="show what is done")
    return parser


if __name__ == "__main__":
    sys.exit(main())
