"""Two commands started at once on one folder: one runs, the other is refused in a line. A killed one holds nothing."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

from campaign.commands import LIMIT, Forked, Started, Typed, difference, finish, last_line
from campaign.part import Part

#: Trials at scale 1.
TRIALS = 20
#: Seconds between the two starts, at most: a small part of what a run takes.
_APART = 0.3
_RUN = ("demo", "--variant", "bp", "--set", "epochs=20", "--set", "data.limit=300", "--device", "cpu")
_REFUSED = r"infotorch: .* is being written by another process \(pid (\d+)\); wait until it ends, or .*\n"
#: What the second says where it is so late that the first has ended.
_LATE = ("holds a run already", "is not empty; add --resume", "was finished already")
#: Of these every trial takes the next: what is typed or forked, and what is left of its folder to look at.
_KINDS = ("run", "run --resume", "table", "killed holder", "run, typed")


def run(seed: int, scale: float, scratch: Path) -> Part:
    """Start pairs of commands."""
    part, chance = Part(), random.Random(seed)
    log = scratch / "log"
    for word, whole in (("run", scratch / "run"), ("table", scratch / "table")):
        if failure := finish(Forked(_words(word, whole), log), log, f"{word} alone"):
            part.failures.append(failure)
    for number in range(max(1, round(TRIALS * scale))):
        kind = _KINDS[number % len(_KINDS)]
        directory = scratch / f"trial-{number}"
        if kind == "killed holder":
            _killed_holder(part, directory, scratch)
        else:
            _pair(part, kind, directory, scratch, chance.uniform(0, _APART))
    return part


def _words(kind: str, directory: Path) -> list[str]:
    command = kind.split(",")[0].split()
    seeds = ["--seeds", "1"] if command[0] == "table" else []
    return [command[0], *_RUN, *seeds, *command[1:], "--out", str(directory)]


def _pair(part: Part, kind: str, directory: Path, scratch: Path, apart: float) -> None:
    """Start two, and see that one completes as if it had been alone and that the other is refused."""
    what = f"two starts of `{kind}` {apart:.3f} s apart"
    logs = [scratch / "first.log", scratch / "second.log"]
    start = Typed if kind.endswith("typed") else Forked
    commands: list[Started] = [start(_words(kind, directory), logs[0])]
    time.sleep(apart)
    commands.append(start(_words(kind, directory), logs[1]))
    codes = [command.wait(LIMIT) for command in commands]
    said = [log.read_text(encoding="utf-8") for log in logs]
    if any(late in text for late in _LATE for text in said):
        part.count("the second came after the end of the first")
    elif sorted(code if code is not None else -1 for code in codes) == [0, 2]:
        part.count(f"two starts of `{kind}`")
        refused = codes.index(2)
        found, writer = re.fullmatch(_REFUSED, said[refused]), commands[1 - refused].pid
        told = found is not None and int(found[1]) == writer
        part.check(told, f"{what}: the one refused, beside process {writer}, said {said[refused]!r}")
    else:
        part.failures.append(f"{what}: exit codes {codes}, got {'; '.join(map(last_line, logs))}")
        return
    _same(part, what, kind, directory, scratch)


def _killed_holder(part: Part, directory: Path, scratch: Path) -> None:
    """Kill a run at work; the next one goes on at once."""
    log = scratch / "holder.log"
    holder = Forked(_words("run", directory), log, 0.0)
    metrics, deadline = directory / "metrics.jsonl", time.monotonic() + LIMIT
    while time.monotonic() < deadline and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.005)
    holder.kill()
    what = "a run beside a killed one"
    part.count(what)
    if failure := finish(Forked(_words("run --resume", directory), log), log, what):
        part.failures.append(failure)
    else:
        _same(part, what, "run", directory, scratch)


def _same(part: Part, what: str, kind: str, directory: Path, scratch: Path) -> None:
    word = kind.split(",")[0].split()[0]
    below = Path("demo/bp/seed-0") if word == "table" else Path()
    differs = difference(directory / below, scratch / word / below)
    part.check(differs is None, f"{what}: {differs}")
