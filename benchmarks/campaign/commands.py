"""The command line in processes that are quick to start, so that hundreds of them can be killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch

from infotorch.records.run_record import RunRecord
from infotorch.training.checkpoint import has_checkpoint, load_checkpoint

#: Seconds after which a command that still runs hangs: a hundred times what any takes here.
LIMIT = 300.0
#: What takes seconds to import: forked from a process that has imported it, a command starts at once.
_PRELOADED = [
    "campaign.commands",
    "infotorch.commands.main",
    "infotorch.runs.runner",
    "infotorch.runs.preflight",
    "infotorch.theory.demonstration",
    "infotorch.diagnostics.embeddings",
    "optuna",
    "sklearn.datasets",
]


class Started(Protocol):
    """A command that has been started."""

    @property
    def pid(self) -> int | None:
        """Of its process."""
        ...

    def wait(self, seconds: float) -> int | None:
        """The exit code, negative where a signal ended it; None if it still runs after so many seconds."""
        ...

    def kill(self) -> None:
        """Send SIGKILL."""
        ...


class Forked:
    """`infotorch WORDS` in a process forked from one that has imported everything.

    Args:
        words: of the command line.
        log: file for what it prints.
        checkpoint_seconds: between two checkpoints, in place of the command's ten.
    """

    def __init__(self, words: Sequence[str], log: Path, checkpoint_seconds: float = 10.0) -> None:
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(_PRELOADED)
        self._process = server.Process(target=_command, args=(list(words), log, checkpoint_seconds), daemon=True)
        self._process.start()
        self.pid = self._process.pid

    def wait(self, seconds: float) -> int | None:
        """See `Started`."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self) -> None:
        """See `Started`."""
        self._process.kill()


class Typed:
    """`infotorch WORDS` as a person types it, Python and its imports included."""

    def __init__(self, words: Sequence[str], log: Path) -> None:
        with log.open("wb") as file:
            command = [sys.executable, "-m", "infotorch", *words]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.pid = self._process.pid

    def wait(self, seconds: float) -> int | None:
        """See `Started`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """See `Started`."""
        self._process.kill()


def _command(words: list[str], log: Path, checkpoint_seconds: float) -> None:
    """What a forked process does."""
    from infotorch.commands.main import main
    from infotorch.runs.runner import run

    torch.set_num_threads(1)
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    assert run.__kwdefaults__ is not None
    run.__kwdefaults__["checkpoint_seconds"] = checkpoint_seconds
    sys.argv = ["infotorch", *words]
    main()


def finish(command: Started, log: Path, what: str) -> str | None:
    """Wait for a command that must complete; None if it does, else what happened, in a line."""
    code = command.wait(LIMIT)
    if code == 0:
        return None
    command.kill()
    return f"{what}: {'hangs' if code is None else f'exit code {code}'}: {last_line(log)}"


def last_line(log: Path) -> str:
    """The last line that a command printed."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "(nothing printed)"


def difference(directory: Path, whole: Path) -> str | None:
    """In what a run differs from one that was never stopped; None where in nothing but times.

    Compared are all files that hold what happened byte for byte, the outcome, the trials of a search, and every number
    of the checkpoint; and nothing hidden may be left.
    """
    run, other = RunRecord(directory), RunRecord(whole)
    if run.files() != other.files():
        return f"it holds {run.files()}, the other {other.files()}"
    timed = {"environment.json", "outcome.json"}  # when it was started, and how long it took
    searched = [path.relative_to(whole).as_posix() for path in sorted(whole.glob("tuning/**/trials.jsonl"))]
    for name in [name for name in other.files() if name not in timed] + searched:
        if run.read(name) != other.read(name):
            return f"{name} differs"
    if _without_times(_outcome(run)) != _without_times(_outcome(other)):
        return "outcome.json differs"
    if has_checkpoint(other.checkpoint_directory):
        states = [load_checkpoint(one.checkpoint_directory) for one in (run, other)]
        if _plain(_without_times(states[0])) != _plain(_without_times(states[1])):
            return "the checkpoint differs"
    hidden = [path.name for path in directory.rglob(".*")]
    return f"it has left {', '.join(hidden)}" if hidden else None


def _outcome(run: RunRecord) -> dict[str, Any]:
    """The outcome of a run, empty where it has none."""
    outcome = run.outcome()
    return {} if outcome is None else asdict(outcome)


def _without_times(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "seconds"}


def _plain(value: Any) -> Any:
    """The same with bytes for tensors, which can be compared, NaN included."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return json.dumps(value) if isinstance(value, float) else value
