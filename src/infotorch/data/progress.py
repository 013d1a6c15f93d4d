"""Progress of a download on the standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Bar:
    """The four names that pooch expects of a progress bar, on top of rich."""

    def __init__(self, display: Any, task: Any) -> None:
        self._display, self._task = display, task

    @property
    def total(self) -> int:
        """Bytes to come; 0 when the server does not say."""
        return int(self._display.tasks[0].total or 0)

    @total.setter
    def total(self, size: int) -> None:
        self._display.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        """Count `size` more bytes."""
        self._display.advance(self._task, size)

    def reset(self) -> None:
        """Start from 0 again; pooch does so before it reports the whole."""
        self._display.update(self._task, completed=0)

    def close(self) -> None:
        """Draw the final state."""
        self._display.refresh()


@contextmanager
def download_bar(label: str, *, show: bool) -> Iterator[Any]:
    """A progress bar for `pooch.HTTPDownloader`, or False to show nothing.

    Example:
        >>> with download_bar("mnist", show=False) as bar:
        ...     print(bar)
        False
    """
    if not show:
        yield False
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    console.print(f"downloading {label}", markup=False, highlight=False, soft_wrap=True)
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as display:
        yield _Bar(display, display.add_task("", total=None))
