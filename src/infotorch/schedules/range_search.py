"""Which candidates of a range test are probed, and for how long: all of them, or by successive halving."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from infotorch.schedules.range_choice import Probe, Standing, choose_range, judge, together
from infotorch.schedules.range_workers import Probing

#: The probes of a pass -> the attributes, or layers, that choose a range each.
KeysOf = Callable[[Sequence[Probe]], list[str]]
# Successive halving keeps 1 / _STAY of the candidates by value; the literature takes 2 to 4.
_STAY = 3


def every(probing: Probing, rates: Sequence[float], trials: int, epochs: int) -> list[list[Probe]]:
    """Passes over all candidates, as in the paper: a crash hands its rate, and those above it, to the next trial.

    A pass that no trial was left to finish ends where it crashed; what it did not try counts as failed.
    """
    passes: list[list[Probe]] = []
    start = 0
    for trial in range(trials):
        if start == 0:
            passes.append([])
        crashed_at = None
        for probe in _upwards(probing, trial, rates[start:], epochs):
            if passes[-1] and passes[-1][-1].rate == probe.rate:
                # It crashed once and is safe no more, whatever other weights make of it.
                passes[-1][-1] = replace(probe, crashed=True)
            else:
                passes[-1].append(probe)
            crashed_at = rates.index(probe.rate) if probe.crashed else None
        # Two crashes at one rate are enough.
        start = crashed_at if crashed_at is not None and crashed_at != start else 0
    return passes


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
    two below the first that learns. Later trials probe what stands around the ends found so far, and
    nothing above the lowest lr_max, as the lowest of all trials counts; where their best is at the edge, its neighbour
    too. A crash ends a candidate and not its trial.

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
            ranges = [self._numbers(found, key) for key in self.keys(found[0])]
            found.append(self._refined(trial, {number for one in ranges for number in self._around(*one)}))
        return found

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
        probes = [known[rate] for rate in rates]
        lowest = self.rates.index(rates[0])
        try:
            standings = [judge(probes, key, c1=self.c1) for key in self.keys(probes)]
        except ValueError:
            wanted = {lowest - 1}
        else:
            firsts = [self.rates.index(rates[standing.lowest]) for standing in standings]
            tops = [self.rates.index(rates[standing.top]) for standing in standings]
            wanted = {top + step for top in tops for step in (-1, 1)} | {max(first - 1, lowest) for first in firsts}
            known = {rate: probe for rate, probe in known.items() if rate not in _left(standings, rates)}
        return [self.rates[n] for n in sorted(wanted) if 0 <= n <= highest and self.rates[n] not in known]

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

    def _numbers(self, passes: Sequence[Sequence[Probe]], key: str) -> tuple[int, int, int]:
        """Numbers of lr_min, lr_top and lr_max as the trials so far have them."""
        found = together([choose_range(one, key, c1=self.c1) for one in passes])
        return self.rates.index(found.lr_min), self.rates.index(found.lr_top), self.rates.index(found.lr_max)

    def _around(self, lowest: int, top: int, highest: int) -> set[int]:
        known = {lowest - 1, lowest, lowest + 1, *range(top - 1, highest + 1)}
        return {number for number in known if 0 <= number <= highest}


def _ends(standing: Standing) -> set[int]:
    """Candidates that may move an end of the range: those that may yet learn, and from below the best to the first bad.

    Twice as long a probe lets about half as high a rate learn; what gains already goes on gaining. What is only good
    has to show that it stays so.
    """
    first = standing.first_gain
    low = {first - 2, first - 1} | ({standing.lowest} - {first})
    bad = next((number for number in range(standing.top, len(standing.good)) if not standing.good[number]), None)
    return low | set(range(standing.top - 1, (len(standing.good) if bad is None else bad + 1)))


def _left(standings: Sequence[Standing], rates: Sequence[float]) -> set[float]:
    """Candidates right below lr_min that were left while they were good, so that nobody knows whether they learn."""
    below = [(standing, standing.lowest - 1) for standing in standings if standing.lowest > 0]
    return {rates[n] for standing, n in below if standing.good[n] and not standing.ended[n]}
