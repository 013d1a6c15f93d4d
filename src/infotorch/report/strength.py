"""Remedies that a table has at several strengths, side by side at one price: the validation accuracy that they cost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from infotorch.report.comparisons import compare_pairs, format_difference, format_word
from infotorch.report.numbers import ABSENT
from infotorch.report.summaries import Measured, VariantSummary

#: Title, header and lines.
Table: TypeAlias = tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]
#: A variant that is a remedy at a strength: "vib-0.001".
_AT_STRENGTH = re.compile(r"(?P<remedy>.+?)-(?P<strength>\d[\d.]*(e[+-]?\d+)?)")
_STRONG = re.compile(r"pgd_restarts_[\d.e-]+_accuracy")
#: What a remedy may cost, in validation accuracy.
PRICES = (0.005, 0.01, 0.02)


def strengths_of(rows: Sequence[VariantSummary]) -> dict[str, dict[float, VariantSummary]]:
    """Remedy -> strength -> its row, from weak to strong; remedies with one strength alone are left out.

    Args:
        rows: rows of one recipe.

    Example:
        >>> rows = [VariantSummary("t", name, (), {}, None, {}, ()) for name in ("bp", "vib-0.1", "vib-0.01", "ib-2")]
        >>> {remedy: list(found) for remedy, found in strengths_of(rows).items()}
        {'vib': [0.01, 0.1]}
    """
    found: dict[str, dict[float, VariantSummary]] = {}
    for row in rows:
        if parts := _AT_STRENGTH.fullmatch(row.variant):
            found.setdefault(parts["remedy"], {})[float(parts["strength"])] = row
    return {remedy: dict(sorted(own.items())) for remedy, own in found.items() if len(own) > 1}


def at_one_price(rows: Sequence[VariantSummary], *, reference: str = "bp") -> list[Table]:
    """For each radius, each remedy at the strongest of its strengths that costs at most a price, beside a reference.

    The price is validation accuracy, which no attack and no test sample enters; the cell has the strength, and the
    paired difference in accuracy under strong PGD, remedy less reference, with its interval and word; and how many
    signs of obfuscation there are on average, where there are any: such a robustness is not to be believed.

    Args:
        rows: rows of one recipe.
        reference: the variant without a remedy.

    Returns:
        A table for each radius; none where the recipe has no strengths, no reference or no strong attack.
    """
    remedies, plain = strengths_of(rows), next((row for row in rows if row.variant == reference), None)
    if not remedies or plain is None:
        return []
    return [_table(name, remedies, plain) for name in plain.metrics if _STRONG.fullmatch(name)]


def _table(name: str, remedies: Mapping[str, Mapping[float, VariantSummary]], plain: VariantSummary) -> Table:
    chosen = {
        (remedy, price): row
        for remedy, own in remedies.items()
        for price in PRICES
        if (row := _strongest(own, plain, price)) is not None
    }
    # Two prices may have one strength: it is compared once.
    different = {row.variant: (row, plain, name) for row in chosen.values()}
    told = {one.variant: one for one in compare_pairs(list(different.values()))}

    def cell(row: VariantSummary | None) -> str:
        one = None if row is None else told.get(row.variant)
        if row is None or one is None:
            return ABSENT
        return f"{_strength(row)}: {format_difference(one)} {format_word(one)}".rstrip() + _signs(row)

    radius = name.removeprefix("pgd_restarts_").removesuffix("_accuracy")
    title = (
        f"{plain.recipe}, accuracy under strong PGD within {radius}, less that of "
        f"{plain.variant}, in points: each remedy at its strongest strength that costs at most so much validation "
        f"accuracy ({len(told)} comparisons)"
    )
    header = ("remedy", *(f"at most {100 * price:g}" for price in PRICES))
    return title, header, tuple((one, *(cell(chosen.get((one, price))) for price in PRICES)) for one in remedies)


def strength_curves(rows: Sequence[VariantSummary]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What `strength_figure` draws: strong attack -> remedy -> points from weak to strong; without strengths, nothing.

    Args:
        rows: rows of one recipe.
    """
    remedies = strengths_of(rows)
    names = dict.fromkeys(name for own in remedies.values() for row in own.values() for name in row.metrics)
    return {
        name: {
            remedy: [point for row in own.values() if (point := _point(row, name)) is not None]
            for remedy, own in remedies.items()
        }
        for name in names
        if _STRONG.fullmatch(name)
    }


def _point(row: VariantSummary, name: str) -> dict[str, Any] | None:
    accuracy, robust = (row.metrics.get(one, Measured(one, {})) for one in ("test_accuracy", name))
    if accuracy.mean is None or robust.mean is None:
        return None
    return {
        "strength": _strength(row),
        "accuracy": 100 * accuracy.mean,
        "robust": 100 * robust.mean,
        "accuracy_error": 100 * (accuracy.std_error or 0.0),
        "robust_error": 100 * (robust.std_error or 0.0),
    }


def _strongest(own: Mapping[float, VariantSummary], plain: VariantSummary, price: float) -> VariantSummary | None:
    least = _accuracy(plain)
    known = {strength: _accuracy(row) for strength, row in own.items()}
    paid = [
        own[key] for key, value in known.items() if value is not None and least is not None and value >= least - price
    ]
    return paid[-1] if paid else None


def _accuracy(row: VariantSummary) -> float | None:
    return row.metrics.get("validation_accuracy", Measured("validation_accuracy", {})).mean


def _strength(row: VariantSummary) -> str:
    return row.variant.rpartition("-")[2]


def _signs(row: VariantSummary) -> str:
    mean = row.metrics.get("obfuscation_signs", Measured("obfuscation_signs", {})).mean
    return f"; {mean:.2g} signs of obfuscation" if mean else ""
