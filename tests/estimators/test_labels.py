import math
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.reference import counts
from tests.reference import labels as slow

from infotorch.estimators.discrete import discrete_mi
from infotorch.estimators.labels import readout_mi, soft_decision_mi, supervised_contrastive


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def scores_and_labels(n=60, classes=4, *samples, seed=0):
    generator = seeded(seed)
    scores = 3 * torch.randn(n, *samples, classes, generator=generator, dtype=torch.float64)
    return scores, torch.randint(classes, (n,), generator=generator)


def binary_entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def flipped(y, p, generator):
    return y ^ (torch.rand(len(y), generator=generator) < p).long()


def test_readout_equals_the_slow_twin():
    scores, labels = scores_and_labels()
    expected = slow.readout(scores[:, None].tolist(), labels.tolist())
    assert float(readout_mi(scores, labels)) == pytest.approx(expected, abs=1e-12)
    drawn, labels = scores_and_labels(60, 4, 5)
    expected = slow.readout(drawn.tolist(), labels.tolist())
    assert float(readout_mi(drawn, labels)) == pytest.approx(expected, abs=1e-12)


def test_readout_with_the_true_posterior_finds_the_information():
    """Y a fair bit, T = Y flipped with probability 0.1: I = log 2 - h(0.1)."""
    y = torch.randint(2, (5000,), generator=seeded(1))
    t = flipped(y, 0.1, seeded(2))
    log_posterior = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64).log()[t]
    estimate = readout_mi(log_posterior, y)
    assert float(estimate) == pytest.approx(math.log(2) - binary_entropy(0.1), abs=4 * estimate.std_error)
    assert (estimate.side, estimate.n) == ("lower", 5000)
    worse = readout_mi(2 * log_posterior, y)  # overconfident
    assert float(worse) < float(estimate)
    assert float(readout_mi(20 * log_posterior, y)) < 0  # not clamped


def test_readout_interval_covers_the_truth():
    log_posterior = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)  # p(t | y), then p(y | t)
    joint = log_posterior * torch.tensor([[0.3], [0.7]], dtype=torch.float64)
    truth = float((joint * (joint / joint.sum(0) / joint.sum(1, keepdim=True)).log()).sum())
    posterior = (joint / joint.sum(0)).T.log()
    covered = {None: 0, (0.3, 0.7): 0}
    for seed in range(200):
        generator = seeded(seed)
        y = (torch.rand(400, generator=generator) < 0.7).long()
        t = (torch.rand(400, generator=generator, dtype=torch.float64) >= log_posterior[y, 0]).long()
        for prior in covered:
            estimate = readout_mi(posterior[t], y, class_prior=prior)
            covered[prior] += abs(float(estimate) - truth) < 1.96 * estimate.std_error
    assert min(covered.values()) >= 0.91 * 200  # 0.95 +- 0.015
    assert max(covered.values()) <= 0.99 * 200


def test_readout_never_exceeds_the_entropy_of_the_labels():
    labels = torch.tensor([0, 0, 1, 2])
    sure = readout_mi(100.0 * F.one_hot(labels), labels)
    entropy = counts.entropy(labels.tolist())
    assert float(sure) == pytest.approx(entropy, abs=1e-6) == sure.ceiling
    assert sure.saturated
    assert float(readout_mi(torch.zeros(4, 3), labels)) == pytest.approx(entropy - math.log(3), abs=1e-6)
    prior = readout_mi(torch.zeros(4, 3, dtype=torch.float64), labels, class_prior=[0.25, 0.75, 0.0])
    assert prior.ceiling == pytest.approx(binary_entropy(0.25), abs=1e-12)
    assert float(prior) == pytest.approx(binary_entropy(0.25) - math.log(3), abs=1e-12)
    one_class = readout_mi(torch.zeros(4, 1), torch.zeros(4, dtype=torch.long))
    assert float(one_class) == one_class.std_error == 0


def test_averaging_probabilities_is_tighter_than_averaging_bounds():
    scores, labels = scores_and_labels(80, 3, 6)
    together = float(readout_mi(scores, labels))
    apart = np.mean([float(readout_mi(scores[:, s], labels)) for s in range(6)])
    assert together > apart + 0.1
    repeated = scores[:, :1].expand(-1, 6, -1)
    assert float(readout_mi(repeated, labels)) == pytest.approx(float(readout_mi(scores[:, 0], labels)), abs=1e-12)


def test_soft_decision_equals_the_slow_twin():
    for samples in ((), (5,)):
        scores, _ = scores_and_labels(50, 4, *samples)
        nested = (scores if samples else scores[:, None]).tolist()
        estimate = soft_decision_mi(scores)
        assert float(estimate) == pytest.approx(slow.soft_decision(nested), abs=1e-12)
        assert estimate.side == ("none" if samples else "lower")
        assert estimate.ceiling == math.log(4)
    assert soft_decision_mi(scores[:3]).ceiling == math.log(3)


def test_a_sure_decision_has_the_information_of_its_class():
    scores, _ = scores_and_labels(200, 5)
    sharp = 1e6 * scores
    chosen = scores.argmax(dim=1)
    expected = float(discrete_mi(torch.arange(200), chosen))
    estimate = soft_decision_mi(sharp)
    assert float(estimate) == pytest.approx(expected, abs=1e-9)
    assert float(soft_decision_mi(scores)) < expected
    constant = soft_decision_mi(scores[:1].expand(50, -1))
    assert float(constant) == pytest.approx(0, abs=1e-12)
    assert constant.std_error == pytest.approx(0, abs=1e-12)


def test_soft_decision_of_a_noisy_bit_is_the_channels_information():
    """X a fair bit, Yhat = X flipped with probability 0.2."""
    scores = torch.tensor([[0.8, 0.2], [0.2, 0.8]], dtype=torch.float64).log().repeat(10, 1)
    assert float(soft_decision_mi(scores)) == pytest.approx(math.log(2) - binary_entropy(0.2), abs=1e-12)


def test_soft_decision_standard_error_is_the_spread_and_the_bias_is_low():
    generator, table = seeded(3), 2 * torch.randn(2000, 3, generator=seeded(4), dtype=torch.float64)
    truth = float(soft_decision_mi(table))
    draws = [soft_decision_mi(table[torch.randint(2000, (100,), generator=generator)]) for _ in range(300)]
    values = torch.tensor([float(e) for e in draws])
    assert np.mean([e.std_error for e in draws]) == pytest.approx(float(values.std()), rel=0.15)  # s.e. 4 %
    assert truth - 0.01 - 3 * float(values.std()) / 300**0.5 < float(values.mean()) < truth


def test_supervised_contrastive_is_a_constant_minus_the_loss_of_the_paper():
    scores, labels = scores_and_labels(30, 30)[0], scores_and_labels(30, 4, seed=1)[1]
    loss = slow.supervised_contrastive_loss(scores.tolist(), labels.tolist())
    size = Counter(labels.tolist())
    constant = counts.entropy(labels.tolist()) + sum(math.log(size[y] - 1) for y in labels.tolist()) / 30
    assert supervised_contrastive(scores, labels).item() == pytest.approx(constant - loss, abs=1e-12)
    usual = math.log(29) - loss
    assert usual - supervised_contrastive(scores, labels).item() == pytest.approx(3 / 30, abs=0.02)


def test_supervised_contrastive_between_its_ends():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    same = (labels[:, None] == labels).double()
    entropy = counts.entropy(labels.tolist())
    assert supervised_contrastive(1000 * same, labels).item() == pytest.approx(entropy, abs=1e-12)
    size = [3, 3, 3, 2, 2, 4, 4, 4, 4]
    blind = entropy + sum(math.log((m - 1) / 8) for m in size) / 9
    assert supervised_contrastive(torch.zeros(9, 9, dtype=torch.float64), labels).item() == pytest.approx(blind)
    assert blind < 0
    for seed in range(20):
        scores = 5 * torch.randn(9, 9, generator=seeded(seed), dtype=torch.float64)
        assert supervised_contrastive(scores, labels).item() <= entropy
    one_class = supervised_contrastive(torch.full((9, 9), 7.0), torch.zeros(9, dtype=torch.long))
    assert one_class.item() == pytest.approx(0, abs=1e-6)


def test_supervised_contrastive_with_the_best_scores_tells_of_a_pair_of_one_class():
    """Y a fair bit, T = Y flipped with probability p: T and T' of one class differ with probability 2 p (1 - p)."""
    p, n, values = 0.1, 400, []
    differ = 2 * p * (1 - p)
    log_ratio = torch.tensor([[1 - differ, differ], [differ, 1 - differ]], dtype=torch.float64).mul(2).log()
    for seed in range(40):
        generator = seeded(seed)
        y = torch.randint(2, (n,), generator=generator)
        t = flipped(y, p, generator)
        values.append(supervised_contrastive(log_ratio[t][:, t], y).item())
    mean, error = np.mean(values), np.std(values) / 40**0.5
    assert mean == pytest.approx(math.log(2) - binary_entropy(differ), abs=4 * error + 1 / n)
    assert mean < math.log(2) - binary_entropy(p)  # I(Y; T)


def test_rows_alone_in_their_class_are_only_wrong_answers():
    labels = torch.tensor([0, 0, 1, 1, 2])
    scores = torch.randn(5, 5, generator=seeded(5), dtype=torch.float64)
    changed = scores.clone()
    changed[4] = 100.0  # what the lone row scores does not matter, only what the others score it
    value = supervised_contrastive(scores, labels).item()
    assert supervised_contrastive(changed, labels).item() == value
    loss = slow.supervised_contrastive_loss(scores.tolist(), labels.tolist())
    assert value == pytest.approx(math.log(2) - loss, abs=1e-12)


def test_gradients():
    scores, labels = scores_and_labels(8, 3)
    leaf = scores.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: readout_mi(s, labels).value, (leaf,))
    assert torch.autograd.gradcheck(lambda s: soft_decision_mi(s).value, (leaf,))
    drawn = scores_and_labels(8, 3, 2)[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda s: readout_mi(s, labels).value, (drawn,))
    square = scores_and_labels(8, 8)[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda s: supervised_contrastive(s, labels), (square,))
    supervised_contrastive(square, labels).backward()
    assert square.grad is not None
    assert torch.equal(square.grad.diagonal(), torch.zeros(8, dtype=torch.float64))


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_huge_scores_stay_exact(size):
    labels = torch.tensor([0, 0, 1, 1])
    wrong = size * F.one_hot(1 - labels).float()
    assert float(readout_mi(wrong, labels)) == pytest.approx(math.log(2) - size, rel=1e-6)
    assert float(soft_decision_mi(wrong)) == pytest.approx(math.log(2), abs=1e-6)
    same = size * (labels[:, None] == labels).float()
    assert supervised_contrastive(same, labels).item() == pytest.approx(math.log(2), abs=1e-6)
    assert supervised_contrastive(-same, labels).item() == pytest.approx(math.log(2) - math.log(2) - size, rel=1e-6)


def test_types_and_state():
    scores, labels = scores_and_labels(20, 20)
    before, state = scores.clone(), torch.get_rng_state()
    labels = labels % 4
    for function in (readout_mi, lambda s, _: soft_decision_mi(s)):
        expected = float(function(scores, labels))
        assert float(function(scores.numpy(), labels.numpy().astype(np.uint8))) == expected
        assert function(scores.half(), labels).value.dtype == torch.float32
        assert function(scores.round().int(), labels).value.dtype == torch.float64
        assert float(function(scores.t().contiguous().t(), labels.int())) == expected
    assert supervised_contrastive(scores.half(), labels).dtype == torch.float32
    assert supervised_contrastive(scores.numpy(), labels.to(torch.uint8)).dtype == torch.float64
    assert float(readout_mi(scores[:, :2], labels > 1)) == float(readout_mi(scores[:, :2], (labels > 1).long()))
    assert math.isnan(readout_mi(scores[:1], labels[:1]).std_error)
    assert torch.equal(scores, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_is_refused():
    scores, labels = scores_and_labels(10, 4)
    for function in (readout_mi, lambda s, _: soft_decision_mi(s)):
        name = "readout_mi" if function is readout_mi else "soft_decision_mi"
        with pytest.raises(ValueError, match=rf"{name}: scores must have shape \(n, classes\) or .*, got \(10,\)"):
            function(scores[:, 0], labels)
        with pytest.raises(ValueError, match=f"{name}: scores must be finite, got 40 NaN"):
            function(scores * math.nan, labels)
        with pytest.raises(ValueError, match=f"{name}: scores is empty"):
            function(scores[:0], labels[:0])
        with pytest.raises(TypeError, match=f"{name}: scores must hold real numbers"):
            function(scores + 1j, labels)
    for function, square in ((readout_mi, scores), (supervised_contrastive, torch.zeros(10, 10))):
        name = function.__name__
        with pytest.raises(ValueError, match=rf"{name}: labels must have shape \(10,\), .*, got \(9,\)"):
            function(square, labels[1:])
        with pytest.raises(TypeError, match=rf"{name}: labels must be integers or booleans, got torch\.float32"):
            function(square, labels.float())
    with pytest.raises(ValueError, match="readout_mi: labels must lie between 0 and 3, got -1 to"):
        readout_mi(scores, labels - labels.min() - 1)
    with pytest.raises(ValueError, match="readout_mi: labels must lie between 0 and 2, got"):
        readout_mi(scores[:, :3], torch.full((10,), 3))
    for prior in ([0.5, 0.5], [0.5, 0.6, -0.1, 0.0], [0.5, 0.2, 0.2, 0.2], [math.nan, 1.0, 0.0, 0.0]):
        with pytest.raises(ValueError, match="readout_mi: class_prior must be 4 probabilities that sum to 1"):
            readout_mi(scores, labels, class_prior=prior)
    with pytest.raises(ValueError, match="supervised_contrastive: scores must be square with at least 2 rows"):
        supervised_contrastive(scores, labels)
    with pytest.raises(ValueError, match="supervised_contrastive: labels must have a class with two samples or more"):
        supervised_contrastive(torch.zeros(4, 4), torch.arange(4))
