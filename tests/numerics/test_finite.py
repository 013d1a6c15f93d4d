"""Finite or not, without looking at every entry."""

import pytest
import torch

from infotorch.numerics.finite import all_finite


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_entry_is_found_wherever_it_is(bad):
    good = torch.ones(3)
    spoiled = torch.tensor([1.0, bad])
    sparse = torch.sparse_coo_tensor([[1]], [bad], (4,), check_invariants=True)
    assert all_finite([good, None, torch.sparse_coo_tensor([[1]], [2.0], (4,), check_invariants=True)])
    assert all_finite([])
    assert all_finite([torch.full((4,), 3e38), good])  # their sum is not
    assert not all_finite([good, spoiled])
    assert not all_finite([None, sparse])


def test_entries_that_are_followed_by_autograd_and_infinities_of_both_signs():
    assert all_finite(torch.nn.Linear(3, 2).parameters())
    assert not all_finite([torch.tensor([float("inf"), -float("inf")], requires_grad=True)])
    assert all_finite([torch.full((70_000,), 1.0, dtype=torch.float16), torch.tensor([1, 2])])
