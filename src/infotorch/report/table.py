"""Rows -> a table for GitHub or for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from infotorch.report.assessment import assessment_markdown
from infotorch.report.comparisons import (
    MCNEMAR,
    Comparison,
    Reference,
    compare_rows,
    counted_by_recipe,
    format_alone,
    format_difference,
    format_word,
    reference_of,
)
from infotorch.report.demonstration import demonstration_markdown
from infotorch.report.differences import RULE
from infotorch.report.numbers import (
    ABSENT,
    format_counts,
    format_measured,
    format_mebibytes,
    format_metric,
    format_seconds,
    metric_label,
)
from infotorch.report.published import about_lines, our_best, our_deviation, published_cell, published_train
from infotorch.report.settings_apart import settings_apart
from infotorch.report.summaries import (
    ACTIVATIONS,
    Measured,
    VariantSummary,
    by_recipe,
    summarise,
    told_by,
    twin_of,
)

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["markdown_table", "summarise", "terminal_table"]


_COMPARED, _MCNEMAR = "paired difference (95 %)", "McNemar over test samples"
_PUBLISHED_TRAIN, _REACHED = "published on training samples", "minimum reached"
_ISOLATION = "isolation"
#: Columns that are left out where no row has a value.
_OPTIONAL = {_REACHED, _COMPARED, _MCNEMAR, _PUBLISHED_TRAIN, _ISOLATION, "best seed", "s.d. over seeds"}
_LEFT = frozenset({"recipe", "variant", "metric", _COMPARED, _ISOLATION, "runs"})


def _lines(rows: Sequence[VariantSummary]) -> list[tuple[VariantSummary, str]]:
    groups = by_recipe(rows)
    return [(row, name) for group in groups for name, told in told_by(group) for row in told]


def _compared(rows: Sequence[VariantSummary], against: Reference) -> dict[tuple[str, str, str], Comparison]:
    """Recipe, variant and metric -> the comparison; those of one recipe are made together."""
    groups = by_recipe(rows)
    return {(group[0].recipe, *key): one for group in groups for key, one in compare_rows(group, against).items()}


def _columns(rows: Sequence[VariantSummary], against: Reference) -> list[tuple[str, list[str]]]:
    """Header and cells of each column; a line per row and main metric of its recipe."""
    lines = _lines(rows)
    compared = _compared(rows, against)
    names = list(dict.fromkeys(name for _, name in lines))
    one = names[0] if len(names) == 1 else ""
    columns = [("recipe", [row.recipe for row, _ in lines])] if len({row.recipe for row in rows}) > 1 else []
    columns.append(("variant", [row.marked for row, _ in lines]))
    if len(names) > 1:
        columns.append(("metric", [metric_label(name) for _, name in lines]))
    others = {split: metric_label(twin_of(one, split)) if one else split for split in ("validation", "train")}
    columns += [
        (f"published {metric_label(one)}".strip(), [published_cell(row, name) for row, name in lines]),
        *_values(lines, one),
        ("best seed", [our_best(row, name) for row, name in lines]),
        ("s.d. over seeds", [our_deviation(row, name) for row, name in lines]),
        (_COMPARED, [_difference(compared.get((row.recipe, row.variant, name))) for row, name in lines]),
        (_MCNEMAR, [_alone(compared.get((row.recipe, row.variant, name))) for row, name in lines]),
        (others["validation"], [_measured(row, twin_of(name, "validation"), count=False) for row, name in lines]),
        (_PUBLISHED_TRAIN, [published_train(row, name) for row, name in lines]),
        (others["train"], [_measured(row, twin_of(name, "train"), count=False) for row, name in lines]),
        ("saved activations, MiB", [format_mebibytes(row.memory.get(ACTIVATIONS)) for row, _ in lines]),
        ("time", [format_seconds(row.seconds) for row, _ in lines]),
        (_ISOLATION, [row.isolation or ABSENT for row, _ in lines]),
        ("runs", [format_counts(row.counts) for row, _ in lines]),
    ]
    optional = {*others.values(), *_OPTIONAL}
    return [(header, cells) for header, cells in columns if header not in optional or set(cells) != {ABSENT}]


def _values(lines: Sequence[tuple[VariantSummary, str]], one: str) -> list[tuple[str, list[str]]]:
    """What was measured at the end, and where runs looked on the way, the lowest value there: another statistic."""
    reached = [_measured(row, f"lowest_{name}", count=False) for row, name in lines]
    last = ", last" if set(reached) != {ABSENT} else ""
    measured = [_measured(row, name) for row, name in lines]
    return [(_REACHED, reached), (f"measured {metric_label(one)}".strip() + last, measured)]


def _difference(comparison: Comparison | None, *, interval: bool = True) -> str:
    if comparison is None:
        return ABSENT
    shown, word = format_difference(comparison, interval=interval), format_word(comparison)
    return f"{shown}: {word}" if word else shown


def _alone(comparison: Comparison | None) -> str:
    return ABSENT if comparison is None else format_alone(comparison)


def _measured(row: VariantSummary, name: str, *, count: bool = True) -> str:
    measured = row.metrics.get(name, Measured(name, {}))
    shown = format_measured(name, measured.mean, measured.std_error)
    return f"{shown} (n = {measured.n})" if count and measured.n else shown


def _counted(rows: Sequence[VariantSummary], against: Reference) -> list[str]:
    return [f"{recipe}: {said}." for recipe, said in counted_by_recipe(rows, against)]


def _remarks(rows: Sequence[VariantSummary], against: Reference) -> list[str]:
    remarks = settings_apart(rows, against)
    remarks += [line for group in by_recipe(rows) for line in (*_guessing(group), *about_lines(group))]
    for row in rows:
        title = f"{row.recipe} {row.variant}"
        remarks += [
            f"{title}, seed {run.seed}: {run.status}. {run.message} ({run.last_place})" for run in row.incomplete
        ]
        remarks += [f"{title}: {note}" for note in row.notes]
    return remarks


#: What doing nothing gives: no row has learnt anything that does not beat it.
_FLOORS = {
    "majority_class": "always guessing the most frequent class gives {} %",
    "noisy_psnr_db": "the noisy images themselves have {} dB",
    "raw_forecast_mae": "the forecast as it comes has a mean absolute error of {}",
    "least_squares_mae": "a linear map has {}",
}


def _guessing(rows: Sequence[VariantSummary]) -> list[str]:
    said = []
    for name, words in _FLOORS.items():
        groups = _alike(name, rows)
        for group in groups:
            values = [value for row in group for value in row.metrics[name].values.values()]
            which = rows[0].recipe
            which += f", {'; '.join(row.variant for row in group)}" if len(groups) > 1 else ""
            said.append(f"{which}: {words.format(format_metric(name, sum(values) / len(values)))}")
    return said


def _alike(name: str, rows: Sequence[VariantSummary]) -> list[list[VariantSummary]]:
    """Rows with a metric, those together that have the same on every seed that they share: their data are the same."""
    groups: list[tuple[dict[int, str], list[VariantSummary]]] = []
    for row in rows:
        values = row.metrics.get(name, Measured(name, {})).values
        shown = {seed: format_metric(name, value) for seed, value in values.items()}
        if not shown:
            continue
        fitting = [one for one in groups if all(one[0].get(seed, text) == text for seed, text in shown.items())]
        known, group = fitting[0] if fitting else ({}, [])
        if not fitting:
            groups.append((known, group))
        known.update(shown)
        group.append(row)
    return [group for _, group in groups]


def markdown_table(rows: Sequence[VariantSummary], against: Reference = reference_of) -> str:
    """A GitHub table: published beside measured, mean ± standard error, n seeds, and the difference to a baseline.

    Args:
        rows: from `summarise`.
        against: variant and all variants of its table -> the row that it is compared with, or None.

    Returns:
        The table; below it how many comparisons it makes and the rule of their words, a list of the runs that did not
        complete and of what else a reader must know, and the tables of `assessment_tables` where runs were assessed.

    Example:
        >>> accuracy = Measured("test_accuracy", {0: 0.9, 1: 0.92}, published=0.91)
        >>> row = VariantSummary("demo", "bp", (), {"test_accuracy": accuracy}, 4.0, {}, ())
        >>> print(markdown_table([row]))
        | variant | published test accuracy, % | measured test accuracy, % | saved activations, MiB | time | runs |
        | :-- | --: | --: | --: | --: | :-- |
        | bp | 91.00 | 91.00 ± 1.00 (n = 2) | – | 4.00 s | 0 of 0 |
        <BLANKLINE>
    """
    columns = _columns(rows, against)
    marks = [":--" if header in _LEFT else "--:" for header, _ in columns]
    lines = [[header for header, _ in columns], marks]
    lines += [list(cells) for cells in zip(*(cells for _, cells in columns), strict=True)]
    table = "".join(f"| {' | '.join(_markdown(cell) for cell in line)} |\n" for line in lines)
    counted = _counted(rows, against)
    counted += [RULE] * bool(counted) + [MCNEMAR] * any(header == _MCNEMAR for header, _ in columns)
    remarks = "".join(f"- {_markdown(remark)}\n" for remark in [*counted, *_remarks(rows, against)])
    more = demonstration_markdown(rows) + assessment_markdown(rows)
    return (f"{table}\n{remarks}" if remarks else table) + more


def _markdown(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"([|<*_`\[])", r"\\\1", plain)


def terminal_table(rows: Sequence[VariantSummary], *, title: str | None = None) -> Table:
    """Published beside measured for a terminal; `rich.console.Console().print` shows it.

    Args:
        rows: from `summarise`.
        title: what stands above the table.

    Returns:
        The table, a block per recipe and main metric, its caption naming the runs that did not complete.

    Example:
        >>> from rich.console import Console
        >>> accuracy = Measured("test_accuracy", {0: 0.9, 1: 0.92}, published=0.91)
        >>> table = terminal_table([VariantSummary("demo", "bp", (), {"test_accuracy": accuracy}, 4.0, {}, ())])
        >>> Console(width=80).print(table)
        <BLANKLINE>
        ...
        bp         91.00     91.00 ± 1.00            –          –   4.00 s  0 of 0
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title and Text(title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    compared = _compared(rows, reference_of)
    headers = ("variant", "published", "measured", *(["difference"] if compared else []), "validation", "saved MiB")
    for header in (*headers, "time", "runs"):
        left = header in _LEFT
        table.add_column(header, justify="left" if left else "right", no_wrap=header not in {"runs", "difference"})
    shown = None
    for row, name in _lines(rows):
        if shown != (row.recipe, name):
            table.add_section()
            # Text, not str: square brackets in a name or a message are no markup.
            table.add_row(Text(row.recipe, "bold"), None, Text(metric_label(name), "bold"))
            shown = row.recipe, name
        cells = _terminal_cells(row, name)
        if compared:
            cells.insert(3, _difference(compared.get((row.recipe, row.variant, name)), interval=False))
        table.add_row(*map(Text, cells), style="yellow" if row.incomplete else None)
    table.caption = Text("\n".join([*_counted(rows, reference_of), *_remarks(rows, reference_of)]))
    table.caption_justify = "left"
    return table


def _terminal_cells(row: VariantSummary, name: str) -> list[str]:
    twin = twin_of(name, "validation")
    return [
        row.marked,
        published_cell(row, name),
        _measured(row, name, count=False),
        format_metric(twin, row.metrics.get(twin, Measured(twin, {})).mean),
        format_mebibytes(row.memory.get(ACTIVATIONS)),
        format_seconds(row.seconds),
        format_counts(row.counts),
    ]
