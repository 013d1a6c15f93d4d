"""Rows -> a table for GitHub or for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from infotorch.report.numbers import (
    format_counts,
    format_measured,
    format_mebibytes,
    format_metric,
    format_seconds,
    metric_label,
)
from infotorch.report.rows import ACTIVATIONS, Measured, Row, main_metrics, summarise, validation_twin

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["markdown_table", "summarise", "terminal_table"]


def _columns(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    mains = main_metrics(rows)
    twins = [twin for twin in map(validation_twin, mains) if any(twin in row.metrics for row in rows)]
    columns = [("recipe", [row.recipe for row in rows])] if len({row.recipe for row in rows}) > 1 else []
    columns.append(("variant", [row.variant for row in rows]))
    for name in mains:
        columns += [
            (f"published {metric_label(name)}", [_published(row, name) for row in rows]),
            (f"measured {metric_label(name)}", [_measured(row, name) for row in rows]),
        ]
    columns += [(metric_label(name), [_measured(row, name, count=False) for row in rows]) for name in twins]
    columns += [
        ("saved activations, MiB", [format_mebibytes(row.memory.get(ACTIVATIONS)) for row in rows]),
        ("time", [format_seconds(row.seconds) for row in rows]),
        ("runs", [format_counts(row.counts) for row in rows]),
    ]
    return columns


def _published(row: Row, name: str) -> str:
    return format_metric(name, row.metrics[name].published if name in row.metrics else None)


def _measured(row: Row, name: str, *, count: bool = True) -> str:
    measured = row.metrics.get(name, Measured(name, {}))
    shown = format_measured(name, measured.mean, measured.std_error)
    return f"{shown} (n = {measured.n})" if count and measured.n else shown


def _remarks(rows: Sequence[Row]) -> list[str]:
    remarks = []
    for row in rows:
        title = f"{row.recipe} {row.variant}"
        remarks += [
            f"{title}, seed {run.seed}: {run.status}. {run.message} ({run.last_place})" for run in row.incomplete
        ]
        remarks += [f"{title}: {note}" for note in row.notes]
    return remarks


def markdown_table(rows: Sequence[Row]) -> str:
    """A GitHub table: published beside measured, mean ± standard error, n seeds.

    Args:
        rows: from `summarise`.

    Returns:
        The table; below it a list of the runs that did not complete and of what else a reader must know.

    Example:
        >>> accuracy = Measured("test_accuracy", {0: 0.9, 1: 0.92}, published=0.91)
        >>> row = Row("demo", "bp", (), {"test_accuracy": accuracy}, 4.0, {}, ())
        >>> print(markdown_table([row]))
        | variant | published test accuracy, % | measured test accuracy, % | saved activations, MiB | time | runs |
        | :-- | --: | --: | --: | --: | :-- |
        | bp | 91.00 | 91.00 ± 1.00 (n = 2) | – | 4.00 s | 0 of 0 |
        <BLANKLINE>
    """
    columns = _columns(rows)
    marks = [":--" if header in {"recipe", "variant", "runs"} else "--:" for header, _ in columns]
    lines = [[header for header, _ in columns], marks]
    lines += [list(cells) for cells in zip(*(cells for _, cells in columns), strict=True)]
    table = "".join(f"| {' | '.join(_markdown(cell) for cell in line)} |\n" for line in lines)
    remarks = "".join(f"- {_markdown(remark)}\n" for remark in _remarks(rows))
    return f"{table}\n{remarks}" if remarks else table


def _markdown(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"([|<*_`\[])", r"\\\1", plain)


def terminal_table(rows: Sequence[Row], *, title: str | None = None) -> Table:
    """The same table for a terminal; `rich.console.Console().print` shows it.

    Args:
        rows: from `summarise`.
        title: what stands above the table.

    Returns:
        The table, its caption naming the runs that did not complete.

    Example:
        >>> row = Row("demo", "bp", (), {"test_accuracy": Measured("test_accuracy", {0: 0.9})}, 4.0, {}, ())
        >>> [column.header.plain for column in terminal_table([row]).columns][:2]
        ['variant', 'published test accuracy, %']
    """
    from rich.table import Table
    from rich.text import Text

    columns = _columns(rows)
    # Text, not str: square brackets in a name or a message are no markup.
    table = Table(title=None if title is None else Text(title), caption_justify="left")
    for header, _ in columns:
        left = header in {"recipe", "variant", "runs"}
        table.add_column(Text(header), justify="left" if left else "right", overflow="fold")
    for cells in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*map(Text, cells))
    remarks = _remarks(rows)
    table.caption = Text("\n".join(remarks)) if remarks else None
    return table
