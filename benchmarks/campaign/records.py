"""Damaged and hostile run directories, checkpoints and tables' files before every command that reads them.

A finished and an interrupted run and a table of both are made once. A trial copies what it needs, changes one file (see
`hostile`) and gives the copy to a command in a child process. It must end within a limit, with exit code 0, and then
with the numbers of the run that was never touched where a checksum covers what was changed; or with exit code 2 and one
line on the standard error that names the place. No trial may execute what it reads, and none may crash.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from campaign.hostile import OF_BYTES, OF_CHECKPOINTS, Change, bomb, mark_of, odd_curves, odd_value, sealed, untouched
from campaign.part import Part

#: Seconds for one command; the slowest takes three on a quiet core.
LIMIT = 90
#: Bytes of addresses for one command: torch alone takes two thousand million.
MEMORY = 12 * 2**30
_SETTINGS = (
    "--variant",
    "full-bound",
    "--set",
    "epochs=2",
    "--set",
    "data.limit=100",
    "--set",
    "embedding_samples=20",
    "--device",
    "cpu",
)
_PROGRESS = re.compile(r".*: step \d+ of \d+$|demo full-bound seed 0 in .*|demo .*going on.*")
#: What a trial changes that changes nothing: the reader must succeed.
_CONTROL = "."
_RECORDS = ("recipe.json", "environment.json", "metrics.jsonl", "outcome.json")
_SEEN = (
    "embeddings.json", "diagnosis.json", "information_plane.json", "demonstration.json", "test_right.json",
    "tuning/trials.jsonl",
)  # fmt: skip


def run(seed: int, scale: float, scratch: Path) -> Part:
    """Every reader before changed files; at scale 1 some twelve hundred of them."""
    part = Part()
    for name in ("plotly.graph_objects", "infotorch.commands.main", "infotorch.runs.runner", "infotorch.report.page"):
        importlib.import_module(name)  # once, for all children; nothing is computed before they start
    made = scratch / "made"
    code, said = _apart(lambda: _make(made), scratch / "making")
    part.check(code == 0, f"making the runs: exit code {code}: {said[-500:]}")
    if code:
        return part
    whole = (made / "finished" / "metrics.jsonl").read_bytes()
    for reader, base in dict.fromkeys((reader, base) for reader, base, *_ in _PLAN):
        _trial(part, reader, made, base, _CONTROL, untouched, random.Random(0), scratch, whole)
    for reader, base, files, changes, times in _PLAN:
        rng = random.Random(f"{seed} {reader} {base}")
        for number in range(round(times * scale)):
            file, change = files[number % len(files)], changes[rng.randrange(len(changes))]
            _trial(part, reader, made, base, file, change, rng, scratch, whole)
    _of_checkpoints(part, made, seed, scale, scratch, whole)
    return part


def _of_checkpoints(part: Part, made: Path, seed: int, scale: float, scratch: Path, whole: bytes) -> None:
    """Every change of a checkpoint in turn, so that each is tried at the smallest scale, too."""
    rng = random.Random(f"{seed} checkpoints")
    changes = (*OF_CHECKPOINTS, *OF_BYTES)
    for number in range(max(len(OF_CHECKPOINTS), round(200 * scale))):
        change = changes[number % len(changes)]
        _trial(part, "run --resume", made, "interrupted", "checkpoint/state.pt", change, rng, scratch, whole)
    for _ in range(round(120 * scale)):
        _trial(part, "run --resume", made, "interrupted", "checkpoint/state.pt", sealed, rng, scratch, whole)


def _trial(
    part: Part,
    reader: str,
    made: Path,
    base: str,
    file: str,
    change: Change,
    rng: random.Random,
    scratch: Path,
    whole: bytes,
) -> None:
    place = scratch / "trial"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(made / base, place / base)
    path = place / base / file
    try:
        told = change(path, rng)
    except (ValueError, KeyError, IndexError, TypeError, StopIteration):
        return  # no change of this kind fits: a picture has no JSON
    what = f"{reader}: {base}/{file}, {told}"
    part.count(f"{reader}: {Path(file).name}, {change.__name__}")
    code, said = _apart(lambda: _command(_READERS[reader](place, base)), scratch / "said")
    part.check(not mark_of(path).exists(), f"{what}: EXECUTED")
    lines = [line for line in said.splitlines() if line and not _PROGRESS.match(line)]
    if code == 2:
        part.check(change is not untouched, f"{what}: was refused: {said[-400:]!r}")
        part.check(len(lines) == 1, f"{what}: exit code 2 with {len(lines)} lines: {said[-400:]!r}")
        part.check(str(place) in said, f"{what}: the line names no file: {said[-400:]!r}")
        part.check("weights_only" not in said, f"{what}: advises to execute the file")
    elif change is sealed and code == 1:  # a rate of 1e30 has no other end; a traceback of Python's would be another
        part.check("diverged" in said, f"{what}: exit code 1: {said[-400:]!r}")
    elif code != 0:
        part.check(False, f"{what}: exit code {code}: {said[-600:]!r}")
    elif (
        file in {"checkpoint/state.pt", "metrics.jsonl", _CONTROL}
        and reader == "run --resume"
        and base == "interrupted"
    ):
        part.check(change not in OF_CHECKPOINTS, f"{what}: was accepted")
        same = (place / base / "metrics.jsonl").read_bytes() == whole
        part.check(same or change is sealed, f"{what}: completed with other numbers")


_READERS: dict[str, Callable[[Path, str], Sequence[str]]] = {
    "report": lambda place, base: ("report", str(place / base), "--out", str(place / "report.html")),
    "run --resume": lambda place, base: ("run", "demo", *_SETTINGS, "--resume", "--out", str(place / base)),
    "collect": lambda place, base: ("collect", str(place / base), "--out", str(place / "tables")),
    "diagnose": lambda place, base: ("diagnose", str(place / base), "--layer", "head", "--device", "cpu"),
    "table --resume": lambda place, base: (
        "table", "demo", *_SETTINGS, "--seeds", "1", "--resume", "--out", str(place / base),
    ),
}  # fmt: skip
_ANY = (*OF_BYTES, *((odd_value,) * 12))
_CURVES = (*OF_BYTES, bomb, *((odd_curves,) * 6))
#: Reader, what it reads, the file that is changed, the changes that are drawn, and how often at scale 1.
_PLAN: tuple[tuple[str, str, tuple[str, ...], tuple[Change, ...], int], ...] = (
    ("report", "finished", (*_RECORDS, *_SEEN), _ANY, 360),
    ("collect", "finished", (*_RECORDS, *_SEEN), _ANY, 180),
    ("run --resume", "finished", _RECORDS, _ANY, 80),
    ("run --resume", "interrupted", _RECORDS, _ANY, 100),
    ("diagnose", "finished", ("recipe.json", "outcome.json", "checkpoint/state.pt"), OF_BYTES, 30),
    ("report", "tables", ("demo.json",), _ANY, 80),
    ("report", "tables", ("demo.curves.jsonl.gz",), _CURVES, 60),
    ("table --resume", "tables", ("demo.json",), _ANY, 60),
    ("collect", "tables", ("demo.json", "demo.searches.jsonl"), _ANY, 60),
    ("collect", "tables", ("demo.curves.jsonl.gz",), _CURVES, 30),
)


def _make(made: Path) -> int:
    """A finished run with every file that a run can have, an interrupted one, and the table of the finished one."""
    from infotorch.recipes.changes import change
    from infotorch.recipes.demonstration import trained
    from infotorch.recipes.registry import find_recipe
    from infotorch.runs.diagnose import diagnose_run
    from infotorch.runs.runner import run as run_recipe

    recipe = change(
        trained(find_recipe("demo", "full-bound")), {"epochs": 2, "data.limit": 100, "embedding_samples": 20}
    )
    finished, interrupted = made / "finished", made / "interrupted"
    assert run_recipe(recipe, finished, device="cpu").status == "completed"

    def stop(_what: str, done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    ended = run_recipe(recipe, interrupted, device="cpu", checkpoint_seconds=0, progress=stop)
    assert ended.status == "interrupted"
    diagnose_run(finished, layers=["head"], device="cpu")
    _write_others(finished)
    return _command(("collect", str(finished), "--out", str(made / "tables")))


def _write_others(finished: Path) -> None:
    """Files that other runs have: an information plane, a demonstration, a search."""
    import torch

    from infotorch.diagnostics.information_plane import InformationPlane
    from infotorch.recipes.demonstration import Demonstration
    from infotorch.recipes.registry import find_recipe
    from infotorch.theory.demonstration import demonstrate

    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    plane = InformationPlane(torch.nn.Sequential(torch.nn.Linear(2, 2)), (x, (x[:, 0] > 0).long()), num_bins=2)
    for epoch in (0, 1):
        plane(epoch)
    plane.write(finished / "information_plane.json")
    recipe = find_recipe("why-ib-fails", "figure-3")
    assert isinstance(recipe, Demonstration)
    found = demonstrate(recipe.variant, recipe.values).as_dict()
    (finished / "demonstration.json").write_text(json.dumps(found), encoding="utf-8")
    (finished / "tuning").mkdir()
    trials = ({"trial": n, "settings": {"lr": 0.1}, "scores": {"1000": 0.5}, "mean": 0.5} for n in range(3))
    (finished / "tuning" / "trials.jsonl").write_text("".join(f"{json.dumps(trial)}\n" for trial in trials))


def _command(words: Sequence[str]) -> int:
    """A command of infotorch in this process; its exit code."""
    from infotorch.commands.main import main

    sys.argv = ["infotorch", *words]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _apart(do: Callable[[], int], told: Path) -> tuple[int, str]:
    """What something in a child process ends with, and its standard error; negative: a signal, or 124: it hung."""
    with told.open("wb") as file:
        child = os.fork()
        if not child:
            _in_child(do, file.fileno())
    end = time.monotonic() + LIMIT
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), told.read_text(errors="replace")
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return 124, f"hung; {told.read_text(errors='replace')}"
        time.sleep(0.005)


def _in_child(do: Callable[[], int], errors: int) -> None:
    code = 70
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(errors, 2)
        sys.stdout, sys.stderr = (
            open(1, "w", closefd=False),
            open(2, "w", closefd=False),
        )  # whoever captured them before
        code = do()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
