import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import brier_score_loss, log_loss

from infotorch.assessment.calibration import (
    adaptive_calibration_error,
    brier_score,
    calibration_error,
    mean_of_ties,
    negative_log_likelihood,
    reliability_bins,
)


def slow_calibration_error(scores, y, num_bins=15):
    """Guo et al. 2017, eq. 3, bin by bin and row by row, in float64."""
    total, n = 0.0, len(y)
    rows = []
    for score, label in zip(scores.double().tolist(), y.tolist(), strict=True):
        top = max(score)
        weights = [math.exp(s - top) for s in score]
        rows.append((max(weights) / sum(weights), score.index(top) == label))
    for number in range(num_bins):
        low, high = number / num_bins, (number + 1) / num_bins
        inside = [(p, right) for p, right in rows if low < p <= high]
        if inside:
            accuracy = sum(right for _, right in inside) / len(inside)
            confidence = sum(p for p, _ in inside) / len(inside)
            total += len(inside) / n * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize(("classes", "num_bins"), [(2, 15), (10, 15), (5, 4), (3, 1)])
def test_it_is_the_papers_sum_over_bins(classes, num_bins):
    generator = torch.Generator().manual_seed(classes)
    scores = 2 * torch.randn(700, classes, generator=generator)
    # Right in three of four whatever it says: too modest at the bottom and too sure at the top, which one bin mixes up.
    told, right = scores.argmax(dim=1), torch.rand(700, generator=generator) < 0.75
    y = torch.where(right, told, (told + 1) % classes)
    expected = slow_calibration_error(scores, y, num_bins)
    assert calibration_error(scores, y, num_bins=num_bins) == pytest.approx(expected, abs=1e-12)
    if num_bins > 1:
        assert abs(expected - slow_calibration_error(scores, y, 1)) > 0.01


def test_a_network_that_says_the_true_probabilities_is_calibrated():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(40000, 4, generator=generator)
    y = torch.multinomial(scores.softmax(dim=1), 1, generator=generator)[:, 0]
    # Each of about 12 bins errs by its own standard error, below 0.5 / sqrt(40000 / 12): 0.009 at the very most.
    assert calibration_error(scores, y) < 0.009
    assert calibration_error(5 * scores, y) > 0.2


def test_a_network_that_is_always_sure_errs_by_its_errors():
    y = torch.arange(100) % 4
    scores = 1e4 * F.one_hot(torch.where(torch.arange(100) < 30, (y + 1) % 4, y), 4).double()
    assert calibration_error(scores, y) == pytest.approx(0.3)


def test_it_does_not_depend_on_the_scores_level():
    generator = torch.Generator().manual_seed(0)
    scores, y = torch.randn(50, 3, generator=generator), torch.randint(3, (50,), generator=generator)
    assert calibration_error(scores + 100.0, y) == pytest.approx(calibration_error(scores, y), abs=1e-6)


def test_the_negative_log_likelihood_is_the_mean_of_the_logarithms():
    p = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    found = negative_log_likelihood(p.log(), torch.tensor([1, 1]))
    assert found == pytest.approx(-(math.log(0.25) + math.log(0.8)) / 2, abs=1e-6)
    assert negative_log_likelihood(torch.tensor([[0.0, -math.inf]]), torch.tensor([1])) == math.inf


@pytest.mark.parametrize(
    "measure", [calibration_error, adaptive_calibration_error, brier_score, negative_log_likelihood]
)
def test_wrong_shapes_are_refused(measure):
    where = measure.__name__
    with pytest.raises(ValueError, match=rf"{where}: scores must have the shape \(n, classes\), got \(3,\)"):
        measure(torch.zeros(3), torch.zeros(3).long())
    with pytest.raises(ValueError, match=f"{where}: scores must have at least 1 rows, got 0"):
        measure(torch.zeros(0, 3), torch.zeros(0).long())
    with pytest.raises(ValueError, match=f"{where}: x and y must be paired row by row, got 3 and 2 rows"):
        measure(torch.zeros(3, 2), torch.zeros(2).long())


@pytest.mark.parametrize("measure", [calibration_error, adaptive_calibration_error])
def test_bins_are_counted(measure):
    where = measure.__name__
    with pytest.raises(ValueError, match=f"{where}: num_bins must be at least 1, got 0"):
        measure(torch.zeros(3, 2), torch.zeros(3).long(), num_bins=0)
    with pytest.raises(TypeError, match=rf"{where}: num_bins must be an integer, got 15\.0"):
        measure(torch.zeros(3, 2), torch.zeros(3).long(), num_bins=15.0)


def drawn(n, classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(n, classes, generator=generator, dtype=torch.float64)
    # Drawn from the probabilities: where every bin is too sure, the error is the same for any bins.
    return scores, torch.multinomial(scores.softmax(dim=1), 1, generator=generator)[:, 0]


def test_it_is_torchmetrics_calibration_error():
    classification = pytest.importorskip("torchmetrics.functional.classification")
    scores, y = drawn(700, 5)
    expected = classification.multiclass_calibration_error(scores.softmax(dim=1), y, num_classes=5, n_bins=15)
    assert calibration_error(scores, y) == pytest.approx(float(expected), abs=1e-5)  # it sums in float32


@pytest.mark.parametrize("num_bins", [1, 4, 15])
def test_adaptive_bins_hold_equally_many(num_bins):
    scores, y = drawn(700, 4)
    p, told = scores.softmax(dim=1).max(dim=1)
    rows = sorted(zip(p.tolist(), (told == y).tolist(), strict=True))
    size, more = divmod(len(rows), num_bins)
    total, start = 0.0, 0
    for number in range(num_bins):
        inside = rows[start : start + size + (number < more)]
        start += len(inside)
        total += abs(sum(right - confidence for confidence, right in inside)) / len(rows)
    assert adaptive_calibration_error(scores, y, num_bins=num_bins) == pytest.approx(total, abs=1e-12)


def test_adaptive_bins_do_not_see_the_order_of_ties():
    scores = torch.tensor([[0.75, 0.25]] * 4, dtype=torch.float64).log()
    for y in ([0, 0, 0, 1], [1, 0, 0, 0]):
        assert adaptive_calibration_error(scores, torch.tensor(y), num_bins=4) == pytest.approx(0.0, abs=1e-12)


def test_brier_and_log_likelihood_are_scikit_learns():
    scores, y = drawn(500, 2)
    p = scores.softmax(dim=1)
    assert brier_score(scores, y) == pytest.approx(2 * brier_score_loss(y, p[:, 1]), abs=1e-12)
    scores, y = drawn(500, 6)
    assert negative_log_likelihood(scores, y) == pytest.approx(log_loss(y, scores.softmax(dim=1)), abs=1e-12)


def test_brier_of_perfect_constant_and_always_wrong_networks():
    y = torch.arange(8) % 4
    sure = 1e4 * F.one_hot(y, 4).double()
    assert brier_score(sure, y) == 0.0
    assert brier_score(torch.zeros(8, 4), y) == pytest.approx(0.75)
    assert brier_score(sure, (y + 1) % 4) == 2.0


@pytest.mark.parametrize("wrong", [-1, 2])
def test_brier_refuses_a_class_without_a_column(wrong):
    with pytest.raises(ValueError, match=r"brier_score: y must hold classes from 0 to 1, as scores has 2 columns, got"):
        brier_score(torch.zeros(2, 2), torch.tensor([1, wrong]))


def test_ties_share_their_mean():
    found = mean_of_ties(torch.tensor([1.0, 2.0, 4.0, 0.0]), torch.tensor([3, 1, 3, 1]))
    assert found.tolist() == [2.5, 1.0, 2.5, 1.0]


@pytest.mark.parametrize(
    "measure", [calibration_error, adaptive_calibration_error, brier_score, negative_log_likelihood, reliability_bins]
)
@pytest.mark.parametrize("row", [[math.inf, 0.0], [-math.inf, -math.inf]])
def test_a_row_without_a_softmax_is_refused(measure, row):
    """It was NaN in silence."""
    with pytest.raises(ValueError, match=rf"^{measure.__name__}: scores must be below infinity, and finite for one"):
        measure(torch.tensor([[1.0, 2.0], row]), torch.tensor([0, 0]))


def test_a_class_of_probability_zero_has_a_score():
    scores, y = torch.tensor([[0.0, -math.inf], [0.0, 0.0]]), torch.tensor([0, 1])
    assert brier_score(scores, y) == pytest.approx((0 + 0.5) / 2)
    assert negative_log_likelihood(scores, y) == pytest.approx(math.log(2) / 2)
