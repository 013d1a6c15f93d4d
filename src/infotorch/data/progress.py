"""Progress on the standard error: a bar on a terminal, one plain line elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
MANY = 2_000  # items that take about a second


class _Bar:
    """The four names that pooch expects of a progress bar, on top of rich."""

    def __init__(self, display: Any, task: Any) -> None:
        self._display, self._task = display, task

    def _set_total(self, size: int) -> None:
        self._display.update(self._task, total=size or None)

    total = property(fset=_set_total, doc="Bytes to come; pooch writes it, 0 when the server does not say.")

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


def counted(items: Sequence[Item], label: str) -> Iterator[Item]:
    """The items one by one, with progress where there are many of them.

    Example:
        >>> list(counted([1, 2], "counting"))
        [1, 2]
    """
    if len(items) < MANY:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    console.print(label, markup=False, highlight=False, soft_wrap=True)
    yield from track(items, "", console=console, transient=True, disable=not console.is_terminal)
