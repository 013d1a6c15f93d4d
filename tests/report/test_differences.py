"""Paired differences against closed forms and SciPy's own tests; the rule of words against what it must get right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from infotorch.report.differences import Difference, held_by_holm, mcnemar_p_value, paired_difference
from infotorch.report.summaries import Measured


def difference(values, metric="test_accuracy"):
    return Difference(metric, "bp", dict(enumerate(values)))


def test_three_pairs_by_hand():
    # mean 2, deviation 1, standard error 1 / sqrt(3); t of 2 degrees of freedom has the closed form
    # t_q = (2 q - 1) sqrt(2 / (4 q (1 - q))), and p = 1 - t / sqrt(t^2 + 2).
    found = difference((1.0, 2.0, 3.0))
    half = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025)) / math.sqrt(3)
    assert found.interval == pytest.approx((2 - half, 2 + half), rel=1e-9)
    t = 2 * math.sqrt(3)
    assert found.p_value == pytest.approx(1 - t / math.sqrt(t * t + 2), rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_interval_and_p_value_are_those_of_scipys_paired_test(n):
    draws = np.random.default_rng(n)
    ours, theirs = draws.normal(0.9, 0.01, n), draws.normal(0.895, 0.01, n)
    found = paired_difference(
        Measured("test_accuracy", dict(enumerate(ours))), Measured("test_accuracy", dict(enumerate(theirs))), against=""
    )
    assert found is not None
    expected = stats.ttest_rel(ours, theirs)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_only_seeds_that_both_have_are_paired():
    ours, theirs = (
        Measured("test_accuracy", {0: 0.9, 2: 0.8, 3: 0.7}),
        Measured("test_accuracy", {2: 0.5, 3: 0.6, 4: 1}),
    )
    found = paired_difference(ours, theirs, against="bp")
    assert found is not None
    assert found.values == pytest.approx({2: 0.3, 3: 0.1})
    assert paired_difference(ours, Measured("test_accuracy", {7: 1.0}), against="bp") is None


# The seeds' differences of three tables, in points, and what a text may and may not say of them.
@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((-0.239, -0.053, -0.139), "below on every seed"),  # mole-adult, best - bp: -0.14, three of three
        ((0.60, 0.20, 0.04), "above on every seed"),  # prox-mnist, nadam-order1 - nadam-bp: not ahead
        ((2.1, -1.8, 0.4), "level"),  # remedies-mnist, vib - dropout under FGSM at 0.1: 65 % for 65 %
        ((-1.20, -1.19, -1.37), "below"),  # prox-mnist, adamp-paper - nadam-bp
        ((0.65, 0.62, 0.69), "ahead"),  # remedies-mnist, vib-paper - dropout
        ((0.0, 0.0, 0.0), "level"),
        ((0.1, 0.0, 0.1), "level"),  # not better on every seed
        ((0.1, 0.2), ""),
    ],
)
def test_the_rule_of_words(values, word):
    assert difference([value / 100 for value in values]).word == word


@pytest.mark.parametrize("values", [(1.0, 1.1, 1.2), (0.6, 0.2, 0.04), (0.3, -0.2, 0.1)])
def test_the_rule_knows_no_favourites(values):
    turned = {"ahead": "below", "above on every seed": "below on every seed", "level": "level"}
    assert difference([-value for value in values]).word == turned[difference(values).word]


def test_of_errors_less_is_better():
    assert difference((-0.2, -0.21, -0.19), "test_mae").word == "ahead"
    assert difference((0.2, 0.01, 0.1), "test_mae").word == "below on every seed"
    assert difference((0.2, 0.21, 0.19), "mi_xt_nats").word == ""


def test_words_and_p_values_agree_at_five_percent():
    draws = np.random.default_rng(0)
    for _ in range(200):
        found = difference(draws.normal(0.8, 1.0, 4))
        assert (found.word in {"ahead", "below"}) == (found.p_value < 0.05)


def test_of_equal_rows_one_in_twenty_is_ahead_or_below():
    draws = np.random.default_rng(1)
    words = [difference(draws.normal(0.0, 1.0, 3)).word for _ in range(4000)]
    share = sum(word in {"ahead", "below"} for word in words) / len(words)
    assert share == pytest.approx(0.05, abs=0.011)  # three s.e. of a share of 4,000
    agreeing = sum(word != "level" for word in words) / len(words)
    assert agreeing == pytest.approx(0.25, abs=0.021)  # three signs agree in 2 of 8 cases; the intervals lie in these


def test_one_pair_and_equal_pairs():
    assert math.isnan(difference((0.5,)).p_value)
    assert all(math.isnan(end) for end in difference((0.5,)).interval)
    assert (difference((0.5,) * 3).p_value, difference((0.5,) * 3).word) == (0.0, "ahead")
    assert (difference((0.0,)).p_value, difference((0.0,) * 3).interval) == (1.0, (0.0, 0.0))


def with_p_value(p_value):
    """Three pairs whose t-test has a p-value: t = c sqrt(2 / (1 - c^2)) with c = 1 - p, at two degrees of freedom."""
    share = 1 - p_value
    t = share * math.sqrt(2 / (1 - share * share))
    found = difference([t / math.sqrt(3) + step for step in (-1.0, 0.0, 1.0)])
    assert found.p_value == pytest.approx(p_value, rel=1e-9)
    return found


def test_holm_by_hand():
    # Sorted: 0.01 < 0.05 / 4, 0.015 < 0.05 / 3, 0.03 > 0.05 / 2: the first two stay, and 0.04 < 0.05 does not.
    given = [with_p_value(p) for p in (0.04, 0.01, 0.03, 0.015)]
    assert held_by_holm(given) == [False, True, False, True]
    assert held_by_holm([]) == []
    assert held_by_holm([difference((0.5,)), with_p_value(0.02)]) == [False, True]


@pytest.mark.parametrize(("alone", "other"), [(8, 2), (2, 8), (5, 5), (0, 7), (1, 0), (812, 790), (30, 71)])
def test_mcnemar_is_scipys_exact_binomial_test(alone, other):
    expected = stats.binomtest(alone, alone + other, 0.5).pvalue
    assert mcnemar_p_value(alone, other) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_by_hand():
    assert mcnemar_p_value(0, 3) == pytest.approx(2 / 8)
    assert mcnemar_p_value(1, 3) == pytest.approx(2 * (1 + 4) / 16)
    assert mcnemar_p_value(0, 0) == 1.0
