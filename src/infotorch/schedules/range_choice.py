"""From what every candidate rate reached to a range of learning rates (Vasudevan 2020, Algorithm 2)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Rule = Literal["first-bad", "paper"]


@dataclass(frozen=True)
class Probe:
    """A few epochs at one candidate rate, from the initial weights of one trial.

    Args:
        trial: number of the trial, from 0.
        rate: the candidate.
        values: attribute -> its value before training, where that is known, and after every epoch; more is better.
        crashed: training ended early, as a value was not finite or fell suddenly.
        dead: training ended early, as the network had stopped telling anything of the targets.
    """

    trial: int
    rate: float
    values: dict[str, tuple[float, ...]]
    crashed: bool = False
    dead: bool = False

    @property
    def failed(self) -> bool:
        """Whether training ended early."""
        return self.crashed or self.dead

    def gain(self, attribute: str) -> float:
        """The last value less the first."""
        return self.values[attribute][-1] - self.values[attribute][0]

    def last(self, attribute: str) -> float:
        """The last value."""
        return self.values[attribute][-1]

    def least_relative_gain(self, attribute: str) -> float | None:
        """The smallest relative gain d_s of an epoch; None after fewer than two values."""
        values = self.values[attribute]
        gains = [(now - before) / abs(now) for before, now in pairwise(values) if now != 0]
        return min(gains) if gains else None


@dataclass(frozen=True)
class Range:
    """Learning rates, ready for `MutualInformationDecay`.

    Args:
        lr_min: the lowest candidate that learns.
        lr_max: the highest that is safe.
        lr_top: the best.
    """

    lr_min: float
    lr_max: float
    lr_top: float


def choose_range(probes: Sequence[Probe], attribute: str, *, c1: float, rule: Rule = "first-bad") -> Range:
    """The range of one pass over all candidates.

    With best the highest last value and thresh = best / c1: lr_top is the rate that has it; lr_min the first whose gain
    is at least thresh; lr_max by "first-bad" the last rate from lr_top upwards before the first that failed or falls
    short of best by thresh; by "paper" the last before all further rates do.

    Args:
        probes: one for each candidate, by ascending rate; a candidate without one counts as failed.
        attribute: what is compared; its values are measured from 0, which is nothing learnt.
        c1: larger is stricter.
        rule: see above. Dead rates have holes between them: "first-bad" is the safe one.

    Raises:
        ValueError: no candidate learnt anything.

    Source: Vasudevan 2020, Entropy 22(5):560, Algorithm 2; its rule for LR_max is "paper".

    Example:
        >>> finals = {0.001: 0.2, 0.01: 0.8, 0.1: 0.9, 1.0: 0.1}
        >>> found = choose_range([Probe(0, r, {"accuracy": (0.1, v)}) for r, v in finals.items()], "accuracy", c1=10)
        >>> found.lr_min, found.lr_max, found.lr_top
        (0.001, 0.1, 0.1)
    """
    alive = [probe for probe in probes if not probe.failed]
    best = max((probe.last(attribute) for probe in alive), default=0.0)
    if best <= 0:
        raise ValueError(
            f"lr_range_test: no candidate rate learnt anything by {attribute}; give lower rates or more epochs, or "
            "look at the network."
        )
    thresh = best / c1
    top = max(alive, key=lambda probe: probe.last(attribute))
    learning = [probe for probe in alive if probe.gain(attribute) >= thresh]
    lowest = learning[0] if learning else top
    good = [not probe.failed and best - probe.last(attribute) < thresh for probe in probes]
    place = list(probes).index(top)
    if rule == "paper":
        highest = max(number for number, is_good in enumerate(good) if is_good)
    else:
        bad = [number for number in range(place, len(probes)) if not good[number]]
        highest = (bad[0] if bad else len(probes)) - 1
    return Range(min(lowest.rate, top.rate), probes[highest].rate, top.rate)


def together(ranges: Sequence[Range]) -> Range:
    """The range of several passes: the lowest lr_max, which all found safe, and the medians of the others.

    Raises:
        ValueError: no pass.

    Example:
        >>> together([Range(0.01, 1.0, 0.1), Range(0.02, 0.3, 0.1), Range(0.02, 1.0, 0.3)])
        Range(lr_min=0.02, lr_max=0.3, lr_top=0.1)
    """
    if not ranges:
        raise ValueError("lr_range_test: no pass over the candidates was completed.")
    highest = min(found.lr_max for found in ranges)
    top = min(statistics.median_low(found.lr_top for found in ranges), highest)
    return Range(min(statistics.median_low(found.lr_min for found in ranges), top), highest, top)


def significance(probes: Sequence[Probe], attribute: str, *, c2: float) -> float:
    """The threshold of `MutualInformationDecay` (epsilon): c2 times the median of all min d_s, at least 1e-6.

    Raises:
        ValueError: no probe has two values.

    Example:
        >>> significance([Probe(0, 0.1, {"information": (1.0, 2.0, 2.5)})], "information", c2=0.5)
        0.1
    """
    gains = [probe.least_relative_gain(attribute) for probe in probes if not probe.failed]
    known = [gain for gain in gains if gain is not None]
    if not known:
        raise ValueError("lr_range_test: no candidate was trained to the end, so that epsilon cannot be told.")
    return max(c2 * statistics.median(known), 1e-6)
