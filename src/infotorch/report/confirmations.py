"""What was chosen after a test score had been seen, once more: on the first seeds, and on fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from infotorch.report.comparisons import Comparison, compare_pairs, format_difference, format_word
from infotorch.report.numbers import ABSENT, metric_label
from infotorch.report.summaries import VariantSummary

RULE = (
    "Confirmed is what the fresh seeds alone show as ahead or below, as the first seeds did; “no” stands where the "
    "first seeds were ahead or below and the fresh ones are not, and a dash where the first seeds showed nothing to "
    "confirm, or three fresh ones have not run."
)


def confirmations_markdown(
    pairs: Sequence[tuple[VariantSummary, VariantSummary]], metric: str, *, fresh_from: int
) -> str:
    r"""A GitHub table of paired differences on the first seeds and on fresh ones; of one column together.

    Args:
        pairs: a row and its reference each.
        metric: name of the metric.
        fresh_from: the first seed that was run after the choice.

    Returns:
        The table, and below it the rule of its last column.

    Raises:
        ValueError: a pair has no fresh seed in common.

    Example:
        >>> from infotorch.report.summaries import Measured
        >>> bp, new = (
        ...     VariantSummary("t", name, (), {"test_mae": Measured("test_mae", dict(enumerate(v)))}, 1.0, {}, ())
        ...     for name, v in (("bp", (3, 3.1, 3.2, 3, 3, 3)), ("new", (2, 2.2, 2.1, 3, 3.1, 2.9)))
        ... )
        >>> found = confirmations_markdown([(new, bp)], "test_mae", fresh_from=3)
        >>> for cell in found.splitlines()[2].split("|")[1:-1]:
        ...     print(cell.strip())
        `new` minus `bp`
        -1.00 (-1.25 to -0.75), n = 3: ahead of bp
        0.00 (-0.25 to 0.25), n = 3: level with bp
        no
    """
    first = _compared(pairs, metric, lambda seed: seed < fresh_from)
    fresh = _compared(pairs, metric, lambda seed: seed >= fresh_from)
    lines = [
        f"| {metric_label(metric)} | before seed {fresh_from} | from seed {fresh_from} on | confirmed |",
        f"|{' :-- |' * 4}",
    ]
    for row, reference in pairs:
        key = row.variant, reference.variant
        if key not in fresh:
            raise ValueError(f"{row.variant} and {reference.variant} have no seed from {fresh_from} on in common.")
        before, after = first.get(key), fresh[key]
        cells = f"{_cell(before)} | {_cell(after)} | {_confirmed(before, after)}"
        lines.append(f"| `{row.variant}` minus `{reference.variant}` | {cells} |")
    return "\n".join(lines) + f"\n\n{RULE}"


def _compared(
    pairs: Sequence[tuple[VariantSummary, VariantSummary]], metric: str, wanted: Callable[[int], bool]
) -> dict[tuple[str, str], Comparison]:
    made = compare_pairs([(_only(row, metric, wanted), _only(other, metric, wanted), metric) for row, other in pairs])
    return {(one.variant, one.difference.reference): one for one in made}


def _only(row: VariantSummary, metric: str, wanted: Callable[[int], bool]) -> VariantSummary:
    found = row.metrics[metric]
    kept = {seed: value for seed, value in found.values.items() if wanted(seed)}
    return replace(row, runs=(), metrics={metric: replace(found, values=kept)})


def _cell(comparison: Comparison | None) -> str:
    if comparison is None:
        return ABSENT
    shown = f"{format_difference(comparison._replace(fewer=False))}, n = {comparison.difference.n}"
    word = format_word(comparison)
    return f"{shown}: {word}" if word else shown


def _confirmed(before: Comparison | None, after: Comparison) -> str:
    if before is None or before.difference.word not in {"ahead", "below"} or not after.difference.word:
        return ABSENT
    return "yes" if after.difference.word == before.difference.word else "no"
