"""Two rows of a table, seed by seed: paired difference, 95 % t-interval, and the word that follows from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import bdtr, stdtr, stdtrit

from infotorch.report.numbers import better
from infotorch.report.summaries import Measured

#: How much of the time an interval holds the true difference.
LEVEL = 0.95
#: Pairs below which no word is said.
FEWEST = 3

Word = Literal["ahead", "above on every seed", "level", "below on every seed", "below", ""]

RULE = (
    "The difference is taken seed by seed, row minus reference, with its 95 % t-interval. The interval alone decides "
    "“ahead” and “below”: it lies on the better or on the worse side of 0. Where it holds 0, a row is “above on every "
    "seed” or “below on every seed” if all seeds agree, and else “level”: these seeds show no difference, and the "
    "interval says how large one can be. All of three seeds agree for one pair of equal rows in four, all of five for "
    "one in sixteen. “Not below” is what is ahead, above on every seed or level. With fewer than three pairs there is "
    "no word."
)


@dataclass(frozen=True)
class Difference:
    """What a variant has of a metric beyond its reference, over the seeds that both have completed.

    Args:
        metric: name of the metric; it says which direction is the better one.
        reference: variant that is subtracted.
        values: seed -> variant minus reference, in the unit in which the metric is stored.

    Example:
        >>> found = Difference("test_accuracy", "bp", {0: 0.010, 1: 0.012, 2: 0.011})
        >>> [round(end, 4) for end in found.interval], found.word
        ([0.0085, 0.0135], 'ahead')
    """

    metric: str
    reference: str
    values: dict[int, float]

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return statistics.fmean(self.values.values())

    @property
    def std_error(self) -> float:
        """Standard error of the mean; NaN with one pair."""
        return statistics.stdev(self.values.values()) / math.sqrt(self.n) if self.n > 1 else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Student's t with n - 1 degrees of freedom; NaN with one pair."""
        half = float(stdtrit(self.n - 1, (1 + LEVEL) / 2)) * self.std_error if self.n > 1 else math.nan
        return self.mean - half, self.mean + half

    @property
    def p_value(self) -> float:
        """Of the two-sided paired t-test; 1 where no seed differs, NaN with one pair."""
        if not any(self.values.values()):
            return 1.0
        if not self.std_error:
            return 0.0  # the same difference on every seed
        return 2 * float(stdtr(self.n - 1, -abs(self.mean) / self.std_error)) if self.n > 1 else math.nan

    @property
    def word(self) -> Word:
        """By `RULE`; "" with fewer than three pairs, and for metrics of which neither direction is the better one."""
        wanted = {"higher": 1.0, "lower": -1.0}.get(better(self.metric))
        if wanted is None or self.n < FEWEST:
            return ""
        low, high = sorted(wanted * end for end in self.interval)
        if low > 0 or high < 0:
            return "ahead" if low > 0 else "below"
        gains = [wanted * value for value in self.values.values()]
        if min(gains) > 0:
            return "above on every seed"
        return "below on every seed" if max(gains) < 0 else "level"


def paired_difference(row: Measured, reference: Measured, *, against: str) -> Difference | None:
    """A variant beside its reference; None where no seed has completed with both.

    Args:
        row: a metric of the variant.
        reference: the same metric of the reference.
        against: name of the reference.

    Example:
        >>> ours, theirs = (Measured("test_mae", dict(enumerate(v))) for v in ((1.0, 1.1, 1.2), (1.2, 1.2, 1.2, 1.3)))
        >>> found = paired_difference(ours, theirs, against="adam")
        >>> found.n, round(found.mean, 3), found.word
        (3, -0.1, 'level')
    """
    values = {seed: value - reference.values[seed] for seed, value in row.values.items() if seed in reference.values}
    return Difference(row.name, against, values) if values else None


def held_by_holm(differences: Sequence[Difference]) -> list[bool]:
    """Which of several differences stay apart from 0 at 5 % in all together, by Holm's step-down correction.

    Args:
        differences: all that were made, whatever came of them; those without a p-value never stay.

    Example:
        >>> sure, unsure = (Difference("test_mae", "bp", dict(enumerate(v))) for v in ((3, 3.1, 3.2), (1, 1.5, 1.8)))
        >>> held_by_holm([unsure, sure]), held_by_holm([unsure] * 2)
        ([True, True], [False, False])
    """
    p_values = [math.inf if math.isnan(difference.p_value) else difference.p_value for difference in differences]
    held = [False] * len(p_values)
    for made, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        if p_values[place] > (1 - LEVEL) / (len(p_values) - made):
            break
        held[place] = True
    return held


def mcnemar_p_value(first_alone: int, second_alone: int) -> float:
    """The exact two-sided McNemar test: are two classifiers as often right where the other one is wrong?

    Args:
        first_alone: samples that the first alone has right.
        second_alone: samples that the second alone has right.

    Returns:
        The p-value of a fair coin; 1 where they differ on no sample.

    Source: McNemar 1947, Psychometrika 12; exact by the binomial distribution.

    Example:
        >>> round(mcnemar_p_value(8, 2), 4), mcnemar_p_value(0, 0)
        (0.1094, 1.0)
    """
    discordant = first_alone + second_alone
    return min(1.0, 2 * float(bdtr(min(first_alone, second_alone), discordant, 0.5))) if discordant else 1.0
