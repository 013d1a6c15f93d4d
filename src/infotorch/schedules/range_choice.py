"""From what candidate rates reach to a range of learning rates (Vasudevan 2020, Algorithm 2)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from infotorch.numerics.checks import check_choice

_WHERE = "lr_range_test"
#: How a range is read from what the candidates reached, see `choose_range`.
Rule = Literal["first-bad", "paper"]


@dataclass(frozen=True)
class Probe:
    """A few epochs at one candidate rate, from the initial weights of one trial.

    Args:
        trial: number of the trial, from 0.
        rate: the candidate.
        values: attribute -> its value before training, where that is known, and after every epoch; more is better, so
            that "loss" holds the losses times -1.
        crashed: training ended early, as a value was not finite or all fell suddenly.
        dead: training ended early, as the network had stopped telling anything of the targets.

    Example:
        >>> probe = Probe(trial=0, rate=0.1, values={"loss": (-0.7, -0.6), "accuracy": (0.4, 0.5)})
        >>> probe.last("accuracy"), round(probe.least_relative_gain("accuracy"), 3)
        (0.5, 0.2)
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

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return len(self.values["loss"])

    def last(self, attribute: str) -> float:
        """The last value.

        Raises:
            ValueError: there are no values of this name.
        """
        check_choice(attribute, tuple(self.values), where="Probe", name="attribute")
        return self.values[attribute][-1]

    def least_relative_gain(self, attribute: str, rule: Rule = "first-bad") -> float | None:
        """The smallest relative gain d_s of an epoch; None after fewer than two values.

        By "paper" d_s is told before an epoch, of what was reached until then: 1 in the first one, and the gain of the
        last one is not among them.

        Raises:
            ValueError: there are no values of this name, or the rule is unknown.
        """
        check_choice(attribute, tuple(self.values), where="Probe", name="attribute")
        check_choice(rule, ("first-bad", "paper"), where="Probe", name="rule")
        is_paper = rule == "paper"
        values = self.values[attribute][:-1] if is_paper else self.values[attribute]
        gains = [(now - before) / abs(now) for before, now in pairwise(values) if now != 0]
        return min([*gains, 1.0] if is_paper else gains, default=None)


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

    With best the highest last value and thresh = best / c1: lr_top is the rate that has it; lr_min the first whose last
    value has gained thresh, or falls short of best by less than thresh; lr_max by "first-bad" the last rate from lr_top
    upwards before the first that failed or falls short of best by thresh. Gains, and all values of a loss, are measured
    from the first value of the lowest candidate, the one next to untrained. By "paper" lr_min is the first rate up to
    lr_top that gained thresh since its own first value, and lr_top where none did; lr_max the last rate before all
    further ones failed or fall short. A probe that was given fewer epochs than others is compared with what they had
    reached by then, and cannot be lr_top.

    Args:
        probes: one for each candidate, by ascending rate; a candidate without one counts as failed.
        attribute: what is compared; but for "loss", 0 is nothing learnt.
        c1: larger lowers lr_max and lr_min, as less counts.
        rule: see above. Dead rates have holes between them: "first-bad" is the safe one.

    Raises:
        ValueError: no candidate learnt anything.

    Source: Vasudevan 2020, Entropy 22(5):560, Algorithm 2, is "paper". But what learns within its first epoch gains no
        more after it, and is a rate too low by the paper's LR_min.

    Example:
        >>> finals = {0.001: 0.2, 0.01: 0.8, 0.1: 0.9, 1.0: 0.1}
        >>> found = choose_range([Probe(0, r, {"accuracy": (0.1, v)}) for r, v in finals.items()], "accuracy", c1=10)
        >>> found.lr_min, found.lr_max, found.lr_top
        (0.001, 0.1, 0.1)
    """
    standing = judge(probes, attribute, c1=c1, rule=rule)
    if rule == "paper":
        lowest, highest = standing.first_gain, max(number for number, is_good in enumerate(standing.good) if is_good)
    else:
        lowest, highest = standing.lowest, standing.highest
    return Range(probes[lowest].rate, probes[highest].rate, probes[standing.top].rate)


@dataclass(frozen=True)
class Standing:
    """How the candidates of a pass compare.

    Args:
        top: number of the best.
        good: whether each is safe: it did not fail, and falls short of the best by less than thresh.
        gains: whether each did not fail and gained at least thresh.
        ended: whether each was trained as long as the best.
    """

    top: int
    good: tuple[bool, ...]
    gains: tuple[bool, ...]
    ended: tuple[bool, ...]

    @property
    def first_gain(self) -> int:
        """Number of the first that gains; the best at most."""
        return next((number for number, gains in enumerate(self.gains[: self.top]) if gains), self.top)

    @property
    def lowest(self) -> int:
        """Number of the first that learns: it gains, or is good at the end."""
        # Early on everything may be good, as nothing has been learnt yet.
        whole = zip(self.good[: self.first_gain], self.ended, strict=False)
        return next((number for number, (good, ended) in enumerate(whole) if good and ended), self.first_gain)

    @property
    def highest(self) -> int:
        """Number of the last from the best upwards before the first that is not safe."""
        return next((n for n in range(self.top, len(self.good)) if not self.good[n]), len(self.good)) - 1


def judge(probes: Sequence[Probe], attribute: str, *, c1: float, rule: Rule = "first-bad") -> Standing:
    """How the candidates of a pass compare, see `choose_range`.

    Raises:
        ValueError: no candidate learnt anything.
    """
    past = [probe.values[attribute] for probe in probes if not probe.failed]
    start = past[0][0] if past else 0.0
    nothing = start if attribute == "loss" else 0.0
    longest = max(map(len, past), default=0)

    def best_after(epochs: int) -> float:
        return max(values[epochs - 1] for values in past if len(values) >= epochs) - nothing

    def compared(probe: Probe) -> tuple[bool, bool, bool]:
        if probe.failed:
            return False, False, False
        values = probe.values[attribute]
        best = best_after(len(values))
        # Nothing is said of a candidate that was left where none had learnt anything yet.
        thresh = best / c1 if best > 0 else math.nan
        gain = values[-1] - (values[0] if rule == "paper" else start)
        return best + nothing - values[-1] < thresh, gain >= thresh, len(values) == longest

    if not past or best_after(longest) <= 0:
        raise ValueError(
            f"{_WHERE}: no candidate rate learnt anything by {attribute}; give lower rates or more epochs, or "
            "look at the network."
        )
    good, gains, ended = zip(*map(compared, probes), strict=True)
    top = max((number for number, is_ended in enumerate(ended) if is_ended), key=lambda n: probes[n].last(attribute))
    return Standing(top, good, gains, ended)


def together(ranges: Sequence[Range]) -> Range:
    """The range of several passes: the lowest lr_max, which all found safe, and the medians of the others.

    Raises:
        ValueError: no pass.

    Example:
        >>> together([Range(0.01, 1.0, 0.1), Range(0.02, 0.3, 0.1), Range(0.02, 1.0, 0.3)])
        Range(lr_min=0.02, lr_max=0.3, lr_top=0.1)
    """
    if not ranges:
        raise ValueError(f"{_WHERE}: no pass over the candidates was completed.")
    highest = min(found.lr_max for found in ranges)
    top = min(statistics.median_low(found.lr_top for found in ranges), highest)
    return Range(min(statistics.median_low(found.lr_min for found in ranges), top), highest, top)


def significance(probes: Sequence[Probe], attribute: str, *, c2: float, rule: Rule = "first-bad") -> float:
    """The threshold of `MutualInformationDecay` (epsilon): c2 times the median of all min d_s, at least 1e-6.

    Of the probes that were trained to the end: an early epoch brings more than a late one. So epsilon depends on the
    number of epochs, and where an epoch is a part of one, on its length. The rule says which epochs count, see
    `Probe.least_relative_gain`.

    Raises:
        ValueError: no probe has two values.

    Example:
        >>> probe = Probe(0, 0.1, {"loss": (-2.3, -0.9), "information": (1.0, 2.0, 2.5)})
        >>> significance([probe], "information", c2=0.5)
        0.1
    """
    longest = max((probe.epochs for probe in probes if not probe.failed), default=0)
    ended = [probe for probe in probes if not probe.failed and probe.epochs == longest]
    gains = [probe.least_relative_gain(attribute, rule) for probe in ended]
    known = [gain for gain in gains if gain is not None]
    if not known:
        raise ValueError(f"{_WHERE}: no candidate was trained to the end, so that epsilon cannot be told.")
    return max(c2 * statistics.median(known), 1e-6)
