import math

import pytest
import torch

from infotorch.distributions import StudentT
from infotorch.estimators.critic_rows import as_columns, random_splits, standardised


def splits(n, **changes):
    settings = {"validation": 0.2, "test": 0.3, "folds": None, "where": "f"} | changes
    return random_splits(n, generator=torch.Generator().manual_seed(0), **settings)


def test_the_parts_are_all_rows_and_share_none():
    (split,) = splits(50)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [25, 10, 15]
    assert sorted(torch.cat([split.train, split.validation, split.test]).tolist()) == list(range(50))
    assert split.test.tolist() != sorted(split.test.tolist())


@pytest.mark.parametrize("n", [50, 53])
def test_every_row_is_a_test_row_of_one_fold(n):
    found = splits(n, folds=4)
    assert sorted(torch.cat([split.test for split in found]).tolist()) == list(range(n))
    for split in found:
        assert sorted(torch.cat([split.train, split.validation, split.test]).tolist()) == list(range(n))
        assert len(split.validation) == round(0.2 * n)


def test_wrong_shares_are_refused():
    with pytest.raises(ValueError, match=r"f: validation must lie between 0 and 1, got 0"):
        splits(50, validation=0)
    with pytest.raises(ValueError, match=r"f: test must lie between 0 and 1, got 1.5"):
        splits(50, test=1.5)
    with pytest.raises(TypeError, match=r"f: test must be a number, got str"):
        splits(50, test="a")
    with pytest.raises(
        ValueError, match=r"f: each part of the samples must have at least 2 of them, got 50 samples with val"
    ):
        splits(50, validation=0.6, test=0.4)
    with pytest.raises(ValueError, match=r"got 5 samples with validation=0.2 and test=0.3"):
        splits(5)
    with pytest.raises(ValueError, match=r"got 50 samples with validation=0.2 and folds=1"):
        splits(50, folds=1)
    with pytest.raises(ValueError, match=r"got 50 samples with validation=0.2 and folds=40"):
        splits(50, folds=40)
    with pytest.raises(TypeError, match=r"f: folds must be an integer, got 2.5"):
        splits(50, folds=2.5)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_any_scale_and_offset_is_standardised(scale):
    rows = scale * (1e3 + torch.randn(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    before = rows.clone()
    found = standardised(rows, torch.arange(100))
    low, middle, high = (found[:100].quantile(q, dim=0) for q in (0.25, 0.5, 0.75))
    zeros = torch.zeros(3, dtype=torch.float64)
    assert torch.allclose(middle, zeros, atol=1e-9)
    assert torch.allclose(high - low, zeros + 1.349, atol=0.05)  # quartiles between other rows
    assert not torch.allclose(found[100:].median(0).values, zeros, atol=1e-3)
    assert torch.equal(rows, before)


def test_tails_are_drawn_in_and_no_order_is_lost():
    rows = StudentT(0.0, dof=1).sample(2000, torch.Generator().manual_seed(2))[0]
    rows = torch.cat([rows, torch.tensor([[1e9], [-1e300]], dtype=torch.float64)])
    found = standardised(rows, torch.arange(1000))
    assert torch.equal(found.argsort(dim=0), rows.argsort(dim=0))
    assert found[:-1].abs().max() < 30
    assert found.isfinite().all()
    inside = found.abs() <= 3
    slope = found[inside] - found[inside].roll(1)
    assert torch.allclose(slope / (rows[inside] - rows[inside].roll(1)), slope[1] / (rows[inside][1] - rows[inside][0]))


def test_a_column_of_two_values_has_the_usual_standard_deviation():
    rare = (torch.arange(100)[:, None] % 10 == 0).double()
    found = standardised(rare, torch.arange(100))
    assert found.mean().item() == pytest.approx(0, abs=1e-12)
    assert found.std(unbiased=False).item() == pytest.approx(1, abs=1e-12)


def test_columns_without_spread_become_zero():
    rows = torch.tensor([[0.1, 0.0], [0.1, 0.0], [0.1, 0.0], [5.0, 0.0]], dtype=torch.float64)
    assert standardised(rows, torch.arange(3)).abs().max() == 0


def test_integers_are_classes_where_they_repeat():
    labels = torch.tensor([[3], [9], [3], [9], [4], [4]])
    assert as_columns(labels, where="f", name="x").argmax(1).tolist() == [0, 2, 0, 2, 1, 1]
    assert as_columns(labels == 3, where="f", name="x").shape == (6, 2)
    pixels = torch.arange(6)[:, None]
    assert torch.equal(as_columns(pixels, where="f", name="x"), pixels.double())
    several = torch.zeros(6, 2, dtype=torch.int64)
    assert torch.equal(as_columns(several, where="f", name="x"), several.double())
    many = torch.arange(4000)[:, None] // 2
    assert as_columns(many, where="f", name="x").shape == (4000, 1)


def test_rows_far_beyond_the_training_rows_stay_within_float32():
    columns = torch.tensor([[0.0], [2.0], [1e300], [-1e300], [1e5]], dtype=torch.float64)
    found = standardised(columns, train=torch.tensor([0, 1]))
    # The quartiles of two rows are all their middle, so the standard deviation is the unit.
    tail = [3 + math.log1p(z - 3) for z in (1e300 - 1, 1e300 + 1, 1e5 - 1)]
    assert found[:, 0].tolist() == pytest.approx([-1, 1, tail[0], -tail[1], tail[2]])
