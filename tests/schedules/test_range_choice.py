import pytest

from infotorch.schedules.range_choice import Probe, Range, choose_range, judge, significance, together

RATES = (0.001, 0.01, 0.1, 1.0, 10.0)


def probes(lasts, firsts=0.1, failed=()):
    return [
        Probe(0, rate, {"accuracy": (firsts, last)}, crashed=number in failed)
        for number, (rate, last) in enumerate(zip(RATES, lasts, strict=True))
    ]


@pytest.mark.parametrize(
    ("lasts", "failed", "expected"),
    [
        ((0.12, 0.5, 0.9, 0.85, 0.1), (), Range(0.01, 1.0, 0.1)),  # thresh 0.09: 0.02 is no gain, 0.05 no shortfall
        ((0.9, 0.85, 0.84, 0.83, 0.82), (), Range(0.001, 10.0, 0.001)),
        ((0.9, 0.85, 0.84, 0.83, 0.82), (3,), Range(0.001, 0.1, 0.001)),
        ((0.1, 0.1, 0.1, 0.1, 0.9), (), Range(10.0, 10.0, 10.0)),
        ((0.5, 0.9, 0.1, 0.9, 0.1), (), Range(0.001, 0.01, 0.01)),  # a hole of dead rates ends the range
    ],
)
def test_ranges_by_hand(lasts, failed, expected):
    assert choose_range(probes(lasts, failed=failed), "accuracy", c1=10) == expected


def test_the_papers_rule_looks_over_holes():
    found = choose_range(probes((0.5, 0.9, 0.1, 0.9, 0.1)), "accuracy", c1=10, rule="paper")
    assert found == Range(0.001, 1.0, 0.01)


def test_a_larger_c1_is_stricter():
    loose = choose_range(probes((0.3, 0.5, 0.9, 0.8, 0.6)), "accuracy", c1=3)
    strict = choose_range(probes((0.3, 0.5, 0.9, 0.8, 0.6)), "accuracy", c1=30)
    assert (loose.lr_max, strict.lr_max) == (1.0, 0.1)


def test_nothing_learnt_is_an_error():
    with pytest.raises(ValueError, match="no candidate rate learnt anything by accuracy"):
        choose_range(probes((0.0,) * 5, firsts=0.0), "accuracy", c1=10)
    with pytest.raises(ValueError, match="learnt anything"):
        choose_range(probes((0.9,) * 5, failed=range(5)), "accuracy", c1=10)


def test_several_passes_give_the_safe_end_and_medians():
    found = together([Range(0.1, 10.0, 1.0), Range(0.01, 0.1, 0.1), Range(0.001, 1.0, 1.0)])
    assert found == Range(0.01, 0.1, 0.1)  # lr_top never lies above lr_max
    with pytest.raises(ValueError, match="no pass"):
        together([])


def informed(*values, crashed=False):
    """Of an information that was measured before training, too."""
    return Probe(0, 0.1, {"loss": (0.0,) * (len(values) - 1), "information": values}, crashed=crashed)


def test_epsilon_is_the_median_of_the_least_gains():
    made = [
        informed(0.5, 1.0, 1.25),  # 0.5, 0.2
        informed(0.5, 1.0, 0.8),  # 0.5, -0.25
        informed(1.0, 2.0, 2.5),  # 0.5, 0.2
        informed(0.5, 0.1, 0.1, crashed=True),
    ]
    assert significance(made, "information", c2=0.5) == pytest.approx(0.1)
    assert significance(made[1:2], "information", c2=1) == 1e-6  # never 0: the schedule needs a threshold
    with pytest.raises(ValueError, match="no candidate was trained to the end"):
        significance(made[3:], "information", c2=1)
    with pytest.raises(ValueError, match="no candidate was trained to the end"):
        significance([informed(1.0)], "information", c2=1)


def test_epsilon_leaves_out_probes_that_were_left_early():
    made = [informed(0.5, 1.0, 1.25), informed(0.5, 5.0), informed(0.5, 5.0), informed(0.5, 1.0, 1.25)]
    assert significance(made, "information", c2=1) == pytest.approx(0.2)


def of_lengths(*values):
    return [
        Probe(0, rate, {"loss": (0.0,) * len(v), "accuracy": v}, crashed=v == ())
        for rate, v in zip(RATES, values, strict=True)
    ]


def test_a_probe_that_was_left_early_is_compared_with_what_the_others_had_by_then():
    # After one epoch 0.5 is best, and 0.48 is good though 0.9 comes later; 0.3 is not, nor may 0.5 be the top.
    found = choose_range(of_lengths((0.1,), (0.3,), (0.5, 0.9), (0.48,), (0.3,)), "accuracy", c1=10)
    assert found == Range(0.01, 1.0, 0.1)


def test_a_gain_counts_from_the_lowest_candidates_first_value():
    # 0.1 reached 0.9 within its first epoch, and has learnt all the same.
    found = choose_range(of_lengths((0.1, 0.1), (0.1, 0.12), (0.85, 0.9), (0.9, 0.9), (0.1, 0.1)), "accuracy", c1=10)
    assert found == Range(0.1, 1.0, 0.1)


def test_a_loss_is_measured_from_the_untrained_networks_and_may_be_of_any_sign():
    for shift in (0.0, -7.0, 50.0):
        losses = ((2.3, 2.3), (2.2, 2.0), (1.0, 0.4), (0.9, 0.5), (2.3, 9.0))
        made = [
            Probe(0, rate, {"loss": tuple(-shift - v for v in pair)}) for rate, pair in zip(RATES, losses, strict=True)
        ]
        assert choose_range(made, "loss", c1=10) == Range(0.01, 1.0, 0.1)


def test_nothing_is_said_of_what_was_left_before_anybody_had_learnt():
    standing = judge(of_lengths((0.0,), (0.0,), (0.0, 0.9), (0.0, 0.85), (0.0,)), "accuracy", c1=10)
    assert standing.top == 2
    assert standing.good == (False, False, True, True, False)
    assert standing.gains == (False, False, True, True, False)
    assert standing.ended == (False, False, True, True, False)


@pytest.mark.parametrize(
    ("lasts", "expected"),
    [
        ((0.88, 0.9, 0.91, 0.92, 0.1), Range(0.001, 1.0, 1.0)),  # all have learnt within the first epoch
        ((0.88, 0.92, 0.1, 0.1, 0.1), Range(0.001, 0.01, 0.01)),
        ((0.82, 0.84, 0.9, 0.92, 0.1), Range(0.01, 1.0, 1.0)),  # thresh 0.092: 0.82 has learnt less than is good
        ((0.5, 0.6, 0.9, 0.92, 0.1), Range(0.01, 1.0, 1.0)),  # 0.6 is not good, but has gained
    ],
)
def test_a_rate_that_is_good_learns_though_it_gains_nothing_after_the_first_epoch(lasts, expected):
    assert choose_range(probes(lasts, firsts=lasts[0]), "accuracy", c1=10) == expected


def test_a_good_value_counts_at_the_end_alone():
    # After one epoch all stand at chance, so that the two lowest are good then; they were not trained on.
    made = of_lengths((0.1,), (0.1,), (0.1, 0.5), (0.1, 0.9), (0.1, 0.1))
    standing = judge(made, "accuracy", c1=10)
    assert standing.good == (True, True, False, True, False)
    assert (standing.first_gain, standing.lowest) == (2, 2)
    assert choose_range(made, "accuracy", c1=10) == Range(0.1, 1.0, 1.0)
