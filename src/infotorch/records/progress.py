"""Progress of long work on the standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

Item = TypeVar("Item")
#: Called with (what is going on, steps done, steps in all).
Progress = Callable[[str, int, int], None]
#: Seconds between two plain lines about one stage.
PLAIN_SECONDS = 5.0
#: Items that take about a second.
MANY = 2_000


_hushed = False


@contextmanager
def hushed() -> Iterator[None]:
    """Within, nothing is said of progress: no bar, no line.

    Example:
        >>> with hushed():
        ...     say("unheard")
    """
    global _hushed
    before, _hushed = _hushed, True
    try:
        yield
    finally:
        _hushed = before


def say(line: str) -> None:
    """One line on stderr: what goes on."""
    if not _hushed:
        print(line, file=sys.stderr, flush=True)


class Clock:
    """How long work has taken, and how long the rest will take if it goes on as since the last setback.

    Args:
        parts: called for (parts done, parts in all); a table's parts are its runs, or as many of them as go on at once.

    Example:
        >>> clock = Clock(lambda: (1, 4))
        >>> [clock.tell(seconds, done, 100) for seconds, done in ((10.0, 0), (20.0, 50))]
        ['', '0:10 elapsed, 0:50 left']
    """

    def __init__(self, parts: Callable[[], tuple[float, float]] = lambda: (0, 1)) -> None:
        self._parts, self._begun = parts, None
        self._mark, self._last = (0.0, 0.0), 0.0

    def share(self, done: int, total: int) -> float:
        """How much of everything is done, 0 to 1, where `done` of `total` steps of the present part are."""
        before, count = self._parts()
        return min((before + (done / total if total else 0.0)) / count, 1.0) if count else 1.0

    def tell(self, now: float, done: int, total: int) -> str:
        """What the clock says at `now`, in seconds; "" before anything can be told."""
        share = self.share(done, total)
        if self._begun is None or share < self._last:  # it starts, or another search of the same run does
            self._begun = now if self._begun is None else self._begun
            self._mark = now, share
        self._last = share
        since, before = self._mark
        if share <= before:
            return ""
        left = (now - since) / (share - before) * (1 - share)
        return f"{_clock(now - self._begun)} elapsed, {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


@contextmanager
def show_progress(title: str = "", *, parts: Callable[[], tuple[float, float]] = lambda: (0, 1)) -> Iterator[Progress]:
    """Yield a function (what, done, total) that shows progress, under a title once there is any.

    Args:
        title: a line before the first progress.
        parts: as for `Clock`, for work of several parts that each count their own steps.

    Example:
        >>> with show_progress() as show:
        ...     show("training", 1, 10)
    """
    untold = [title] if title else []
    with _bar(Clock(parts)) if _on_terminal() else nullcontext(_plain_lines(Clock(parts))) as show:

        def tell(what: str, done: int, total: int) -> None:
            if untold:
                say(untold.pop())
            show(what, done, total)

        yield tell


@contextmanager
def bar_for_long_work(*, show: bool = True) -> Iterator[Progress]:
    """Yield a function (what, done, total) that shows a bar on a terminal, once the work has taken a second.

    Elsewhere, and where another bar stands on the terminal already, nothing is shown.

    Example:
        >>> with bar_for_long_work() as tell:
        ...     tell("training", 1, 10)
    """
    if not show or sys.stderr is None or not sys.stderr.isatty() or not _on_terminal():
        yield lambda *_: None
        return
    next_at = time.monotonic() + 1.0
    with _bar(Clock()) as bar:

        def tell(what: str, done: int, total: int) -> None:
            nonlocal next_at
            if time.monotonic() < next_at:
                return
            try:
                bar(what, done, total)
                next_at = time.monotonic() + 0.1
            except LiveError:
                next_at = math.inf

        from rich.errors import LiveError

        yield tell


@contextmanager
def show_status(what: str) -> Iterator[None]:
    """A sign of life on a terminal while nothing can be counted; gone before anything else is shown."""
    from rich.console import Console

    with Console(stderr=True).status(what) if _on_terminal() else nullcontext():
        yield


@contextmanager
def download_bar(label: str, *, show: bool) -> Iterator[Any]:
    """A progress bar for `pooch.HTTPDownloader`, or False to show nothing; one line where there is no terminal.

    Example:
        >>> with download_bar("mnist", show=False) as bar:
        ...     print(bar)
        False
    """
    if not show:
        yield False
        return
    say(f"downloading {label}")
    with _bar(Clock(), in_bytes=True) if _on_terminal() else nullcontext(lambda *_: None) as tell:
        yield _Download(tell)


def counted(items: Sequence[Item], label: str) -> Iterator[Item]:
    """The items one by one, with a bar where there are many of them; one line where there is no terminal.

    Example:
        >>> list(counted([1, 2], "counting"))
        [1, 2]
    """
    if len(items) < MANY:
        yield from items
        return
    say(label)
    with _bar(Clock()) if _on_terminal() else nullcontext(lambda *_: None) as tell:
        for number, item in enumerate(items, start=1):
            yield item
            tell("", number, len(items))


class _Download:
    """The four names that pooch expects of a progress bar."""

    def __init__(self, tell: Progress) -> None:
        self._tell, self._done = tell, 0
        self.total = 0  # bytes to come; pooch writes it, 0 when the server does not say

    def update(self, size: int) -> None:
        """Count `size` more bytes."""
        self._done += size
        self._tell("", self._done, self.total)

    def reset(self) -> None:
        """Start from 0 again; pooch does so before it reports the whole."""
        self._done = 0

    def close(self) -> None:
        """Nothing is open."""


def _on_terminal() -> bool:
    from rich.console import Console

    return not _hushed and Console(stderr=True).is_terminal


@contextmanager
def _bar(clock: Clock, *, in_bytes: bool = False) -> Iterator[Progress]:
    from rich import progress
    from rich.console import Console

    display = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=None),
        progress.DownloadColumn() if in_bytes else progress.TextColumn("{task.percentage:3.0f} %"),
        progress.TextColumn("{task.fields[clock]}"),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # what goes to a file stays out of the terminal
    )
    task = None

    def show(what: str, done: int, total: int) -> None:
        nonlocal task
        # Bytes are shown as such; steps as a share of everything.
        reached, all_of_it = (done, total or None) if in_bytes else (clock.share(done, total), 1 if total else None)
        said = clock.tell(time.monotonic(), done, total)
        if task is None:  # only now: a download before the first step draws its own bar
            display.start()
            task = display.add_task(what, total=all_of_it, clock=said)
        display.update(task, description=what, completed=reached, total=all_of_it, clock=said)

    try:
        yield show
    finally:
        display.stop()


def _plain_lines(clock: Clock) -> Progress:
    shown_at, shown = 0.0, ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown_at, shown
        now = time.monotonic()
        told = clock.tell(now, done, total)
        if what != shown or now - shown_at >= PLAIN_SECONDS:
            shown_at, shown = now, what
            say(f"{what}: step {done} of {total}{told and f'; {told}'}")

    return show
