"""The comparison column of a table: which row each other one is compared with, and what the comparison says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from infotorch.records.right_samples import RightSamples
from infotorch.report.differences import LEVEL, Difference, Word, held_by_holm, mcnemar_p_value, paired_difference
from infotorch.report.numbers import ABSENT, better, format_metric
from infotorch.report.summaries import VariantSummary, by_recipe, told_by

MCNEMAR = (
    "McNemar: on how many test samples a row is right on more seeds than its reference, on how many on fewer, and the "
    "exact two-sided p-value. It is about other draws of test samples, as the interval is about other seeds."
)

#: Variant and all variants of its table -> the row that it is compared with, or None.
Reference: TypeAlias = Callable[[str, Collection[str]], str | None]

#: Rows that a table's others are compared with: the first of them that it has.
_BASELINES = ("bp", "ce", "control")
_UNTRAINED = "random"


class Comparison(NamedTuple):
    """One row beside its reference.

    Args:
        variant: the row.
        difference: from the reference, over the seeds that both have.
        held: it stays apart from 0 by Holm's correction for all comparisons that were made with it.
        fewer: one of the two has seeds that the other has not.
        alone: test samples that the row has right on more seeds than its reference, and those on fewer; None where that
            is not known of all seeds that both have, or where their test samples differ.
    """

    variant: str
    difference: Difference
    held: bool
    fewer: bool
    alone: tuple[int, int] | None = None


def reference_of(variant: str, variants: Collection[str]) -> str | None:
    """The row that a variant is compared with, where nothing else is asked for.

    Args:
        variant: a row; behind a comma stand settings that its reference shares.
        variants: all rows of its table.

    Returns:
        Of a family, such as `adam-order1`, its `adam-bp`; else `bp`, `ce` or `control`, the first that the table has;
        None for that row itself, and where there is none of them.

    Example:
        >>> table = ("adam-bp", "adam-order1", "adam-bp-kl")
        >>> [reference_of(variant, table) for variant in table]
        [None, 'adam-bp', 'adam-bp']
        >>> reference_of("deep-bp, epochs 50", ("bp, epochs 10", "bp, epochs 50"))
        'bp, epochs 50'
    """
    return _first_of(variant, variants, "bp", _BASELINES)


def untrained_of(variant: str, variants: Collection[str]) -> str | None:
    """The row that shows what untrained features give: `random`, or that of the variant's own family.

    Example:
        >>> table = ("mine", "random", "wide-mine", "wide-random")
        >>> [untrained_of(variant, table) for variant in table]
        ['random', None, 'wide-random', None]
    """
    found = _first_of(variant, variants, _UNTRAINED, (_UNTRAINED,))
    return None if variant.partition(", ")[0].endswith(f"-{_UNTRAINED}") else found


def _first_of(variant: str, variants: Collection[str], last: str, others: Sequence[str]) -> str | None:
    """The row whose name begins as the variant's and ends in `last`, else the first of others that is there."""
    name, comma, apart = variant.partition(", ")
    stems = name.split("-")
    families = ["-".join([*stems[:count], last]) for count in range(len(stems) - 1, 0, -1)]
    candidates = [f"{one}{comma}{apart}" for one in (*(one for one in families if one != name), *others)]
    found = next((one for one in candidates if one in variants), None)
    return None if found == variant else found


def compare_rows(
    rows: Sequence[VariantSummary], against: Reference = reference_of
) -> dict[tuple[str, str], Comparison]:
    """Every comparison of one table.

    Args:
        rows: rows of one recipe.
        against: variant and all variants -> the row that it is compared with, or None.

    Returns:
        Variant and main metric -> the comparison; what has no reference, or no seed in common with it, is left out.
    """
    by_name = {row.variant: row for row in rows}
    pairs = []
    for name, told in told_by(rows):
        for row in told:
            reference = by_name.get(against(row.variant, list(by_name)) or "")
            if reference is not None and reference is not row and {name} <= set(row.metrics) & set(reference.metrics):
                pairs.append((row, reference, name))
    return {(comparison.variant, comparison.difference.metric): comparison for comparison in compare_pairs(pairs)}


def compare_pairs(pairs: Sequence[tuple[VariantSummary, VariantSummary, str]]) -> list[Comparison]:
    """Comparisons that are made together: a row, its reference and a metric each; those without a pair are left out."""
    made = []
    for row, reference, name in pairs:
        ours, theirs = row.metrics[name], reference.metrics[name]
        if found := paired_difference(ours, theirs, against=reference.variant):
            alone = _right_alone(row, reference, found) if name == "test_accuracy" else None
            made.append(Comparison(row.variant, found, False, found.n < max(ours.n, theirs.n), alone))
    # A lone comparison needs no correction, and no mark that it has passed one.
    held = held_by_holm([one.difference for one in made]) if len(made) > 1 else [False] * len(made)
    return [one._replace(held=stays) for one, stays in zip(made, held, strict=True)]


def _right_alone(row: VariantSummary, reference: VariantSummary, found: Difference) -> tuple[int, int] | None:
    ours, theirs = ([_right_samples(one).get(seed) for seed in found.values] for one in (row, reference))
    known = [one for one in (*ours, *theirs) if one is not None]
    if len(known) < 2 * found.n or len({(one.labels, len(one.right)) for one in known}) > 1:
        return None
    gain = np.sum([known[k].right.astype(int) - known[found.n + k].right for k in range(found.n)], axis=0)
    return int(np.sum(gain > 0)), int(np.sum(gain < 0))


def _right_samples(row: VariantSummary) -> dict[int, RightSamples | None]:
    counted = {run.seed: run for run in row.runs if run.completed}  # the last one of each seed, as in the means
    return {seed: run.record.right_samples() for seed, run in counted.items()}


def format_alone(comparison: Comparison) -> str:
    """McNemar's test in a cell: the samples that either has right where the other has not, and the exact p-value.

    Example:
        >>> found = Difference("test_accuracy", "bp", {0: -0.01})
        >>> format_alone(Comparison("best", found, held=False, fewer=False, alone=(8, 2)))
        '8 : 2, p = 0.11'
    """
    if comparison.alone is None:
        return ABSENT
    more, fewer = comparison.alone
    return f"{more} : {fewer}, p = {mcnemar_p_value(more, fewer):.2g}"


#: Word -> the same with the row that it is said of; a word without one says nothing.
_PHRASES = {
    "ahead": "ahead of {}",
    "above on every seed": "above {} on every seed",
    "level": "level with {}",
    "below on every seed": "below {} on every seed",
    "below": "below {}",
}
#: Behind a word that Holm's correction leaves.
HELD = "†"


def format_difference(comparison: Comparison, *, interval: bool = True) -> str:
    """The mean of a difference and its interval, in the unit that the metric is shown in.

    Args:
        comparison: what is said.
        interval: say the interval too.

    Example:
        >>> found = Difference("test_accuracy", "bp", {0: -0.0024, 1: -0.0005, 2: -0.0014})
        >>> format_difference(Comparison("best", found, held=False, fewer=False))
        '-0.14 (-0.38 to 0.09)'
    """
    found = comparison.difference
    low, high = (_shown(found.metric, end) for end in found.interval)
    ends = f" ({low} to {high})" if interval and found.n > 1 else ""
    mean = _shown(found.metric, found.mean)
    sign = "+" if found.mean > 0 and float(mean) else ""
    return f"{sign}{mean}{ends}" + (f" (n = {found.n})" if comparison.fewer else "")


def format_word(comparison: Comparison) -> str:
    """What follows from a difference, with the row that was subtracted: "ahead of bp †", or "" where no word is said.

    Example:
        >>> found = Difference("test_accuracy", "bp", {0: -0.0024, 1: -0.0005, 2: -0.0014})
        >>> format_word(Comparison("best", found, held=False, fewer=False))
        'below bp on every seed'
    """
    word = comparison.difference.word
    said = _PHRASES[word].format(comparison.difference.reference) if word else ""
    return f"{said} {HELD}" if comparison.held and word in {"ahead", "below"} else said


def _shown(name: str, value: float) -> str:
    text = format_metric(name, value)
    return text.removeprefix("-") if not float(text) else text  # no "-0.00"


def counted_comparisons(comparisons: Collection[Comparison]) -> str:
    """How many comparisons were made, what came of them, and how much of it chance alone would give; "" without any."""
    words = [one.difference.word for one in comparisons]
    if not any(words):
        return ""
    references = list(dict.fromkeys(one.difference.reference for one in comparisons))
    where = references[0] if len(references) == 1 else f"{len(references)} references"
    apart = [one.held for one in comparisons if one.difference.word in {"ahead", "below"}]
    less = any(better(one.difference.metric) == "lower" for one in comparisons)
    corrected = f", {sum(apart)} of them also by Holm's correction for all {len(words)} ({HELD})"
    corrected = corrected if len(words) > 1 else ""
    smaller = ". Less is better: what is ahead or above has the smaller value" if less else ""
    return (
        f"{len(words)} comparison{'s' * (len(words) > 1)} with {where}: {len(apart)} ahead or below{corrected}; of as "
        f"many equal rows {(1 - LEVEL) * len(words):.2g} would be by chance{smaller}"
    )


def beside_untrained(rows: Sequence[VariantSummary]) -> str:
    """The rows of one recipe that are not above its untrained features, in the words for differences; "" without any.

    Args:
        rows: rows of one recipe.
    """
    made = list(compare_rows(rows, untrained_of).values())
    words: tuple[Word, ...] = ("below", "below on every seed", "level")
    named = {word: [_marked(one) for one in made if one.difference.word == word] for word in words}
    said = "; ".join(f"{word}: {', '.join(names)}" for word, names in named.items() if names)
    references = list(dict.fromkeys(one.difference.reference for one in made))
    count = sum(bool(one.difference.word) for one in made)
    where = f"{count} comparison{'s' * (count != 1)} with {' and '.join(references)}, what untrained features give"
    return f"{where}: {said}" if said else ""


def counted_by_recipe(rows: Sequence[VariantSummary], against: Reference = reference_of) -> list[tuple[str, str]]:
    """What `counted_comparisons` and `beside_untrained` say of each recipe, where they say anything, and its name."""
    return [
        (group[0].recipe, said)
        for group in by_recipe(rows)
        for said in (counted_comparisons(compare_rows(group, against).values()), beside_untrained(group))
        if said
    ]


def _marked(comparison: Comparison) -> str:
    held = comparison.held and comparison.difference.word == "below"
    return f"{comparison.variant} {HELD}" if held else comparison.variant


def counted_pairs(comparisons: Collection[Comparison]) -> str:
    """How many comparisons a line of text makes, and how many of their words Holm's correction leaves."""
    held = sum(HELD in format_word(one) for one in comparisons)
    count = len(comparisons)
    corrected = f"; {HELD}: also by Holm's correction for {count}" if held else ""
    return f"{count} comparison{'s' * (count > 1)}{corrected}"
