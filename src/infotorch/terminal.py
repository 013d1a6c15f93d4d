"""What a person sees while long work goes on: a progress bar, or plain lines when the output is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

#: Seconds between two plain lines.
PLAIN_SECONDS = 5.0


@contextmanager
def show_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function (what, done, total) that shows progress on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _plain_lines() -> Callable[[str, int, int], None]:
    shown_at, shown = 0.0, ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown_at, shown
        now = time.monotonic()
        if what != shown or done == total or now - shown_at >= PLAIN_SECONDS:
            shown_at, shown = now, what
            print(f"{what}: step {done} of {total}", file=sys.stderr, flush=True)

    return show
