import math

import numpy as np
import pytest
import torch

import infotorch
from infotorch.distributions.benchmarking import BenchmarkResult, LawOutcome, benchmark
from infotorch.distributions.class_pairs import ClassPairs, LabelledSamples
from infotorch.distributions.discrete import SymmetricChannel
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.suites import suite

LAWS = {"weak": CorrelatedGaussian(0.3), "strong": CorrelatedGaussian(0.9)}
TRUTH = {name: law.mutual_information() for name, law in LAWS.items()}


class Answer:
    """What another package may return: a value, an interval of its own, a flag."""

    def __init__(self, value, half=None, reliable=True):
        self.value, self.reliable = value, reliable
        if half is not None:
            self.interval = lambda level: (value - half, value + half)

    def __float__(self):
        return self.value


def test_errors_coverage_and_flags_of_a_constant_are_what_they_must_be():
    result = benchmark(lambda x, y: Answer(0.5, half=0.5, reliable=False), LAWS, n=10, seeds=4)
    assert result.mean_absolute_error == pytest.approx((0.5 - TRUTH["weak"] + TRUTH["strong"] - 0.5) / 2)
    assert result.coverage == 1.0
    line = result.table()[1]
    assert line["mean_error_nats"] == pytest.approx(0.5 - TRUTH["strong"])
    assert line | {"mean_error_nats": 0, "seconds": 0} == {
        "law": "strong",
        "truth_nats": TRUTH["strong"],
        "is_upper_limit": False,
        "mean_error_nats": 0,
        "spread_nats": 0.0,
        "coverage_95": 1.0,
        "unreliable": 1.0,
        "seconds": 0,
        "failed": 0,
        "message": "",
    }
    assert benchmark(lambda x, y: Answer(0.5, half=0.1), LAWS, n=10, seeds=1).coverage == 0.0


def test_our_estimates_are_covered_as_often_as_their_errors_say():
    result = benchmark(infotorch.gaussian_mi, {"strong": LAWS["strong"]}, n=500, seeds=100)
    assert result.coverage == pytest.approx(0.95, abs=0.07)  # standard error 0.022
    assert result.mean_absolute_error < 0.05
    assert result.table()[0]["unreliable"] == 0


def test_two_estimators_see_the_same_samples_and_the_order_of_laws_does_not_matter():
    seen = []

    def look(x, y):
        seen.append(torch.cat([x, y], dim=1))
        return 0.0

    state = torch.get_rng_state()
    benchmark(look, LAWS, n=5, seeds=2)
    benchmark(look, {"strong": LAWS["strong"]}, n=5, seeds=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(seen[2:4], seen[4:6], strict=True))
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("number", [1, 0.5, np.float32(0.5), np.array(0.5), torch.tensor(0.5)])
def test_any_number_will_do(number):
    line = benchmark(lambda x, y: number, LAWS, n=3, seeds=1).table()[0]
    assert line["mean_error_nats"] == pytest.approx(float(number) - TRUTH["weak"])
    assert (line["coverage_95"], line["spread_nats"]) == (None, None)


def test_what_fails_is_an_outcome_with_its_message():
    def moody(x, y):
        if float(torch.corrcoef(torch.cat([x, y], dim=1).T)[0, 1]) > 0.7:
            raise RuntimeError("out of range\nand more")
        return 0.1

    class Broken(CorrelatedGaussian):
        def mutual_information(self):
            raise OSError("no file")

    told = []
    result = benchmark(moody, {**LAWS, "broken": Broken(0.5)}, n=200, seeds=2, progress=told.append)
    weak, strong, broken = result.table()
    assert (weak["failed"], strong["failed"], broken["failed"]) == (0, 2, 2)
    assert (strong["message"], broken["message"]) == ("RuntimeError: out of range", "OSError: no file")
    assert (strong["mean_error_nats"], broken["truth_nats"]) == (None, None)
    assert result.mean_absolute_error == pytest.approx(abs(0.1 - TRUTH["weak"]))
    assert tuple(told) == result.outcomes
    assert "failed on 2 of 3 laws" in repr(result)
    assert "failed 2: RuntimeError: out of range" in repr(result)


def test_a_value_that_is_no_number_of_nats_is_a_failure_and_none_at_all_leaves_nan():
    result = benchmark(lambda x, y: math.inf, LAWS, n=3, seeds=1)
    assert result.table()[0]["message"] == "the estimator returned inf"
    assert math.isnan(result.mean_absolute_error)
    assert math.isnan(result.coverage)
    assert repr(result).startswith("<lambda> on 2 laws, n = 3, seeds: 1; failed on 2 of 2 laws\n")


def test_an_interval_that_fails_is_told():
    class Late(Answer):
        @property
        def std_error(self):
            raise ArithmeticError("singular")

    line = benchmark(lambda x, y: Late(0.5), LAWS, n=3, seeds=1).table()[0]
    assert (line["failed"], line["message"]) == (1, "ArithmeticError: singular")


def test_of_an_upper_limit_no_coverage_is_told_and_the_mean_leaves_it_out():
    pool = LabelledSamples(torch.zeros(4, 1), [0, 1, 0, 1], classes_overlap=True)
    laws = {**LAWS, "limit": ClassPairs(SymmetricChannel(2, 0.0), pool)}
    result = benchmark(lambda x, y: Answer(0.0, half=1.0), laws, n=5, seeds=1)
    line = result.table()[2]
    assert (line["is_upper_limit"], line["coverage_95"]) == (True, None)
    assert line["mean_error_nats"] == pytest.approx(-math.log(2))
    assert result.mean_absolute_error == pytest.approx(sum(TRUTH.values()) / 2)
    assert "<= 0.693" in repr(result)


def test_every_named_set_runs_and_the_suite_is_the_usual_one():
    for name, count in {"suite": 41, "mixed": 8, "high": 76, "images": 18, "tokens": 18}.items():
        assert len(benchmark(lambda x, y: 0.0, name, n=4, seeds=1).outcomes) == count
    assert [outcome.law for outcome in benchmark(lambda x, y: 0.0, n=4, seeds=1).outcomes] == list(suite())


def test_the_figure_shows_what_has_a_value():
    outcomes = (LawOutcome("a", 1.0, errors=(0.1, 0.3)), LawOutcome("b", 1.0, failures=("no",)))
    figure = BenchmarkResult("mine", 10, 2, outcomes).figure()
    assert figure.data[0].x == pytest.approx((0.2,))
    assert figure.data[0].y == ("a",)
    assert figure.data[0].error_x.array == pytest.approx((math.sqrt(0.02),), rel=1e-5)


def test_wrong_input_is_refused_before_anything_runs():
    def never(x, y):
        raise AssertionError

    for wrong in (3, None, "ksg", dict):
        with pytest.raises(TypeError, match="benchmark: estimator must be a function"):
            benchmark(wrong)
    with pytest.raises(TypeError, match=r"benchmark: estimator must take x and y and nothing else, got \(x\)"):
        benchmark(lambda x: 0.0)
    with pytest.raises(ValueError, match="benchmark: no set of laws is called 'image'; did you mean images"):
        benchmark(never, "image")
    with pytest.raises(ValueError, match="benchmark: laws must hold at least one law"):
        benchmark(never, {})
    for wrong in (LAWS["weak"], [LAWS["weak"]], {"a": 3}, {1: LAWS["weak"]}, {"a": CorrelatedGaussian}):
        with pytest.raises(TypeError, match="benchmark: laws must be the name of a set or laws by name, got"):
            benchmark(never, wrong)
    with pytest.raises(ValueError, match="benchmark: seeds must be at least 1, got 0"):
        benchmark(never, LAWS, seeds=0)
    with pytest.raises(TypeError, match=r"benchmark: n must be an integer, got 1\.5"):
        benchmark(never, LAWS, n=1.5)
    with pytest.raises(TypeError, match="benchmark: progress must be a function, got 3"):
        benchmark(never, LAWS, progress=3)


@pytest.mark.parametrize("wrong", [None, "0.5", (0.5, 0.1), True, [0.5], torch.zeros(2)])
def test_an_estimator_without_a_number_ends_the_benchmark_at_once(wrong):
    calls = []
    with pytest.raises(TypeError, match="benchmark: estimator must return a number or an Estimate, got"):
        benchmark(lambda x, y: calls.append(1) or wrong, LAWS, n=3)
    assert len(calls) == 1
