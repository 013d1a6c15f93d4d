"""What a paper prints of a variant, named as what it is, and our value of the same statistic beside it."""

from __future__ import annotations

from collections.abc import Sequence

from infotorch.report.numbers import best_of, format_metric
from infotorch.report.summaries import AFTER_TEST, VariantSummary


def published_cell(row: VariantSummary, name: str) -> str:
    """The published value of a metric, with its deviation where the paper prints one."""
    value = row.metrics[name].published if name in row.metrics else None
    deviation = row.about.deviation.get(row.plain)
    said = "" if value is None or deviation is None else f" (s.d. {format_metric(name, deviation)})"
    return format_metric(name, value) + said


def published_train(row: VariantSummary, name: str) -> str:
    """The published value on training samples."""
    return format_metric(name, row.about.train.get(row.plain))


def our_best(row: VariantSummary, name: str) -> str:
    """Our best seed, where the published numbers are the best of several."""
    values = row.metrics[name].values.values() if row.about.best and name in row.metrics else ()
    return format_metric(name, best_of(name, list(values)))


def our_deviation(row: VariantSummary, name: str) -> str:
    """Our standard deviation over seeds, where the published numbers have one."""
    return format_metric(name, row.metrics[name].sd if row.about.deviation and name in row.metrics else None)


def about_lines(rows: Sequence[VariantSummary]) -> list[str]:
    """What the published numbers of one table are, and what was changed after a test score had been seen."""
    about, recipe = rows[0].about, rows[0].recipe
    said = [f"{recipe}: a published number is {about.statistic}."] if about.statistic else []
    changed: dict[str, list[str]] = {}
    for row in rows:
        changed.setdefault(row.about.changed(row.variant), []).append(row.variant)
    for reason, variants in changed.items():
        named = "all variants" if len(variants) == len(rows) else ", ".join(variants)
        said += [f"{AFTER_TEST} {named}: changed after a test score had been seen: {reason}."] if reason else []
    return said
