from __future__ import annotations

import math

import pytest
import torch

from infotorch.data import check, get, load
from infotorch.data.binary import RULES

NAMES = [f"binary-{rule}" for rule in RULES]


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_are_points_of_a_standard_normal_law_in_two_classes_of_probability_one_half(name):
    data = load(name, seed=3)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [600, 2000, 2000]
    assert (data.num_classes, data.feature_names) == (2, ("x1", "x2"))
    x = torch.cat([part.x for part in (data.train, data.validation, data.test)])
    y = torch.cat([part.y for part in (data.train, data.validation, data.test)])
    error = 1 / math.sqrt(len(x))
    assert x.mean(dim=0).abs().max() < 4 * error
    assert (x.T @ x / len(x) - torch.eye(2)).abs().max() < 4 * math.sqrt(2) * error
    assert abs(y.double().mean() - 0.5) < 4 * 0.5 * error
    assert len(x.unique(dim=0)) == len(x)


@pytest.mark.parametrize(
    ("name", "of_class_one"),
    [
        ("binary-circle", lambda a, b: math.hypot(a, b) > math.sqrt(2 * math.log(2))),
        ("binary-line", lambda a, b: a > -b),
        ("binary-quadrants", lambda a, b: (a > 0) == (b > 0)),
        ("binary-sine", lambda a, b: b > math.sin(2 * a)),
    ],
)
def test_the_rules_point_by_point(name, of_class_one):
    part = load(name).test
    assert part.y.tolist() == [int(of_class_one(a, b)) for a, b in part.x.double().tolist()]


def test_a_seed_has_the_same_points_under_every_rule_and_another_seed_has_others():
    first, *others = (load(name, seed=1) for name in NAMES)
    assert all(torch.equal(first.train.x, other.train.x) for other in others)
    assert not torch.equal(first.train.y, others[0].train.y)
    assert not torch.equal(first.test.x, load(NAMES[0], seed=2).test.x)


def test_rows_can_be_limited_and_validation_is_the_sets_own():
    small = load("binary-line", limit=50)
    assert len(small.train) == 50
    assert abs(int(small.train.y.sum()) - 25) <= 2  # in the proportions of the classes
    assert torch.equal(small.validation.x, load("binary-line").validation.x)
    with pytest.raises(ValueError, match="validation cannot be chosen: the set brings its own validation samples"):
        load("binary-line", validation=100)


def test_there_is_no_file_to_get(tmp_path):
    assert get("binary-sine", tmp_path) == ()
    assert check("binary_sine", tmp_path) == ()
    with pytest.raises(ValueError, match=r"no data set 'binary-sinus'\. Did you mean binary-sine"):
        load("binary-sinus")


def test_the_global_random_state_is_untouched():
    before = torch.get_rng_state()
    load("binary-circle")
    assert torch.equal(torch.get_rng_state(), before)
