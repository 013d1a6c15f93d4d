"""Which rows are compared with one that was run with other settings, set by hand: their difference is theirs too."""

from __future__ import annotations

from collections.abc import Sequence

from infotorch.report.comparisons import Reference, reference_of
from infotorch.report.numbers import flatten, format_setting
from infotorch.report.summaries import VariantSummary, by_recipe


def settings_apart(rows: Sequence[VariantSummary], against: Reference = reference_of) -> list[str]:
    """A line for each way in which rows differ from their reference by what `--set` said of either.

    Args:
        rows: rows of one or more recipes.
        against: variant and all variants of its table -> the row that it is compared with, or None.

    Returns:
        "demo, compared with a row of other settings (--set): best, mine: epochs 1 where bp has 10." Rows that differ in
        what nobody set, as variants do, are not named.
    """
    heading = "compared with a row of other settings (--set)"
    groups = by_recipe(rows)
    return [f"{group[0].recipe}, {heading}: {line}." for group in groups for line in _lines(group, against)]


def _lines(rows: Sequence[VariantSummary], against: Reference) -> list[str]:
    by_name = {row.variant: row for row in rows}
    lines: dict[str, list[str]] = {}
    for row in rows:
        reference = by_name.get(against(row.variant, list(by_name)) or "")
        if reference is not None and reference is not row and (said := _difference(row, reference)):
            lines.setdefault(said, []).append(row.variant)
    return [f"{', '.join(named)}: {said}" for said, named in lines.items()]


def _difference(row: VariantSummary, reference: VariantSummary) -> str:
    ours, theirs = _settings(row), _settings(reference)
    found = [name for name in sorted(_set_by_hand(row) | _set_by_hand(reference)) if ours.get(name) != theirs.get(name)]
    return ", ".join(
        f"{name} {ours.get(name, 'none')} where {reference.variant} has {theirs.get(name, 'none')}" for name in found
    )


def _settings(row: VariantSummary) -> dict[str, str]:
    return {name: format_setting(value) for name, value in flatten(row.runs[0].recipe).items()} if row.runs else {}


def _set_by_hand(row: VariantSummary) -> set[str]:
    return {text.partition("=")[0].strip() for run in row.runs for text in run.recipe.get("changed") or ()}
