"""Runs of every family and searches, killed at random moments and resumed: each equals the run that was never killed.

Most are killed in a process that starts at once and writes a checkpoint often, so that a kill hits a write; some are
the command as a person types it, and of those some are asked to stop by SIGTERM or Ctrl-C, be it before they train.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

from campaign.commands import LIMIT, Forked, Started, Typed, difference, finish, last_line
from campaign.part import Part

_DIGITS = ("data.name=digits", "data.limit=200", "data.validation=60", "epochs=2", "embedding_samples=0")
_DENOISED = (*_DIGITS, "data.side=8", "network.channels=[4,4,4]", "network.latent=5")
_SMALL_CONVOLUTIONS = (*_DIGITS, "network.channels=[4,4]", "network.hidden=[16]")
_SIGNALLED = (
    *_DIGITS,
    "network.architecture=",
    "network.dropout=0",
    "network.hidden=[16]",
    "schedule.num_samples=100",
)
_ASSESSED = ("assessment.outliers=digits", "assessment.num_samples=60", "assessment.steps=2")
_SEARCHED = ("data.limit=200", "epochs=1", "search.seeds=[1000]")

#: Recipe and variant -> settings that make it a run of a second or two on data that comes with scikit-learn.
CASES = {
    "demo full-bound": ("data.limit=300", "epochs=2"),
    "demo mole": ("data.limit=300", "epochs=2", "plan.order=simultaneous"),
    "ib-mnist full": _DIGITS,
    "ib-mnist-1pct full-bound": (*_DIGITS, "data.labels=50"),
    "mole-mnist matrix": _SMALL_CONVOLUTIONS,
    "mole-mnist dim-mine": _SMALL_CONVOLUTIONS,
    "mole-mnist label-free": (*_SMALL_CONVOLUTIONS, "embedding_samples=10"),
    "prox-binary sgd-order2": ("data.limit=300", "epochs=2"),
    "prox-mnist adamw-hybrid": (*_DIGITS, "data.side=8"),
    "prox-vae-mnist adam-order2": _DENOISED,
    "milr-mnist network": _SIGNALLED,
    "milr-mnist layerwise": _SIGNALLED,
    "milr-mnist schedule-free": _SIGNALLED,
    "remedies-mnist nonlinear-ib": (*_DIGITS, "network.hidden=[16,16]", *_ASSESSED),
    "why-ib-fails figure-3": (),
    "why-ib-fails plane-tanh": ("data.name=digits", "data.limit=100", "epochs=1", 'planes={"bin_width": 0.1}'),
    "demo bp": (*_SEARCHED, "tune=true", "search.trials=3"),
    "demo mi-only": (*_SEARCHED, "plan.objectives=auto"),
}
#: At scale 1: kills of forked commands, and typed commands that are killed or asked to stop.
KILLS, TYPED = 100, 12
_SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT)
#: A run is killed up to so many times before it may end.
_MOST_KILLS = 3


def run(seed: int, scale: float, scratch: Path) -> Part:
    """Kill until enough kills have hit a command at work."""
    part, chance = Part(), random.Random(seed)
    names = list(CASES)
    chance.shuffle(names)
    wanted, trial = max(2, round(KILLS * scale)), 0
    whole: dict[str, float] = {}
    finish(Forked(["--version"], scratch / "log"), scratch / "log", "the imports")  # before anything is timed
    while _kills(part) < wanted and trial < 3 * wanted:
        name = names[trial % len(names)]
        if name not in whole:
            whole[name] = _whole(part, name, scratch)
        _forked(part, name, scratch, whole[name], min(_MOST_KILLS, wanted - _kills(part)), chance)
        trial += 1
    part.check(_kills(part) >= wanted, f"only {_kills(part)} of {wanted} kills hit a command at work")
    part.figures["runs that were killed and resumed"] = trial
    for number in range(round(TYPED * scale)):
        _typed(part, list(whole)[number % len(whole)], scratch, chance, _SIGNALS[number % len(_SIGNALS)])
    return part


def _kills(part: Part) -> int:
    return sum(times for what, times in part.tried.items() if what.startswith("SIGKILL"))


def _words(name: str, directory: Path) -> list[str]:
    recipe, variant = name.split()
    settings = [word for setting in CASES[name] for word in ("--set", setting)]
    return ["run", recipe, "--variant", variant, *settings, "--device", "cpu", "--out", str(directory), "--resume"]


def _whole(part: Part, name: str, scratch: Path) -> float:
    """Run a case to its end, never stopped; the seconds that it took."""
    directory, log = scratch / name / "whole", scratch / "whole.log"
    began = time.monotonic()
    if failure := finish(Forked(_words(name, directory), log), log, f"{name}, never stopped"):
        part.failures.append(failure)
    return time.monotonic() - began


def _forked(part: Part, name: str, scratch: Path, seconds: float, kills: int, chance: random.Random) -> None:
    """Kill a run up to so many times, each at a moment of its own, and let it end."""
    directory, log = scratch / name / "killed", scratch / "killed.log"
    moments, every = [], chance.choice([0.0, 0.02, 0.2])
    for _ in range(chance.randint(1, kills)):
        moments.append(chance.uniform(0, seconds))
        command = Forked(_words(name, directory), log, every)
        code = command.wait(moments[-1])
        if code is not None:
            break
        command.kill()
        if command.wait(LIMIT) == -signal.SIGKILL:
            part.count(f"SIGKILL, {_family(name)}")
    what = f"{name}, a checkpoint each {every:g} s, killed after {', '.join(f'{moment:.3f}' for moment in moments)} s"
    _ends_as_whole(part, what, Forked(_words(name, directory), log, every), directory, log)


def _typed(part: Part, name: str, scratch: Path, chance: random.Random, number: signal.Signals) -> None:
    """Type a command, end it at any moment of its imports or its run, and type it again."""
    directory, log = scratch / name / "killed", scratch / "typed.log"
    began = time.monotonic()
    command = Typed(_words(name, directory), log)
    while number != signal.SIGKILL and not _takes(command, number) and command.wait(0.01) is None:
        pass  # until then the signal is Python's own affair
    moment = chance.uniform(0, 6)
    if command.wait(moment) is None and command.pid is not None:
        part.count(f"typed command, {number.name}")
        os.kill(command.pid, number)
        code, said = command.wait(LIMIT), last_line(log)
        what = f"{name} typed, {number.name} after {time.monotonic() - began:.2f} s"
        if number != signal.SIGKILL:
            part.check(code == 130 and _ends_well(said), f"{what}: exit code {code}: {said}")
        command.kill()
    _ends_as_whole(part, f"{name} typed", Typed(_words(name, directory), log), directory, log)


def _takes(command: Started, number: signal.Signals) -> bool:
    """Whether a command handles SIGTERM and this signal already, where the system tells."""
    status = Path(f"/proc/{command.pid}/status")
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status.read_text()) if status.exists() else None
    return caught is None or all(int(caught[1], 16) >> (one - 1) & 1 for one in (signal.SIGTERM, number))


def _ends_well(said: str) -> bool:
    return said.startswith("infotorch: interrupted")


def _ends_as_whole(part: Part, what: str, command: Started, directory: Path, log: Path) -> None:
    failure = finish(command, log, f"{what}, then resumed")
    if failure is None and (differs := difference(directory, directory.with_name("whole"))):
        failure = f"{what}, then resumed: {differs}"
    part.count("resumed and compared with the run never stopped")
    part.check(failure is None, failure or "")
    shutil.rmtree(directory, ignore_errors=True)


def _family(name: str) -> str:
    recipe, _, _ = name.partition(" ")
    if "tune=true" in CASES[name] or "plan.objectives=auto" in CASES[name]:
        return "a search"
    return recipe if recipe in {"demo", "why-ib-fails"} else recipe.split("-")[0]
