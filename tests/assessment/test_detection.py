import itertools
import math

import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from infotorch.assessment.detection import aurc, auroc, doubt_of_probability, fpr95, predictive_entropy


@pytest.mark.parametrize("levels", [3, 10, 10**6])
def test_it_is_scikit_learns_area_with_ties_and_without(levels):
    generator = torch.Generator().manual_seed(levels)
    outside = torch.randint(levels, (300,), generator=generator) * 1.3
    inside = torch.randint(levels, (200,), generator=generator) * 1.0
    truth = [1] * 300 + [0] * 200
    assert auroc(outside, inside) == pytest.approx(roc_auc_score(truth, torch.cat([outside, inside])), abs=1e-12)


def test_it_counts_pairs():
    outside, inside = torch.tensor([1.0, 5.0, 2.0]), torch.tensor([2.0, 0.0])
    pairs = [(a > b) + (a == b) / 2 for a in outside.tolist() for b in inside.tolist()]
    assert auroc(outside, inside) == sum(pairs) / 6
    assert auroc(outside, inside) + auroc(inside, outside) == 1.0
    assert auroc(torch.zeros(5), torch.zeros(9)) == 0.5
    assert auroc(torch.ones(5), torch.zeros(9)) == 1.0


def test_two_gaussians_have_their_closed_form():
    generator = torch.Generator().manual_seed(0)
    outside, inside = torch.randn(20000, generator=generator) + 1, torch.randn(20000, generator=generator)
    expected = 0.5 * (1 + math.erf(1 / 2))  # Phi(1 / sqrt 2)
    assert auroc(outside, inside) == pytest.approx(expected, abs=0.008)  # three standard errors


def test_only_the_order_counts():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(50, generator=generator), torch.rand(60, generator=generator)
    assert auroc(a.exp(), b.exp()) == auroc(a, b)


def test_doubt_ranks_as_the_largest_probability_does_and_further():
    scores = 3 * torch.randn(500, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = scores.softmax(dim=1).max(dim=1).values
    torch.testing.assert_close(doubt_of_probability(scores), (1 / p - 1).log())
    sure = torch.tensor([[50.0, 0.0], [60.0, 0.0]])  # both round to p = 1
    assert doubt_of_probability(sure).tolist() == [-50.0, -60.0]


def test_entropy_of_a_certain_an_even_and_a_known_decision():
    scores = torch.tensor([[1e4, 0.0, 0.0], [2.0, 2.0, 2.0], [math.log(2.0), 0.0, 0.0]])
    expected = [0.0, math.log(3), 1.5 * math.log(2)]
    assert predictive_entropy(scores).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("measure", [auroc, fpr95])
@pytest.mark.parametrize("side", ["outside", "inside"])
def test_bad_sides_are_refused(side, measure):
    def call(values):
        measure(**{"outside": torch.ones(2), "inside": torch.ones(2), side: values})

    where = measure.__name__
    with pytest.raises(ValueError, match=f"{where}: {side} must have at least 1 rows, got 0"):
        call(torch.ones(0))
    with pytest.raises(ValueError, match=f"{where}: {side} must be finite, got NaN or infinite values"):
        call(torch.tensor([1.0, math.nan]))
    with pytest.raises(ValueError, match=rf"{where}: {side} must be a vector, got the shape \(2, 2\)"):
        call(torch.ones(2, 2))


@pytest.mark.parametrize("levels", [3, 10, 10**6])
@pytest.mark.parametrize("n", [1, 20, 201])
def test_fpr95_is_read_off_scikit_learns_curve(levels, n):
    generator = torch.Generator().manual_seed(levels + n)
    outside = torch.randint(levels, (300,), generator=generator).double() + levels / 4
    inside = torch.randint(levels, (n,), generator=generator).double()
    truth = [0] * 300 + [1] * n
    fpr, tpr, _ = roc_curve(truth, -torch.cat([outside, inside]), drop_intermediate=False)
    assert fpr95(outside, inside) == pytest.approx(fpr[tpr >= 0.95 - 1e-12].min(), abs=1e-12)


def test_fpr95_of_a_perfect_a_blind_and_a_reversed_detector():
    assert fpr95(torch.ones(5), torch.zeros(9)) == 0.0
    assert fpr95(torch.zeros(5), torch.zeros(9)) == 1.0
    assert fpr95(torch.zeros(5), torch.ones(9)) == 1.0


def test_aurc_of_five_samples_by_hand():
    doubt, wrong = torch.tensor([0.3, 0.1, 0.5, 0.2, 0.4]), torch.tensor([True, False, True, False, False])
    # Surest first: right, right, wrong, right, wrong.
    assert aurc(doubt, wrong) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5, abs=1e-12)
    assert aurc(doubt, torch.zeros(5).bool()) == 0.0
    assert aurc(doubt, torch.ones(5).bool()) == 1.0


def test_aurc_of_ties_is_the_mean_over_their_orders():
    wrong = torch.tensor([True, False, False, True])
    orders = [aurc(torch.arange(4.0), wrong[list(order)]) for order in itertools.permutations(range(4))]
    assert aurc(torch.zeros(4), wrong) == pytest.approx(sum(orders) / 24, abs=1e-12)


def test_aurc_refuses_bad_vectors():
    with pytest.raises(ValueError, match=r"aurc: doubt must be a vector, got the shape \(2, 2\)"):
        aurc(torch.zeros(2, 2), torch.zeros(2))
    with pytest.raises(ValueError, match="aurc: doubt must have at least 1 rows, got 0"):
        aurc(torch.zeros(0), torch.zeros(0))
    with pytest.raises(ValueError, match="aurc: wrong must be finite, got NaN or infinite values"):
        aurc(torch.zeros(1), torch.tensor([math.nan]))
    with pytest.raises(ValueError, match="aurc: x and y must be paired row by row, got 3 and 2 rows"):
        aurc(torch.zeros(3), torch.zeros(2))
