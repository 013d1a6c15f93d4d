import math

import pytest
import torch

from infotorch.estimators.decision import hard_decision_mi, hard_decisions, soft_decision_label_mi
from infotorch.estimators.discrete import discrete_mi
from infotorch.estimators.labels import soft_decision_mi

LABELS = torch.arange(60) % 3


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def binary_entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


# One output in [0, 1] on the sets S1 .. S4 of Amjad & Geiger's Fig. 2, of probability 1/4 each; Y is 0 on S1 and S3.
SETS = torch.arange(4).repeat_interleave(100)
Y = (SETS % 2).long()
WITHIN = torch.linspace(0, 1, 100, dtype=torch.float64).repeat(4)
SPREAD = Y * 0.6 + 0.4 * WITHIN  # the classes lie apart, each spread out: f'
MIXED = SETS * 0.25 + 0.02 + 0.2 * WITHIN  # S1 and S2 below one half, S3 and S4 above: f''
TIGHT = Y * 0.9 + 0.1 * WITHIN  # the classes lie apart, each in a small cluster: f'''


def soft(output):
    return torch.stack([1 - output, output], dim=1).clamp(min=1e-12).log()


class TestHard:
    def test_the_figure_of_the_paper(self):
        for output, precision in ((SPREAD, 1.0), (MIXED, 0.0), (TIGHT, 1.0)):
            assert hard_decision_mi(output, threshold=0.5).bits == pytest.approx(1.0, abs=1e-12)
            assert hard_decision_mi(output, Y, threshold=0.5).bits == pytest.approx(precision, abs=1e-12)

    def test_it_is_the_discrete_information_of_the_classes_decided_on(self):
        scores = draw(60, 3)
        wanted = discrete_mi(scores.argmax(dim=1), LABELS)
        found = hard_decision_mi(scores, LABELS)
        assert float(found) == float(wanted)
        assert found.std_error == wanted.std_error
        assert found.estimator == "hard_decision_mi"
        assert float(found) <= float(hard_decision_mi(scores)) <= math.log(3)

    def test_other_names_of_the_classes_change_nothing_and_any_rising_function_neither(self):
        scores = draw(60, 3)
        assert float(hard_decision_mi(scores[:, [2, 0, 1]], LABELS)) == pytest.approx(
            float(hard_decision_mi(scores, LABELS))
        )
        assert float(hard_decision_mi(scores.exp(), LABELS)) == float(hard_decision_mi(scores, LABELS))

    def test_the_threshold_itself_is_below(self):
        assert hard_decisions(torch.tensor([[0.5], [0.51]]), threshold=0.5).tolist() == [0, 1]


class TestSoft:
    def test_two_by_two_by_hand(self):
        # p(1 | x) = 0.9 or 0.6 in class 0, 0.2 or 0.3 in class 1: means 0.75 and 0.25, together 0.5.
        p = torch.tensor([0.1, 0.4, 0.8, 0.7], dtype=torch.float64)
        scores, y = torch.stack([p, 1 - p], dim=1).log(), torch.tensor([0, 0, 1, 1])
        assert float(soft_decision_label_mi(scores, y)) == pytest.approx(math.log(2) - binary_entropy(0.75), abs=1e-12)
        mean_entropy = sum(binary_entropy(q) for q in p.tolist()) / 4
        assert float(soft_decision_mi(scores)) == pytest.approx(math.log(2) - mean_entropy, abs=1e-12)

    def test_precision_is_at_most_compression_and_at_least_0(self):
        for seed in range(20):
            scores = 3 * torch.randn(60, 3, generator=torch.Generator().manual_seed(seed)).double()
            precision = float(soft_decision_label_mi(scores, LABELS))
            assert -1e-12 <= precision <= float(soft_decision_mi(scores)) + 1e-12

    def test_certain_decisions_have_the_hard_rules_information(self):
        scores = 1e5 * draw(60, 3)
        assert float(soft_decision_label_mi(scores, LABELS)) == pytest.approx(
            float(hard_decision_mi(scores, LABELS)), abs=1e-4
        )

    def test_the_orderings_of_the_paper(self):
        precision = [float(soft_decision_label_mi(soft(o), Y)) for o in (SPREAD, MIXED, TIGHT)]
        compression = [float(soft_decision_mi(soft(o))) for o in (SPREAD, MIXED, TIGHT)]
        assert precision[2] > precision[0] > precision[1] + 0.1  # dense clusters, then simple decisions
        assert compression[2] > compression[0]  # the compression term would undo it

    def test_rows_in_any_order_and_classes_by_any_name(self):
        scores, order = draw(60, 3), torch.randperm(60, generator=torch.Generator().manual_seed(1))
        value = float(soft_decision_label_mi(scores, LABELS))
        assert float(soft_decision_label_mi(scores[order], LABELS[order])) == pytest.approx(value, abs=1e-12)
        assert float(soft_decision_label_mi(scores[:, [1, 2, 0]], 7 * LABELS)) == pytest.approx(value, abs=1e-12)

    def test_draws_are_averaged_as_probabilities(self):
        scores = draw(60, 5, 3)
        wanted = soft_decision_label_mi(scores.softmax(dim=2).mean(dim=1).log(), LABELS)
        assert float(soft_decision_label_mi(scores, LABELS)) == pytest.approx(float(wanted), abs=1e-12)

    def test_gradient_and_standard_error(self):
        scores = draw(60, 3).requires_grad_()
        assert torch.autograd.gradcheck(lambda s: soft_decision_label_mi(s, LABELS).value, (scores,))
        many = 2 * draw(400, 200, 3)
        labels = torch.arange(200) % 3
        values = torch.tensor([float(soft_decision_label_mi(s + 2 * torch.eye(3)[labels], labels)) for s in many])
        told = soft_decision_label_mi(many[0] + 2 * torch.eye(3)[labels], labels).std_error
        assert told == pytest.approx(values.std().item(), rel=0.25)

    def test_the_ceiling(self):
        certain = soft_decision_label_mi(100 * torch.eye(3)[LABELS], LABELS)
        assert certain.ceiling == pytest.approx(math.log(3))
        assert certain.saturated
        assert soft_decision_label_mi(torch.zeros(4, 5), torch.tensor([0, 0, 0, 1])).ceiling < math.log(2)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: hard_decisions([0.1, 0.9], threshold="half"), TypeError, "threshold must be a number, got str"),
        (lambda: hard_decisions([0.1, 0.9]), ValueError, "threshold belongs to one score a sample, got None for 1"),
        (lambda: hard_decisions(torch.zeros(2, 3), threshold=0.5), ValueError, "got 0.5 for 3 scores"),
        (lambda: hard_decisions([[math.nan, 0.0]]), ValueError, "scores .*NaN"),
        (lambda: hard_decision_mi(torch.zeros(4, 3), [0.0] * 4), TypeError, "labels must be integers"),
        (lambda: hard_decision_mi(torch.zeros(4, 3), [0] * 3), ValueError, r"labels must have shape \(4,\)"),
        (
            lambda: soft_decision_label_mi(torch.zeros(4), [0] * 4),
            ValueError,
            "soft_decision_label_mi: scores must have",
        ),
        (lambda: soft_decision_label_mi(torch.zeros(4, 2), [0] * 3), ValueError, "labels must have shape"),
        (lambda: soft_decision_label_mi(torch.zeros(4, 2), [0.5] * 4), TypeError, "labels must be integers"),
    ],
)
def test_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
