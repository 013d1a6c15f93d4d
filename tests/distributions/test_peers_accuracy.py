"""The page beside other packages: its numbers follow from the lines, and what takes too long is stopped."""

import math
import signal
import time

import pytest
import torch

import peers_accuracy
from infotorch.distributions import CorrelatedGaussian
from peers_accuracy import ESTIMATORS, OURS, Estimator, Task, limited, measure, report, summary, too_slow


def line(estimator, law, error, *, coverage=None, seconds=1.0, message="", set_name="suite"):
    return {
        "estimator": estimator,
        "package": f"{ESTIMATORS[estimator].package} 1.0",
        "set": set_name,
        "seeds": 1,
        "law": law,
        "truth_nats": 1.0,
        "mean_error_nats": error,
        "absolute_error_nats": None if error is None else abs(error),
        "coverage_95": coverage,
        "cpu_seconds": None if error is None else seconds,
        "failed": int(error is None),
        "message": message,
    }


LINES = [
    line("gmm-mi", "a", -0.2, coverage=0.0, seconds=1.0),
    line("gmm-mi", "b", 0.1, coverage=1.0, seconds=3.0),
    line("gmm-mi", "c", None, message="ValueError: 2 | 3 columns"),
    line(OURS, "a", 0.01, coverage=1.0, seconds=0.5),
    line(OURS, "b", -0.03, coverage=1.0, seconds=0.5),
    line(OURS, "c", 0.5, coverage=1.0, seconds=2.0),
]


def test_a_summary_counts_laws_with_a_value_and_compares_on_these_alone():
    found = summary(LINES[:3], {"a": 0.01, "b": 0.03, "c": 0.5})
    assert (found["known"], found["worst law"]) == (2, "a")
    assert (found["mean"], found["largest"]) == pytest.approx((0.15, 0.2))
    assert (found["coverage"], found["seconds"], found["reference"]) == pytest.approx((0.5, 2.0, 0.02))


def test_a_summary_of_nothing_but_failures_has_no_numbers():
    found = summary(LINES[2:3], {"c": 0.5})
    assert not found["known"]
    assert {found[key] for key in ("mean", "largest", "coverage", "seconds", "reference")} == {None}


def test_the_reference_is_left_out_where_it_lacks_a_law():
    assert summary(LINES[:2], {"a": 0.01})["reference"] is None


def test_the_page_has_both_tables_ours_first_and_every_message():
    page = report(LINES)
    assert f"| {OURS} | 3 of 3 | 0.180 | 0.180 | 0.500 (c) | 100% | 0.5 |" in page
    assert "| gmm-mi | 2 of 3 | 0.150 | 0.020 | 0.200 (a) | 50% | 2 |" in page
    assert page.index(f"| {OURS} | 3 of 3") < page.index("| gmm-mi | 2 of 3")
    assert "| c | 1.00 | +0.50 | – |" in page
    assert "| gmm-mi | ValueError: 2 / 3 columns | 1 |" in page
    assert "Of gmm-mi 1.0, infotorch 1.0." in page


def test_what_was_not_run_is_counted():
    page = report([*LINES[:2], *LINES[3:]])
    assert "| gmm-mi | 2 of 3 |" in page
    assert "| gmm-mi | not run | 1 |" in page


def test_sets_have_tables_of_their_own():
    page = report([*LINES, line(OURS, "a", 2.0, set_name="high")])
    assert f"| {OURS} | 1 of 1 | 2.000 |" in page.split("## On")[2]


def test_what_uses_too_much_processor_time_is_stopped_and_the_alarm_is_taken_back():
    def spin():
        while True:
            math.sqrt(2.0)

    before = signal.getsignal(signal.SIGPROF)
    with pytest.raises(TimeoutError, match=r"^stopped after 0.05 s$"), limited(0.05):
        spin()
    assert signal.getsignal(signal.SIGPROF) is before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_a_set_is_given_up_after_three_stops_in_it():
    stopped = [line("latentmi", law, None, message="TimeoutError: stopped after 60 s") for law in "abc"]
    assert too_slow(stopped, "latentmi", "suite")
    assert not too_slow(stopped[:2], "latentmi", "suite")
    assert not too_slow(stopped, "latentmi", "high")
    assert not too_slow(stopped, "gmm-mi", "suite")


def test_waiting_is_not_processor_time():
    with limited(0.05):
        time.sleep(0.2)


def test_a_measured_line_tells_error_seconds_and_versions(monkeypatch):
    monkeypatch.setitem(peers_accuracy.ESTIMATORS, "half", Estimator("torch", lambda x, y: 0.5))
    law = CorrelatedGaussian.for_information(0.75)
    found = measure("half", "suite", "normal", law, seeds=2)
    assert (found["mean_error_nats"], found["absolute_error_nats"]) == pytest.approx((-0.25, 0.25))
    assert (found["package"], found["set"], found["failed"]) == (f"torch {torch.__version__}", "suite", 0)
    assert found["cpu_seconds"] >= 0


def test_a_task_is_a_law_drawn_from_the_generator_alone():
    class Drawn:
        mutual_information = 0.25

        def sample(self, n, seed):
            return [[seed]] * n, [[0]] * n

    law = Task(Drawn())
    x, y = law.sample(3, torch.Generator().manual_seed(0))
    assert torch.equal(x, law.sample(3, torch.Generator().manual_seed(0))[0])
    assert (x.shape, x.dtype, y.shape) == ((3, 1), torch.float64, (3, 1))
    assert law.mutual_information() == 0.25
