"""A command in several processes of this machine: started, stopped and ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

#: Seconds that the others have to end by themselves once one has failed.
_GRACE = 5.0
#: The Ctrl-C that ends processes which answered none before.
_LAST = 3
#: Environment variable: a folder for what each process says of what went wrong, by its number.
_SAID = "INFOTORCH_SAID"
#: Environment variable: a folder for what a process keeps for itself (`runs.ranks`), which a killed one cannot remove.
_SCRATCH = "INFOTORCH_SCRATCH"
#: Environment variable: the process that started this one, whose end this one must not outlive.
_PARENT = "INFOTORCH_PARENT"


def joined_processes() -> int:
    """How many processes a launcher has started for one command; 1 where there is none."""
    return _integer("WORLD_SIZE", 1)


def rank() -> int:
    """The number of this process among those."""
    return _integer("RANK", 0) if joined_processes() > 1 else 0


def left_to_parent(line: str) -> bool:
    """Note what went wrong for the process that started this one, which says it where the first one did not."""
    folder = os.environ.get(_SAID)
    if folder is None:
        return False
    with open(os.path.join(folder, str(rank())), "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    return rank() > 0


def _say_what_others_said(folder: str) -> None:
    said: dict[int, list[str]] = {}
    for name in sorted(os.listdir(folder), key=int):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            said[int(name)] = file.read().splitlines()
    for number, lines in said.items():
        for line in lines if number else []:
            if line not in said.get(0, []):
                print(f"infotorch: process {number}: {line}", file=sys.stderr, flush=True)


def _integer(name: str, otherwise: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else otherwise


def check_processes(command: str | None, shared: Sequence[str]) -> None:
    """Refuse to be one of several processes where each would do all the work, and write it to the same files.

    Args:
        command: that was asked for.
        shared: commands whose work several processes share.

    Raises:
        ValueError: a launcher says that there are others.
    """
    for launcher, name in (("torchrun", "WORLD_SIZE"), ("mpirun", "OMPI_COMM_WORLD_SIZE")):
        count = _integer(name, 1)
        if count > 1 and not (launcher == "torchrun" and command in shared):
            raise ValueError(
                f"{command} runs in one process, and {name}={count} says that there are {count}, which would do "
                f"everything {count} times; leave out {launcher}, or unset {name}."
            )


def run_in_processes(count: int, words: Sequence[str] = ()) -> int:
    """This command again, with more words behind it, in so many processes that torch.distributed can join.

    Ctrl-C and SIGTERM go on to each of them once; the third ends them. Where one fails the others have a few seconds to
    end, and are ended.
    What went wrong is said once where all of them say the same.

    Returns:
        The exit code: that of the first process that failed, or 0.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = tempfile.TemporaryDirectory(prefix="infotorch-ranks-")
    said, scratch = (os.path.join(ours.name, name) for name in ("said", "scratch"))
    os.mkdir(said)
    os.mkdir(scratch)
    common = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "NODE_RANK": "0",
        _PARENT: str(os.getpid()),
        _SAID: said,
        _SCRATCH: scratch,
    }
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))}
    command = [sys.executable, "-m", "infotorch", *sys.argv[1:], *words]
    processes = [
        # A session of its own: Ctrl-C in a terminal reaches this process alone, which hands it on.
        subprocess.Popen(
            command, env=os.environ | common | threads | {"RANK": str(n), "LOCAL_RANK": str(n)}, start_new_session=True
        )
        for n in range(count)
    ]

    hand_on = _handing_on(processes)
    kept = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _first_failure(processes)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
        for number, before in kept.items():
            signal.signal(number, before)
        with ours:
            _say_what_others_said(said)


def _handing_on(processes: Sequence[subprocess.Popen[bytes]]) -> Callable[[int, FrameType | None], None]:
    """What hands signals on to them: the first asks, the second interrupts, and the third ends those that are left."""
    asked = 0

    def hand_on(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        for process in processes:
            if process.poll() is None:
                # One that waits for another in a collective hears of no signal before that is done.
                process.send_signal(number if asked < _LAST else signal.SIGKILL)

    return hand_on


def _first_failure(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for all of them; the exit code of the first that failed."""
    code, ends_at = 0, float("inf")
    while time.monotonic() < ends_at:
        codes = [process.poll() for process in processes]
        failed = [ended for ended in codes if ended]
        if failed and not code:
            code, ends_at = failed[0], time.monotonic() + _GRACE
            if code < 0:  # it could not say so itself
                print(
                    f"infotorch: process {codes.index(code)} was ended by signal {-code}.", file=sys.stderr, flush=True
                )
        if None not in codes:
            break
        time.sleep(0.05)
    return 128 - code if code < 0 else code  # ended by a signal, as a shell tells it


def end_with_parent() -> None:
    """Stop at the next step's end where the process that started this one is gone: nothing else would end it."""
    parent = _integer(_PARENT, 0)
    if parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
