"""What runs were assessed by beside their accuracy, side by side: calibration, robustness, and one layer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from infotorch.figures.strength import strength_figure
from infotorch.report.comparisons import (
    HELD,
    Comparison,
    compare_pairs,
    counted_comparisons,
    format_difference,
    reference_of,
)
from infotorch.report.numbers import ABSENT, better, format_measured, metric_label
from infotorch.report.sections import drawing, escape, number
from infotorch.report.strength import at_one_price, strength_curves
from infotorch.report.summaries import Measured, VariantSummary, by_recipe

if TYPE_CHECKING:
    from rich.table import Table

#: The metric that every assessed run has.
_MARK = "test_calibration_error"
_CHANGED = re.compile(
    r"(unchanged|affine|(gaussian|fgsm|pgd|pgd_restarts|pgd_transfer)_[\d.e-]+)_accuracy|blind_share|obfuscation_signs"
)
_TRUST = re.compile(r"test_(accuracy|nll_nats|calibration_error)|outlier_auroc_\w+")
_LAYER = re.compile(r"layer_\w+")
#: Its differences stand there.
_IN_THE_MAIN_TABLE = {"test_accuracy"}


class AssessmentTable(NamedTuple):
    """One table: a line for each variant, a column for each metric.

    Args:
        title: what it shows, in words.
        header: "variant" and the metrics; of remedies at one price, "remedy" and the prices.
        lines: cells, mean ± standard error; of differences the mean, its interval and the word that follows.
        note: of differences, how many comparisons were made; else "".
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    note: str = ""


# title, metrics, and what the title says already
_TABLES = (
    ("calibration, and detection of out-of-distribution samples", _TRUST, ""),
    (
        "robustness (P4): accuracy in % on changed images, sizes in shares of the pixels' range",
        _CHANGED,
        " accuracy, %",
    ),
    ("the layer T: information (P1), compression (P2), simple decisions (P3)", _LAYER, "layer "),
)


def assessment_tables(rows: Sequence[VariantSummary]) -> list[AssessmentTable]:
    """The tables of the recipes whose runs were assessed; none where no run was.

    Args:
        rows: from `summarise`.

    Example:
        >>> metrics = {name: Measured(name, {0: 0.5}) for name in ("test_calibration_error", "pgd_0.1_accuracy")}
        >>> trust, robust = assessment_tables([VariantSummary("demo", "bp", (), metrics, 4.0, {}, ())])
        >>> trust.header, robust.lines
        (('variant', 'test calibration error, %'), (('bp', '50.00'),))
    """
    found = []
    for group in by_recipe(rows):
        if any(_MARK in row.metrics for row in group):
            for title, wanted, said in _TABLES:
                found += _tables(f"{group[0].recipe}, {title}", wanted, said, group)
            found += [AssessmentTable(*table) for table in at_one_price(group)]
    return found


def _tables(title: str, wanted: re.Pattern[str], said: str, rows: Sequence[VariantSummary]) -> list[AssessmentTable]:
    """What was measured, and its differences from each row's reference; those that were measured on no row are left."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row.metrics) if wanted.fullmatch(name)]
    if not names:
        return []
    labels = {name: metric_label(name).replace(said, "") for name in names}
    lines = tuple((row.variant, *(_cell(row, name) for name in names)) for row in rows)
    found = [AssessmentTable(title, ("variant", *labels.values()), lines)]
    return [
        *found,
        *_differences(title, {name: labels[name] for name in names if name not in _IN_THE_MAIN_TABLE}, rows),
    ]


def _differences(title: str, labels: Mapping[str, str], rows: Sequence[VariantSummary]) -> list[AssessmentTable]:
    """The table of paired differences; none where no word can be said."""
    by_name = {row.variant: row for row in rows}
    beside = [(row, by_name.get(reference_of(row.variant, list(by_name)) or "")) for row in rows]
    told = [name for name in labels if better(name)]
    compared = compare_pairs([
        (row, reference, name)
        for name in told
        for row, reference in beside
        if reference is not None and name in row.metrics and name in reference.metrics
    ])
    note = counted_comparisons(compared)
    if not note:
        return []
    cells = {(one.variant, one.difference.metric): _difference_cell(one) for one in compared}
    references = dict.fromkeys(one.difference.reference for one in compared)
    lines = tuple(
        (row.variant, *(cells.get((row.variant, name), ABSENT) for name in told))
        for row in rows
        if row.variant not in references
    )
    header = ("variant", *(labels[name] for name in told))
    title = f"{title}: paired difference from {', '.join(references)} (95 %)"
    return [AssessmentTable(title, header, lines, f"{note}. Where no word stands, the interval holds 0.")]


def _difference_cell(comparison: Comparison) -> str:
    word = comparison.difference.word
    said = f" {word}" if word in {"ahead", "below"} else ""
    return format_difference(comparison) + said + f" {HELD}" * (comparison.held and bool(said))


def _cell(row: VariantSummary, name: str) -> str:
    measured = row.metrics.get(name, Measured(name, {}))
    return format_measured(name, measured.mean, measured.std_error)


def assessment_markdown(rows: Sequence[VariantSummary]) -> str:
    """The tables for GitHub, each below its title; empty where no run was assessed."""
    blocks = []
    for table in assessment_tables(rows):
        marks = (":--", *["--:"] * (len(table.header) - 1))
        lines = "".join(f"| {' | '.join(line)} |\n" for line in (table.header, marks, *table.lines))
        blocks.append(f"\n{table.title}\n\n{lines}" + f"\n{table.note}\n" * bool(table.note))
    return "".join(blocks)


def assessment_section(rows: Sequence[VariantSummary]) -> str:
    """The tables on the page, each below its title; nothing where no run was assessed.

    Args:
        rows: rows of one recipe.
    """
    return "".join(f"<h3>{escape(table.title)}</h3>{_html(table)}" for table in assessment_tables(rows))


def strength_section(rows: Sequence[VariantSummary], specs: list[str]) -> str:
    """Accuracy against robustness for each remedy over its strengths; nothing where a table has no strengths.

    Args:
        rows: rows of one recipe.
        specs: figures of the page, to which these are added.
    """
    found = "".join(
        drawing(strength_figure(curves, metric_label(name, unit=False)), metric_label(name, unit=False), "", specs)
        for name, curves in strength_curves(rows).items()
    )
    return f"<h3>Accuracy against robustness, by strength</h3><div class=figures>{found}</div>" if found else ""


def _html(table: AssessmentTable) -> str:
    head = "".join(f"<th class=number>{escape(name)}</th>" for name in table.header[1:])
    lines = "".join(
        f"<tr><th scope=row>{escape(line[0])}</th>"
        + "".join(f"<td class=number>{number(cell)}</td>" for cell in line[1:])
        + "</tr>"
        for line in table.lines
    )
    first = escape(table.header[0].capitalize())
    return (
        f"<div class=scroll tabindex=0><table class=plain><thead><tr><th class=words>{first}</th>{head}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>" + f"<p>{escape(table.note)}</p>" * bool(table.note)
    )


def terminal_assessments(rows: Sequence[VariantSummary]) -> list[Table]:
    """The tables for a terminal; `rich.console.Console().print` shows them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = []
    for table in assessment_tables(rows):
        drawn = Table(
            title=Text(table.title),
            caption=table.note and Text(table.note),
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            title_justify="left",
            caption_justify="left",
        )
        for name in table.header:
            drawn.add_column(Text(name), justify="left" if name == table.header[0] else "right")
        for line in table.lines:
            drawn.add_row(*map(Text, line))
        shown.append(drawn)
    return shown
