import math

import numpy as np
import pytest
import torch
from scipy.special import digamma
from tests.reference import neighbours as slow

from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.discrete import discrete_mi


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def classes(n, columns, num_classes=3, shift=1.0, seed=0):
    labels = torch.randint(num_classes, (n,), generator=seeded(seed))
    x = torch.randn(n, columns, generator=seeded(seed + 1), dtype=torch.float64)
    return x + shift * labels[:, None], labels


def information_of_two_gaussians(shift):
    """I(X; C) for N(0, 1) against N(shift, 1), equally likely: h(mixture) - h(normal), by the trapezoid rule."""
    t = np.linspace(-12, 12 + shift, 200_001)
    density = (np.exp(-0.5 * t**2) + np.exp(-0.5 * (t - shift) ** 2)) / (2 * math.sqrt(2 * math.pi))
    mixture = -np.trapezoid(density * np.log(density + 1e-300), t)
    return mixture - 0.5 * math.log(2 * math.pi * math.e)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("columns", [1, 2, 12, 40])
def test_equals_the_slow_twin(columns, metric):
    x, labels = classes(50, columns)
    for k in (1, 3, 30):  # 30 is more than a class has
        expected = slow.ross(x.numpy(), labels.numpy(), k, metric)
        assert float(ross(x, labels, k=k, metric=metric)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("columns", [1, 3, 40])
def test_ties_are_counted_as_the_slow_twin_counts_them(columns, metric):
    x = torch.randint(0, 2, (60, columns), generator=seeded(0)).double()
    x[:25] = x[0]
    labels = torch.randint(3, (60,), generator=seeded(2))
    expected = slow.ross(x.numpy(), labels.numpy(), 3, metric)
    assert float(ross(x, labels, metric=metric)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_finds_the_information_of_two_gaussians(shift):
    x, labels = classes(3000, 1, num_classes=2, shift=shift)
    # Spread over seeds at n = 3000: 0.012.
    assert float(ross(x, labels)) == pytest.approx(information_of_two_gaussians(shift), abs=0.04)


def test_separate_classes_have_the_entropy_of_the_labels():
    x, labels = classes(1000, 784, num_classes=10, shift=100.0)
    estimate = ross(x, labels)
    assert float(estimate) == pytest.approx(estimate.ceiling, abs=1e-9)
    # PAPERS section 5: 2.303 for a truth of 2.298.
    assert float(estimate) == pytest.approx(math.log(10), abs=0.02)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("columns", [1, 10, 784])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_dead_network_has_no_information(columns, metric, value):
    labels = torch.randint(10, (300,), generator=seeded(0))
    estimate = ross(torch.full((300, columns), value), labels, metric=metric)
    assert float(estimate) == 0.0


@pytest.mark.parametrize("columns", [1, 40])
def test_symbols_in_many_copies_count_like_symbols(columns):
    labels = torch.randint(3, (2000,), generator=seeded(0))
    code = (labels + torch.randint(2, (2000,), generator=seeded(1))) % 3
    table = torch.randn(3, columns, generator=seeded(2))
    # psi(c) against log c: 1 / (2c) for counts of about 300.
    assert float(ross(table[code], labels)) == pytest.approx(float(discrete_mi(code, labels)), abs=0.01)


def test_equals_scikit_learn_in_one_dimension():
    feature_selection = pytest.importorskip("sklearn.feature_selection")
    x, labels = classes(500, 1)
    x = x / x.std(unbiased=False)
    theirs = feature_selection.mutual_info_classif(x.numpy(), labels.numpy(), n_neighbors=3, random_state=0)[0]
    assert float(ross(x, labels)) == pytest.approx(theirs, abs=1e-9)


def test_blind_to_order_names_of_labels_and_rotation():
    x, labels = classes(300, 30)
    value = float(ross(x, labels))
    order = torch.randperm(300, generator=seeded(3))
    rotation, _ = torch.linalg.qr(torch.randn(30, 30, generator=seeded(4), dtype=torch.float64))
    assert float(ross(x[order], labels[order])) == pytest.approx(value, abs=1e-9)
    assert float(ross(x, -7 * labels)) == pytest.approx(value, abs=1e-9)
    assert float(ross(x @ rotation + 5, labels)) == pytest.approx(value, abs=1e-9)


def test_several_columns_of_labels_are_one_symbol():
    x, labels = classes(200, 2, num_classes=4)
    assert float(ross(x, torch.stack([labels // 2, labels % 2], dim=1))) == float(ross(x, labels))


def test_singletons_are_dropped():
    x, labels = classes(100, 2)
    with_singletons = labels.clone()
    with_singletons[[3, 50]] = torch.tensor([77, 88])
    keep = with_singletons < 70
    estimate = ross(x, with_singletons)
    assert estimate.n == 98
    assert float(estimate) == pytest.approx(float(ross(x[keep], labels[keep])), abs=1e-12)


def test_one_class_has_no_information():
    x, _ = classes(100, 2)
    assert float(ross(x, torch.zeros(100, dtype=torch.long))) == 0.0


def test_ceiling():
    x, _ = classes(100, 1)
    labels = torch.arange(100) % 2
    assert ross(x, labels).ceiling == pytest.approx(digamma(100) - digamma(50))


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_interval_covers_the_truth(shift):
    truth = information_of_two_gaussians(shift)
    estimates = [ross(*classes(200, 1, num_classes=2, shift=shift, seed=1000 + 2 * s)) for s in range(100)]
    covered = [abs(float(e) - truth) < 1.96 * e.std_error for e in estimates]
    assert 0.83 <= np.mean(covered) <= 0.99  # 0.95 +- 0.02 for a perfect interval


@pytest.mark.usefixtures("either_way")
def test_many_rows_go_block_by_block(monkeypatch):
    x, labels = classes(200, 30)
    whole = float(ross(x, labels))
    monkeypatch.setattr("infotorch.numerics.blocks._CPU_ENTRIES", 1500)
    assert float(ross(x, labels)) == pytest.approx(whole, abs=1e-9)


def test_caller_and_global_state_are_untouched():
    x, labels = classes(200, 30)
    before, state = (x.clone(), labels.clone()), torch.get_rng_state()
    assert ross(x, labels).std_error > 0
    assert torch.equal(x, before[0])
    assert torch.equal(labels, before[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_class_too_rare_for_groups_still_has_a_standard_error():
    x, labels = classes(200, 2, num_classes=2)
    labels[:2] = 5
    assert ross(x, labels).std_error > 0


def test_wrong_input_is_refused():
    x, labels = classes(10, 2)
    with pytest.raises(
        TypeError, match=r"ross: labels must be integers or booleans, got torch.float32: convert class numbers"
    ):
        ross(x, labels.float())
    with pytest.raises(ValueError, match="ross: labels must repeat, got a different one in every sample"):
        ross(x, torch.arange(10))
    with pytest.raises(ValueError, match="ross: x and y must be paired row by row, got 10 and 9 rows"):
        ross(x, labels[1:])
    with pytest.raises(ValueError, match="ross: needs more samples than neighbours"):
        ross(x, labels, k=10)
    with pytest.raises(ValueError, match="ross: metric must be one of"):
        ross(x, labels, metric="l1")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="ross: x must be finite"):
        ross(x / 0, labels)


@pytest.mark.parametrize("power", [-1000, 511, 1020])
def test_units_whose_squares_overflow_or_vanish_change_nothing(power):
    x = torch.randn(90, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(90) % 3
    x[:, 0] += labels
    assert float(ross(x * 2.0**power, labels)) == float(ross(x, labels))
