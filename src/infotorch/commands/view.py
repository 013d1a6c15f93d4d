"""What a person sees of a command: one plain line on stderr for what goes wrong, columns and tables on stdout."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import infotorch
from infotorch.commands.processes import left_to_parent, rank

if TYPE_CHECKING:
    from infotorch.records.outcome import Outcome

#: Columns of a table that goes to a file: no terminal limits it.
_FILE_WIDTH = 160


def complain(message: str) -> None:
    """One line on stderr: what went wrong, and of several processes in which."""
    # A name in a stranger's file may hold what commands a terminal.
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.split()))
    where = f"process {rank()}: " if rank() else ""
    if not left_to_parent(line):
        print(f"infotorch: {where}{line}", file=sys.stderr, flush=True)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """A context in which each of this package's warnings is one line on stderr, as an error is."""
    with warnings.catch_warnings():
        others, home = warnings.showwarning, Path(infotorch.__file__).parent

        def show(message: Any, category: Any, filename: str, *where: Any, **options: Any) -> None:
            if home in Path(filename).parents:
                complain(str(message))
            else:
                others(message, category, filename, *where, **options)

        warnings.showwarning = show
        yield


def print_columns(lines: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_outcome(outcome: Outcome) -> None:
    """The numbers of a run, published ones beside them."""
    lines = []
    for name, value in outcome.metrics.items():
        published = outcome.published.get(name)
        lines.append((name, _number(value), f"published {published['value']:.6g}" if published else ""))
    if lines:
        print_columns(lines)


def outcome_line(outcome: Outcome) -> str:
    """A run of a table in one line."""
    title = f"{outcome.recipe} {outcome.variant} seed {outcome.seed}: {outcome.status}"
    if outcome.status != "completed":
        return f"{title}, {' '.join(outcome.message.split())}"
    tested = [name for name in outcome.metrics if name.startswith("test_")]
    shown = [name for name in outcome.published if name in outcome.metrics] or tested[:1] or list(outcome.metrics)[:1]
    numbers = [f"{name} {_number(outcome.metrics[name])}" for name in shown]
    return ", ".join([title, *numbers, f"{outcome.seconds:.1f} s"])


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"


def incomplete_variants(outcomes: Sequence[Outcome]) -> str:
    """The variants of a table that did not complete, such as "demo bp (2 of 3 diverged)"; empty when all did."""
    runs = Counter((outcome.recipe, outcome.variant) for outcome in outcomes)
    short = Counter((o.recipe, o.variant, o.status) for o in outcomes if o.status != "completed")
    named = [
        f"{name} {variant} ({n} of {runs[name, variant]} {status})" for (name, variant, status), n in short.items()
    ]
    return ", ".join(named)


def print_rich(*tables: Any) -> None:
    """Tables of rich, in the width of the terminal or wide enough for a file."""
    from rich.console import Console

    console = Console(width=shown_width())
    for table in tables:
        console.print(table)


def shown_width() -> int:
    """Characters of a line on stdout: what the terminal has, or enough for a file."""
    from rich.console import Console

    console = Console()
    return console.width if console.is_terminal else _FILE_WIDTH
