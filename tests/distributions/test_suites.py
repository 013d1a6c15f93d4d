import math

import pytest
import torch

import infotorch.distributions as distributions
from infotorch.distributions.base import JointLaw
from infotorch.distributions.suites import mixed_suite, suite, tuning_suite
from infotorch.estimators.kraskov import ksg
from infotorch.numerics.symbols import multiplicity

SUITES = {"suite": suite(), "tuning": tuning_suite(), "mixed": mixed_suite()}
LAWS = [pytest.param(law, id=f"{kind}: {name}") for kind, laws in SUITES.items() for name, law in laws.items()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_samples_what_its_generator_says(law):
    assert isinstance(law, JointLaw)
    state = torch.get_rng_state()
    (x, y), again = law.sample(40, seeded(1)), law.sample(40, seeded(1))
    assert len(x) == len(y) == 40
    assert torch.equal(x, again[0])
    assert torch.equal(y, again[1])
    assert torch.isfinite(x.double()).all()
    assert torch.isfinite(y.double()).all()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", ["suite", "tuning"])
def test_continuous_suites_have_no_ties_and_one_to_five_columns(kind):
    columns = set()
    for law in SUITES[kind].values():
        for side in law.sample(1000, seeded()):
            assert side.dtype == torch.float64
            assert int(multiplicity(side).max()) == 1
            columns.add(side.shape[1])
    assert columns == {1, 2, 3, 4, 5}


def test_truths_spread_over_the_range():
    truths = sorted(law.mutual_information() for law in SUITES["suite"].values())
    assert len(truths) == 41
    assert truths[0] == 0
    assert truths[-1] < 2
    # 2026-11-21: the reported suite does not change unnoticed.
    assert sum(truths) / 41 == pytest.approx(0.8507, abs=5e-4)


def test_nothing_is_tuned_on_a_law_that_is_reported():
    ours, theirs = (
        {round(law.mutual_information(), 9) for law in SUITES[kind].values()} for kind in ("suite", "tuning")
    )
    assert ours & theirs == {0.0}  # independent variables have no other parameter


@pytest.mark.parametrize("name", ["normal 1x1", "uniform noise 0.75", "student 1x1 dof 1, asinh", "cross 1x1"])
def test_an_estimator_finds_the_stated_truth(name):
    law = SUITES["suite"][name]
    estimate = ksg(*law.sample(3000, seeded(5)))
    assert float(estimate) == pytest.approx(law.mutual_information(), abs=4 * estimate.std_error)
    assert estimate.std_error < 0.05


def test_mixed_laws_are_discrete_on_a_side():
    for law in SUITES["mixed"].values():
        assert any(not side.is_floating_point() for side in law.sample(5, seeded()))
        assert 0 < law.mutual_information() < 4 * math.log(2)


def test_every_name_of_the_room_loads_and_explains_itself():
    for name in distributions.__all__:
        assert getattr(distributions, name).__doc__.strip(), name
    assert dir(distributions) == distributions.__all__
    with pytest.raises(AttributeError, match=r"'infotorch\.distributions' has no attribute 'StudntT'"):
        _ = distributions.StudntT
