from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from infotorch.data import load


def test_the_parts_are_scikit_learns_digits_each_once():
    data = load("digits")
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [1222, 216, 359]
    assert data.train.x.shape[1:] == (1, 8, 8)
    ours = torch.cat([torch.cat([part.x.flatten(1) * 16, part.y[:, None]], dim=1) for part in parts])
    rows, labels = load_digits(return_X_y=True)
    theirs = torch.cat([torch.from_numpy(rows), torch.from_numpy(labels)[:, None]], dim=1).float()
    order = [tensor.tolist() for tensor in (ours, theirs)]
    assert sorted(order[0]) == sorted(order[1])


def test_test_rows_are_the_same_for_every_seed_and_validation_rows_are_not():
    zero, one = load("digits", seed=0), load("digits", seed=1)
    assert torch.equal(zero.test.x, one.test.x)
    assert not torch.equal(zero.validation.x, one.validation.x)


def test_the_global_random_state_is_untouched():
    before = torch.get_rng_state()
    load("digits", limit=50)
    assert torch.equal(torch.get_rng_state(), before)
