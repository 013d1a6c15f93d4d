"""Where the runs of one table that go on in several processes say how far they are, and are told to stop.

A folder of small files beside the runs, so that it serves processes of one machine and of several with shared storage.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from infotorch.records.files import write_atomic
from infotorch.records.progress import Progress

_FOLDER, _TOKEN, _STOP = ".jobs", "token", "stop"
#: Seconds between two looks at the folder, by either side.
LOOK_S = 0.5


class Note(NamedTuple):
    """How far a run is.

    Example:
        >>> Note("training", 1, 4).share
        0.25
    """

    what: str
    done: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


class Board(NamedTuple):
    """The folder, as a worker gets it: it finds out whether it sees the same one."""

    folder: Path
    token: str

    @property
    def is_shared(self) -> bool:
        """Whether this process sees the folder of the process that opened it."""
        with suppress(OSError):
            return (self.folder / _TOKEN).read_text() == self.token
        return False

    def ask_to_stop(self) -> None:
        """Ask every run to stop at its next step."""
        (self.folder / _STOP).touch()

    @property
    def stops(self) -> bool:
        """Whether that was asked."""
        return (self.folder / _STOP).exists()

    def notes(self) -> dict[str, Note]:
        """What every run that has begun, and not ended, said last."""
        found = {}
        for path in sorted(self.folder.glob("*.json")):
            with suppress(OSError, ValueError, TypeError):  # a worker takes it away in between
                found[path.stem] = Note(*json.loads(path.read_text()))
        return found

    def forget(self, names: Iterable[str]) -> None:
        """Take away what runs said whose processes are gone."""
        for name in names:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    @contextmanager
    def telling(self, name: str) -> Iterator[Progress]:
        """Yield what tells the folder about one run, and interrupts it, as Ctrl-C does, once that is asked."""
        path, next_at = self.folder / f"{name}.json", 0.0

        def tell(what: str, done: int, total: int) -> None:
            nonlocal next_at
            if (now := time.monotonic()) < next_at:
                return
            next_at = now + LOOK_S
            if self.stops:
                _interrupt()
            write_atomic(path, json.dumps([what, done, total]).encode())

        tell(f"{name}: starting", 0, 1)
        yield tell
        # Not in a `finally`: what a process leaves that was killed is how the others know that it had begun.
        path.unlink(missing_ok=True)


@contextmanager
def open_board(directory: Path) -> Iterator[Board]:
    """Open a board for the runs of a table, whose directory the caller holds; gone in the end.

    Example:
        >>> import tempfile
        >>> with open_board(Path(tempfile.mkdtemp())) as board:
        ...     with board.telling("bp seed 0") as tell:
        ...         tell("training", 1, 4)  # within half a second of the last one
        ...         print(board.is_shared, board.notes())
        True {'bp seed 0': Note(what='bp seed 0: starting', done=0, total=1)}
    """
    folder = directory / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # of a table that was killed
    folder.mkdir(parents=True)
    board = Board(folder, secrets.token_hex(16))
    (folder / _TOKEN).write_text(board.token)
    try:
        yield board
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt() -> None:
    # What is started in the background of a script ignores Ctrl-C, until training listens to it.
    if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)  # training ends at the end of its step
    else:
        raise KeyboardInterrupt
