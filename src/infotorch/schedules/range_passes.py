"""Which candidate rates a range test trains, and for how long (Vasudevan 2020, Algorithm 2).

All of them to the end, as in the paper, or those that successive halving leaves. Who trains them is a `Probing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from infotorch.schedules.range_choice import Probe, Rule, Standing, choose_range, judge, together


class Probing(Protocol):
    """Who trains candidates: a `Bench`, or `Workers` that have one each.

    Attributes:
        width: candidates that are probed at once.
    """

    width: int

    def probe(self, trial: int, rates: Sequence[float], epochs: int, alive: Collection[float] = ()) -> list[Probe]:
        """The probes of some candidates of a trial, in their order; see `Bench.probe`."""
        ...


#: The probes of a pass -> the attributes, or layers, that choose a range each.
KeysOf = Callable[[Sequence[Probe]], list[str]]
# Successive halving keeps 1 / _STAY of the candidates by value; the literature takes 2 to 4.
_STAY = 3


def exhaustive(
    probing: Probing, rates: Sequence[float], trials: int, epochs: int, rule: Rule = "first-bad"
) -> list[list[Probe]]:
    """Passes over all candidates, as in the paper: a crash hands its rate, and those above it, to the next trial.

    By "first-bad" what crashed once is safe no more, whatever other weights make of it, and two crashes at one rate end
    a pass. By "paper" every trial goes on from the last one's crash, and what it finds there stands behind the crash,
    see `recorded`. A pass that no trial was left to finish ends where it crashed; by "first-bad" what it did not try
    counts as failed.
    """
    passes: list[list[Probe]] = []
    start = 0
    for trial in range(trials):
        if start == 0:
            passes.append([])
        crashed_at = None
        for probe in _upwards(probing, trial, rates[start:], epochs):
            if rule == "first-bad" and passes[-1] and passes[-1][-1].rate == probe.rate:
                passes[-1][-1] = replace(probe, crashed=True)
            else:
                passes[-1].append(probe)
            crashed_at = rates.index(probe.rate) if probe.crashed else None
        ends = crashed_at is None or (rule == "first-bad" and crashed_at == start)
        start = 0 if ends or crashed_at is None else crashed_at
    return passes


def recorded(passes: Sequence[Sequence[Probe]]) -> list[list[Probe]]:
    """The paper's table of every pass, by ascending rate: crashes leave no line in it, and take none away.

    A rate that crashed in one trial and not in the next has the line of the next; one that a pass did not complete has
    the line that an earlier pass left, if there is one.

    Source: Vasudevan 2020, Algorithm 2, which records what "successfully completed".

    Example:
        >>> done, crash = Probe(0, 0.1, {"loss": (-1.0,)}), Probe(0, 0.5, {"loss": (-9.0,)}, crashed=True)
        >>> after = Probe(1, 0.5, {"loss": (-2.0,)})
        >>> [probe.trial for probe in recorded([[done, crash, after]])[0]]
        [0, 1]
    """
    tables: list[dict[float, Probe]] = [{}]
    for one in passes:
        tables.append({**tables[-1], **{probe.rate: probe for probe in one if not probe.crashed}})
    return [[table[rate] for rate in sorted(table)] for table in tables if table]


def _upwards(probing: Probing, trial: int, rates: Sequence[float], epochs: int) -> list[Probe]:
    """Probes of ascending rates up to the first crash; what was probed above it at the same time is thrown away."""
    found: list[Probe] = []
    for first in range(0, len(rates), probing.width):
        for probe in probing.probe(trial, rates[first : first + probing.width], epochs):
            found.append(probe)
            if probe.crashed:
                return found
    return found


class Halving:
    """Successive halving: all candidates for a short time, those that may still decide the range for longer.

    The first trial begins with every candidate. After 1, 2, 4, ... epochs the best third stays, and whoever stands at
    an end of the range as it looks by then: the candidates from below the best to the first bad one above it, and the
    two below the first that learns. Later trials probe what stands around the ends found so far, and nothing above the
    lowest lr_max, as the lowest of all trials counts; where their best is at the edge, its neighbour too. A crash ends
    a candidate and not its trial.

    Args:
        probing: who probes.
        rates: the candidates, ascending.
        epochs: of the last rung.
        c1: see `choose_range`.
        keys: see `KeysOf`.

    Source: Jamieson & Talwalkar 2016 (successive halving); the ends of the range are ours.
    """

    def __init__(self, probing: Probing, rates: Sequence[float], epochs: int, c1: float, keys: KeysOf) -> None:
        self.probing, self.rates, self.c1, self.keys = probing, list(rates), c1, keys
        # The last rung has as many epochs as are asked for; each before it half of those after it.
        self.rungs = sorted({epochs >> halvings for halvings in range(epochs.bit_length())})

    def passes(self, trials: int) -> list[list[Probe]]:
        """The probes of every trial, by ascending rate."""
        found = [self._refined(0, range(len(self.rates)))]
        for trial in range(1, trials):
            found.append(self._refined(trial, set().union(*(self._around(found, key) for key in self.keys(found[0])))))
        return found

    def _around(self, passes: Sequence[Sequence[Probe]], key: str) -> set[int]:
        """Numbers of the candidates around the ends that the trials so far have found."""
        found = together([choose_range(one, key, c1=self.c1) for one in passes])
        low, top, high = (self.rates.index(rate) for rate in (found.lr_min, found.lr_top, found.lr_max))
        return {number for number in (low - 1, low, low + 1, *range(top - 1, high + 1)) if 0 <= number <= high}

    def _refined(self, trial: int, window: Collection[int]) -> list[Probe]:
        """One trial over some candidates, and those beside them that turn out to be needed."""
        rates = [self.rates[number] for number in sorted(window)]
        known: dict[float, Probe] = {}
        alive = rates
        for length in self.rungs:
            known |= {probe.rate: probe for probe in self.probing.probe(trial, alive, length, alive)}
            alive = self._going_on([known[rate] for rate in rates], length)
        while missing := self._missing(known, max(window)):
            known |= {probe.rate: probe for probe in self.probing.probe(trial, missing, self.rungs[-1])}
        return [known[rate] for rate in sorted(known)]

    def _missing(self, known: Mapping[float, Probe], highest: int) -> list[float]:
        """Candidates that were left out beside the best, or within the range, or below all where nothing learns."""
        rates = sorted(known)
        probes, numbers = [known[rate] for rate in rates], [self.rates.index(rate) for rate in rates]
        unknown: set[int] = set()
        try:
            standings = [judge(probes, key, c1=self.c1) for key in self.keys(probes)]
        except ValueError:
            wanted = {numbers[0] - 1}
        else:
            wanted = {numbers[standing.top] + step for standing in standings for step in (-1, 1)}
            wanted |= {max(numbers[standing.lowest] - 1, numbers[0]) for standing in standings}
            # Right below lr_min, and left while it was good: nobody knows whether it learns.
            below = [(standing, standing.lowest - 1) for standing in standings if standing.lowest > 0]
            unknown = {numbers[n] for standing, n in below if standing.good[n] and not standing.ended[n]}
        wanted -= set(numbers) - unknown
        return [self.rates[number] for number in sorted(wanted) if 0 <= number <= highest]

    def _going_on(self, probes: Sequence[Probe], length: int) -> list[float]:
        """The candidates of a rung that may still decide the range."""
        alive = [number for number, probe in enumerate(probes) if not probe.failed and probe.epochs == length]
        wanted: set[int] = set()
        for key in self.keys(probes):
            try:
                standing = judge(probes, key, c1=self.c1)
            except ValueError:  # nobody has learnt anything yet
                return [probes[number].rate for number in alive]
            by_value = sorted(alive, key=lambda number: probes[number].last(key), reverse=True)
            wanted |= {*by_value[: math.ceil(len(by_value) / _STAY)], *_ends(standing)}
        return [probes[number].rate for number in alive if number in wanted]


def _ends(standing: Standing) -> set[int]:
    """Candidates that may move an end of the range: those that may yet learn, and from below the best to the first bad.

    Twice as long a probe lets about half as high a rate learn; what gains already goes on gaining. What is only good
    has to show that it stays so.
    """
    first = standing.first_gain
    low = {first - 2, first - 1} | ({standing.lowest} - {first})
    return low | set(range(standing.top - 1, min(standing.highest + 2, len(standing.good))))
