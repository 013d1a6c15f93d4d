import random
import statistics

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


def of_the_paper(initial, reports, c1, c2):
    """Algorithm 2 line by line, for one trial: (LR_min, LR_max, LR_top, epsilon).

    Args:
        initial: ITY before training.
        reports: rate -> [(ITY, accuracy) after epoch 1, 2, ...].
    """
    table = []
    for rate, after in reports.items():
        ity, recorded = [initial], []
        for e in range(1, len(after) + 1):
            if e == 1:
                d_s = 1.0
            else:
                d_s = (ity[e - 1] - ity[e - 2]) / ity[e - 1]
            ity.append(after[e - 1][0])  # after training
            recorded.append(d_s)
        table.append({"LR": rate, "min(d_s)": min(recorded), "initial": after[0][1], "final": after[-1][1]})
    maxval = max(line["final"] for line in table)
    for line in table:
        line["d1n"], line["dnn"] = line["final"] - line["initial"], maxval - line["final"]
    thresh = maxval / c1
    lr_top = next(line["LR"] for line in table if line["final"] == maxval)
    lr_min = next(line["LR"] for line in table if line["d1n"] >= thresh)
    lr_max = None
    for number, line in enumerate(table):  # beyond it all successive rates fall short
        if all(further["dnn"] >= thresh for further in table[number + 1 :]):
            lr_max = line["LR"]
            break
    return lr_min, lr_max, lr_top, c2 * statistics.median(line["min(d_s)"] for line in table)


def test_the_papers_rule_is_algorithm_2():
    draw = random.Random(0)
    compared, apart = 0, {"lr_min": 0, "lr_max": 0, "epsilon": 0}
    while compared < 200:
        epochs = draw.randint(1, 5)
        reports = {r: [(draw.uniform(1, 2), draw.uniform(0.1, 0.9)) for _ in range(epochs)] for r in RATES}
        made = []
        for rate, after in reports.items():
            information, accuracy = zip(*after, strict=True)
            values = {"loss": (0.0,) * epochs, "accuracy": accuracy, "information": (1.5, *information)}
            made.append(Probe(0, rate, values))
        found = choose_range(made, "accuracy", c1=5, rule="paper")
        gained = [last[1] - first[1] for first, *_, last in ([one[0], *one] for one in reports.values())]
        if max(gained[: RATES.index(found.lr_top) + 1]) < max(one[-1][1] for one in reports.values()) / 5:
            continue  # none up to the best gains, and the paper says of it nothing that a schedule could take
        compared += 1
        lr_min, lr_max, lr_top, epsilon = of_the_paper(1.5, reports, c1=5, c2=0.5)
        assert (found.lr_min, found.lr_max, found.lr_top) == (lr_min, lr_max, lr_top)
        assert significance(made, "information", c2=0.5, rule="paper") == pytest.approx(max(epsilon, 1e-6))
        ours = choose_range(made, "accuracy", c1=5)
        apart["lr_min"] += ours.lr_min != lr_min
        apart["lr_max"] += ours.lr_max != lr_max
        apart["epsilon"] += significance(made, "information", c2=0.5) != max(epsilon, 1e-6)
    assert min(apart.values()) > 0  # our own rule is another


def test_by_the_papers_rule_lr_min_is_lr_top_where_nothing_gains_after_its_first_epoch():
    made = probes((0.88, 0.9, 0.91, 0.92, 0.1), firsts=0.87)
    assert choose_range(made, "accuracy", c1=10, rule="paper") == Range(1.0, 1.0, 1.0)
    assert choose_range(made, "accuracy", c1=10) == Range(0.001, 1.0, 1.0)


def test_the_papers_epsilon_leaves_out_the_last_epochs_gain():
    made = [informed(1.0, 2.0, 2.5, 2.5)]  # 0.5, 0.2, 0
    assert significance(made, "information", c2=1, rule="paper") == pytest.approx(0.2)
    assert significance(made, "information", c2=1) == 1e-6
    assert significance([informed(1.0, 2.0)], "information", c2=1, rule="paper") == 1.0  # d_s of the first epoch


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
