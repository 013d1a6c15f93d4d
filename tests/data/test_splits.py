from __future__ import annotations

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infotorch.data.splits import all_but, grouped_samples, holdout, num_samples_of, stratified_samples


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8), data=st.data())
@settings(max_examples=60, deadline=None)
def test_shares_are_exact_in_number_and_proportion(sizes, data):
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    count = data.draw(st.integers(0, len(labels)))
    rows = stratified_samples(labels, count, generator())
    assert len(rows) == len(rows.unique()) == count
    shares = labels[rows].bincount(minlength=len(sizes))
    fair = torch.tensor(sizes) * count / len(labels)
    if count >= len(sizes):
        assert (shares >= 1).all()
    if (fair >= 1).all():
        assert ((shares - fair).abs() < 1).all()  # largest remainder rounds up or down, never further


def test_rows_ascend_and_follow_the_seed_alone():
    labels = torch.arange(100) % 3
    first, again, other = (stratified_samples(labels, 30, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first, first.sort().values)


def test_a_rare_class_keeps_a_row():
    labels = torch.tensor([0] * 999 + [1])
    assert labels[stratified_samples(labels, 2, generator())].tolist() == [0, 1]


def test_every_row_and_no_row():
    labels = torch.tensor([5, 5, 9])
    assert stratified_samples(labels, 3, generator()).tolist() == [0, 1, 2]
    assert stratified_samples(labels, 0, generator()).tolist() == []
    assert stratified_samples(labels[:0], 0, generator()).tolist() == []


@pytest.mark.parametrize("count", [-1, 4])
def test_a_count_that_is_not_there(count):
    with pytest.raises(ValueError, match=f"stratified_samples: num_samples must lie in 0 to 3, got {count}"):
        stratified_samples(torch.zeros(3), count, generator())
    with pytest.raises(ValueError, match=f"grouped_samples: num_samples must lie in 0 to 3, got {count}"):
        grouped_samples(torch.zeros(3), count, generator())


def test_groups_stay_together_but_for_the_last():
    groups = torch.arange(100) // 5
    rows = grouped_samples(groups, 23, generator())
    assert len(rows) == 23
    assert sorted(groups[rows].bincount()[groups[rows].unique()].tolist()) == [3, 5, 5, 5, 5]


def test_grouped_rows_of_nothing():
    assert grouped_samples(torch.zeros(0, dtype=torch.int64), 0, generator()).tolist() == []


def test_what_is_kept_and_what_is_held_out_make_up_the_whole():
    labels = torch.arange(50) % 4
    kept, held = holdout(labels, 7, generator())
    assert torch.equal(torch.cat([kept, held]).sort().values, torch.arange(50))
    assert torch.equal(all_but(held, 50), kept)


def test_rows_from_a_number_or_a_fraction():
    assert num_samples_of(3, 10, where="load", name="validation") == 3
    assert num_samples_of(0.3, 10, where="load", name="validation") == 3


@pytest.mark.parametrize("size", [True, "3", None])
def test_a_size_of_the_wrong_type(size):
    with pytest.raises(TypeError, match="load: validation must be a number of samples or a fraction, got"):
        num_samples_of(size, 10, where="load", name="validation")


@pytest.mark.parametrize("size", [0.0, 1.0, 1.5, -0.1, float("nan")])
def test_a_fraction_outside_its_range(size):
    with pytest.raises(ValueError, match="as a fraction must lie between 0 and 1"):
        num_samples_of(size, 10, where="load", name="validation")


@pytest.mark.parametrize("size", [0, 10, -1, 0.01])
def test_a_size_that_leaves_a_side_empty(size):
    with pytest.raises(ValueError, match=f"must leave samples on both sides, got {size} of 10 samples"):
        num_samples_of(size, 10, where="load", name="validation")


def test_as_many_classes_as_samples_take_no_longer_than_a_few():
    labels = torch.cat([torch.arange(60_000), torch.zeros(140_000, dtype=torch.int64)])
    began = time.monotonic()
    rows = stratified_samples(labels, 100_000, torch.Generator().manual_seed(0))
    assert time.monotonic() - began < 20  # one pass over the samples for each class took minutes
    assert len(labels[rows].unique()) == 60_000
    assert len(rows) == 100_000
