"""Both searches on landscapes of which every probe is known beforehand."""

import math

import pytest

from infotorch.schedules.range_choice import Probe, choose_range, together
from infotorch.schedules.range_passes import Halving, exhaustive, recorded

RATES = [mantissa * 10.0**power for power in range(-5, 0) for mantissa in (1, 2, 5)] + [1.0]


class Landscape:
    """Answers probes from a function (trial, number of the candidate, epoch) -> accuracy; NaN is a crash.

    Attributes:
        asked: (trial, number, epochs, epochs that this took) of every probe.
    """

    def __init__(self, accuracy, width=1):
        self.accuracy, self.width = accuracy, width
        self.asked, self.reached = [], {}

    def probe(self, trial, rates, epochs, alive=()):
        return [self._one(trial, RATES.index(rate), epochs, alive) for rate in rates]

    def _one(self, trial, number, epochs, alive):
        values = []
        while len(values) < epochs and not (values and math.isnan(values[-1])):
            values.append(self.accuracy(trial, number, len(values) + 1))
        self.asked.append((trial, number, epochs, len(values) - self.reached.get((trial, number), 0)))
        # what is not said to be alive starts anew when it is asked for again
        self.reached = {known: n for known, n in self.reached.items() if RATES[known[1]] in alive}
        if RATES[number] in alive:
            self.reached[trial, number] = len(values)
        crashed = math.isnan(values[-1])
        return Probe(trial, RATES[number], {"loss": tuple(values), "accuracy": tuple(values)}, crashed)

    @property
    def spent(self):
        return sum(epochs for *_, epochs in self.asked)


def hill(trial, number, epoch, *, top=12, bad=()):
    """Rates learn faster the higher they are, up to the top; above it a little worse; bad ones are dead."""
    if number in bad:
        return 0.1
    speed = 0.55 ** (abs(top - number) if number < top else 0.1 * (number - top))
    return 0.1 + 0.85 * (1 - math.exp(-2.0 * speed * epoch))


def both(accuracy, *, epochs=5, trials=3):
    """(range, epochs) of the exhaustive test, and of successive halving."""
    found = []
    for search in ("exhaustive", "halving"):
        land = Landscape(accuracy)
        if search == "exhaustive":
            passes = exhaustive(land, RATES, trials, epochs)
        else:
            passes = Halving(land, RATES, epochs, 10.0, lambda _: ["accuracy"]).passes(trials)
        found.append((together([choose_range(one, "accuracy", c1=10) for one in passes]), land.spent))
    return found


@pytest.mark.parametrize(
    "bad",
    [(14, 15), (15,), (), (13, 14, 15), (14,), (13, 15), range(11, 16)],
    ids=["cliff", "last", "none", "at the top", "hole", "two holes", "top itself"],
)
@pytest.mark.parametrize("epochs", [1, 2, 4, 5, 6])
def test_halving_finds_the_range_of_the_exhaustive_test(bad, epochs):
    (whole, much), (cheap, little) = both(lambda *at: hill(*at, bad=bad), epochs=epochs)
    assert (cheap.lr_max, cheap.lr_top) == (whole.lr_max, whole.lr_top)
    assert abs(RATES.index(cheap.lr_min) - RATES.index(whole.lr_min)) <= 1
    assert little <= (0.67 if epochs >= 4 else 0.8) * much


def test_a_rate_that_dies_late_is_found_while_it_may_still_be_the_upper_end():
    (whole, _), (cheap, _) = both(
        lambda trial, number, epoch: 0.1 if number == 13 and epoch > 3 else hill(0, number, 1)
    )
    assert cheap.lr_max == whole.lr_max == RATES[12]


def test_trials_that_differ_give_the_lowest_lr_max():
    first_bad = (15, 13, 14)
    (whole, _), (cheap, _) = both(
        lambda trial, n, epoch: hill(trial, n, epoch, top=11, bad=range(first_bad[trial], 16))
    )
    assert (cheap.lr_top, cheap.lr_max) == (whole.lr_top, whole.lr_max) == (RATES[11], RATES[12])


def test_a_trial_whose_best_lies_below_the_window_goes_down_to_it():
    # the first trial's best is number 12; in the second all from 7 on are dead
    land = Landscape(
        lambda trial, n, epoch: hill(0, n, epoch, top=6 if trial else 12, bad=range(7, 16) if trial else ())
    )
    first, second = Halving(land, RATES, 4, 10.0, lambda _: ["accuracy"]).passes(2)
    assert choose_range(first, "accuracy", c1=10).lr_top == RATES[12]
    assert choose_range(second, "accuracy", c1=10).lr_max == RATES[6]


def test_a_trial_that_learns_slowly_closes_the_gap_below_its_lowest_rate():
    # the first trial learns from number 5 on, the second from 9 on
    def accuracy(trial, number, epoch):
        return 0.1 if number < (9 if trial else 5) else 0.8 + 0.01 * min(number, 13)

    first, second = Halving(Landscape(accuracy), RATES, 4, 10.0, lambda _: ["accuracy"]).passes(2)
    assert choose_range(first, "accuracy", c1=10).lr_min == RATES[5]
    assert choose_range(second, "accuracy", c1=10).lr_min == RATES[9]


def test_a_trial_in_which_the_window_crashes_goes_down_until_something_learns():
    def accuracy(trial, number, epoch):
        return math.nan if trial == 1 and number > 4 else hill(0, number, epoch, top=3 if trial else 12)

    second = Halving(Landscape(accuracy), RATES, 4, 10.0, lambda _: ["accuracy"]).passes(2)[1]
    assert choose_range(second, "accuracy", c1=10).lr_max <= RATES[4]


def test_halving_probes_all_candidates_once_and_fewer_and_fewer_for_longer():
    land = Landscape(lambda *at: hill(*at, bad=(14, 15)))
    Halving(land, RATES, 4, 10.0, lambda _: ["accuracy"]).passes(3)
    rungs = {length: {n for trial, n, until, _ in land.asked if trial == 0 and until == length} for length in (1, 2, 4)}
    assert rungs[1] == set(range(16))
    assert rungs[4] <= rungs[2] < rungs[1]
    assert {11, 12, 13} <= rungs[4]
    assert max(n for trial, n, *_ in land.asked if trial) == 13  # nothing above the lr_max of the first trial


def test_crashed_candidates_are_left_and_end_no_trial():
    land = Landscape(lambda trial, n, epoch: math.nan if n > 12 else hill(trial, n, epoch))
    passes = Halving(land, RATES, 4, 10.0, lambda _: ["accuracy"]).passes(2)
    assert [probe.rate for probe in passes[0] if probe.crashed] == RATES[13:]
    assert sum(n > 12 for _, n, *_ in land.asked) == 3
    assert choose_range(passes[1], "accuracy", c1=10).lr_max == RATES[12]


def test_layers_keep_what_any_of_them_needs():
    def keyed(probes):
        for probe in probes:
            probe.values["other"] = tuple(
                hill(0, RATES.index(probe.rate), epoch, top=8, bad=range(11, 16))
                for epoch in range(1, probe.epochs + 1)
            )
        return ["accuracy", "other"]

    passes = Halving(Landscape(lambda *at: hill(*at, bad=(15,))), RATES, 4, 10.0, keyed).passes(2)
    ends = {key: together([choose_range(one, key, c1=10) for one in passes]) for key in keyed(passes[0])}
    assert (ends["accuracy"].lr_top, ends["accuracy"].lr_max) == (RATES[12], RATES[14])
    assert (ends["other"].lr_top, ends["other"].lr_max) == (RATES[8], RATES[10])


def test_halving_keeps_what_has_learnt_within_the_first_epoch():
    def quick(trial, number, epoch):
        return 0.1 if number > 12 else 0.5 if number < 3 else 0.9 + 0.001 * number + 0.01 * epoch

    (whole, _), (cheap, _) = both(quick)
    assert cheap == whole
    assert cheap.lr_min == RATES[3]


@pytest.mark.parametrize("ends_at", [0.5, 0.86])
def test_what_was_left_while_it_was_good_is_tried_to_the_end_where_it_may_be_the_lower_end(ends_at):
    # All are good after one epoch. From number 5 on they stay so; the others stand still, some of them below good.
    def plateau(trial, number, epoch):
        return 0.85 if epoch == 1 else ends_at + 0.001 * number if number < 5 else 0.97 - 0.001 * abs(10 - number)

    land = Landscape(plateau)
    (found,) = Halving(land, RATES, 4, 10.0, lambda _: ["accuracy"]).passes(1)
    assert choose_range(found, "accuracy", c1=10).lr_min == RATES[5]
    assert land.spent < 16 * 4


def test_all_candidates_stay_while_nobody_has_learnt():
    land = Landscape(lambda trial, n, epoch: 0.0 if epoch == 1 else hill(trial, n, epoch))
    Halving(land, RATES, 4, 10.0, lambda _: ["accuracy"]).passes(1)
    assert {n for _, n, until, _ in land.asked if until == 2} == set(range(16))


@pytest.mark.parametrize("width", [1, 2, 3, 16])
def test_several_at_once_change_nothing_in_the_exhaustive_test(width):
    def accuracy(trial, number, epoch):
        return math.nan if (trial, number) in {(0, 9), (1, 9), (2, 13)} else hill(trial, number, epoch)

    alone = exhaustive(Landscape(accuracy), RATES, 4, 2)
    assert repr(exhaustive(Landscape(accuracy, width), RATES, 4, 2)) == repr(alone)  # as text: NaN equals itself
    assert [(one[0].trial, len(one)) for one in alone] == [(0, 10), (2, 16)]


def test_the_last_rung_is_what_was_asked_for():
    rungs = {epochs: Halving(Landscape(hill), RATES, epochs, 10.0, lambda _: []).rungs for epochs in range(1, 9)}
    assert rungs[1] == [1]
    assert rungs[5] == [1, 2, 5]
    assert rungs[8] == [1, 2, 4, 8]
    assert all(lengths[-1] == epochs for epochs, lengths in rungs.items())


def passes_by(rule, crashes, trials):
    """The exhaustive test of three rates that learn, 9, 10 and 11, where some (trial, number) crash."""
    land = Landscape(lambda trial, n, epoch: math.nan if (trial, n) in crashes else 0.2 + 0.02 * n + 0.1 * epoch)
    return exhaustive(land, RATES[9:12], trials, 2, rule)


class TestCrashesAsInThePaper:
    """Algorithm 2: "break and start a new trial from (current) candidate"; what completed is recorded."""

    def test_a_success_after_a_crash_is_recorded_and_by_ours_is_safe_no_more(self):
        paper, ours = (passes_by(rule, {(0, 10)}, 2) for rule in ("paper", "first-bad"))
        assert [(p.trial, p.rate, p.crashed) for p in paper[0]] == [
            (0, RATES[9], False), (0, RATES[10], True), (1, RATES[10], False), (1, RATES[11], False),
        ]  # fmt: skip
        (table,) = recorded(paper)
        assert choose_range(table, "accuracy", c1=10, rule="paper").lr_max == RATES[11]
        assert [p.crashed for p in ours[0]] == [False, True, False]
        assert choose_range(ours[0][:2], "accuracy", c1=10).lr_max == RATES[9]

    def test_after_two_crashes_at_one_rate_the_next_trial_goes_on_there_and_by_ours_anew(self):
        crashes = {(0, 10), (1, 10)}
        paper, ours = (passes_by(rule, crashes, 3) for rule in ("paper", "first-bad"))
        assert [(p.trial, p.rate) for p in paper[0]][-2:] == [(2, RATES[10]), (2, RATES[11])]
        assert len(paper) == 1
        assert [(one[0].trial, len(one)) for one in ours] == [(0, 2), (2, 3)]

    def test_a_crash_after_a_success_takes_no_line_away(self):
        passes = passes_by("paper", {(1, 10)}, 2)  # the second pass has no trial left to go on
        assert [len(one) for one in passes] == [3, 2]
        assert [[(p.trial, p.rate) for p in table] for table in recorded(passes)] == [
            [(0, rate) for rate in RATES[9:12]],
            [(1, RATES[9]), (0, RATES[10]), (0, RATES[11])],
        ]

    def test_where_nothing_completed_there_is_no_table(self):
        assert recorded(passes_by("paper", {(0, 9), (1, 9)}, 2)) == []
