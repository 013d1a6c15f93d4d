import math

import pytest
import torch
import torch.nn.functional as F
from tests.objectives.on_digits import accuracies_on_digits, trained_on_digits

from infotorch.objectives.associated import AssociatedLearning
from infotorch.objectives.base import LocalBatch

LABELS = torch.arange(12) % 3


def batch_of(output, y):
    return LocalBatch(torch.zeros(len(output), 2), torch.zeros(len(output), 2), output, y)


def built(output, y=LABELS, **settings):
    torch.manual_seed(0)
    objective = AssociatedLearning(**settings)
    objective.build(batch_of(output, y), y)
    return objective


@pytest.fixture
def output():
    return torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def sigmoid(values):
    return [1 / (1 + math.exp(-v)) for v in values]


class TestLoss:
    def test_it_is_association_plus_decoding(self, output):
        objective = built(output, code=4)
        weights = {name: value.tolist() for name, value in objective.state_dict().items()}

        def linear(part, row):
            pairs = zip(weights[f"{part}.weight"], weights[f"{part}.bias"], strict=True)
            return [sum(w * v for w, v in zip(line, row, strict=True)) + bias for line, bias in pairs]

        def cross_entropy(scores, label):
            return math.log(sum(math.exp(s) for s in scores)) - scores[label]

        sums = {"association": 0.0, "code_cross_entropy_nats": 0.0, "cross_entropy_nats": 0.0}
        for row, label in zip(output.tolist(), LABELS.tolist(), strict=True):
            code = sigmoid(linear("encoder.0", [float(c == label) for c in range(3)]))
            bridged = sigmoid(linear("bridge.0", row))
            sums["association"] += sum((a - b) ** 2 for a, b in zip(bridged, code, strict=True)) / 4 / 12
            sums["code_cross_entropy_nats"] += cross_entropy(linear("decoder", code), label) / 12
            sums["cross_entropy_nats"] += cross_entropy(linear("decoder", bridged), label) / 12
        loss = objective(batch_of(output, LABELS))
        assert {name: value.item() for name, value in loss.terms.items()} == pytest.approx(sums, abs=1e-12)
        wanted = sums["association"] + sums["code_cross_entropy_nats"]
        assert loss.total.item() == pytest.approx(wanted, abs=1e-12)

    def test_an_output_that_is_the_code_has_no_association_error(self, output):
        objective = built(output, code=5)
        code = objective.encoder(F.one_hot(LABELS).double()).detach()
        with torch.no_grad():
            objective.get_parameter("bridge.0.weight").copy_(torch.eye(5))
            objective.get_parameter("bridge.0.bias").zero_()
        terms = objective(batch_of(code.logit(), LABELS)).terms
        assert terms["association"].item() == pytest.approx(0, abs=1e-12)
        assert terms["cross_entropy_nats"].item() == pytest.approx(terms["code_cross_entropy_nats"].item(), abs=1e-12)

    @pytest.mark.parametrize("detach", [True, False])
    def test_the_gradient_is_that_of_finite_differences(self, detach, output):
        objective = built(output, code=4, hidden=(6,), detach_code=detach)
        output.requires_grad_()
        assert torch.autograd.gradcheck(lambda rows: objective(batch_of(rows, LABELS)).total, output)

    def test_scores_are_decoded_from_the_bridge(self, output):
        objective = built(output)
        loss = objective(batch_of(output, LABELS))
        assert F.cross_entropy(objective.scores(output), LABELS).item() == loss.terms["cross_entropy_nats"].item()

    def test_grids_are_flattened(self):
        grid = torch.randn(12, 2, 3, 4, generator=torch.Generator().manual_seed(0))
        objective = built(grid, code=7, hidden=(9,))
        shapes = [tuple(p.shape) for p in objective.parameters() if p.ndim == 2]
        assert shapes == [(9, 24), (7, 9), (7, 3), (3, 7)]
        assert torch.equal(objective.scores(grid), objective.scores(grid.flatten(1)))


class TestGradient:
    def gradients(self, output, part, **settings):
        """The gradient of the encoder of the label from the association alone, or from the decoding alone."""
        objective = built(output, **settings)
        weight = objective.get_parameter("encoder.0.weight")
        before = torch.autograd.grad(objective(batch_of(output, LABELS)).total, weight)[0]
        with torch.no_grad():
            objective.decoder.weight.zero_()
        alone = torch.autograd.grad(objective(batch_of(output, LABELS)).total, weight)[0]
        return {"both": before, "association": alone}[part]

    def test_the_association_does_not_move_the_code_unless_asked(self, output):
        assert torch.count_nonzero(self.gradients(output, "association")) == 0
        assert torch.count_nonzero(self.gradients(output, "association", detach_code=False)) > 0
        assert torch.count_nonzero(self.gradients(output, "both")) > 0

    def test_the_decoding_does_not_move_the_module(self, output):
        output.requires_grad_()
        objective = built(output)
        with torch.no_grad():  # a bridge that cannot read the module
            objective.get_parameter("bridge.0.weight").zero_()
        (gradient,) = torch.autograd.grad(objective(batch_of(output, LABELS)).total, output)
        assert torch.count_nonzero(gradient) == 0

    def test_all_parts_are_trained_with_the_module(self, output):
        objective = built(output)
        objective(batch_of(output, LABELS)).total.backward()
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in objective.parameters())


class TestRowsThatCount:
    def test_unlabelled_rows_do_not_count(self, output):
        objective, y = built(output), torch.where(torch.arange(12) < 7, LABELS, -1)
        mixed, alone = objective(batch_of(output, y)), objective(batch_of(output[:7], y[:7]))
        torch.testing.assert_close(mixed.total, alone.total)

    @pytest.mark.parametrize("y", [None, torch.full((12,), -1)])
    def test_a_batch_without_labels_teaches_nothing(self, y, output):
        output.requires_grad_()
        loss = built(output)(batch_of(output, y))
        (gradient,) = torch.autograd.grad(loss.total, output)
        assert (loss.total.item(), torch.count_nonzero(gradient).item(), loss.terms) == (0, 0, {})

    def test_a_diverged_output_has_a_loss_that_is_not_finite(self, output):
        objective = built(output)
        output[3, 2] = math.nan
        assert objective(batch_of(output, LABELS)).total.isnan()

    def test_autocast_leaves_the_loss_in_float32(self):
        output = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
        objective = built(output)
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective(batch_of(output, LABELS))
        assert {loss.total.dtype, *(term.dtype for term in loss.terms.values())} == {torch.float32}


class TestLearning:
    def test_it_teaches_a_module_to_tell_digits(self):
        """0.94 to 0.95 against 0.57 to 0.63 for random features; one run's standard error is below 0.03."""
        assert min(accuracies_on_digits("Y:associated", norm=True)) > 0.9
        assert max(accuracies_on_digits("frozen", norm=True)) < 0.7

    @pytest.mark.parametrize("detach", [True, False])
    def test_codes_do_not_collapse(self, detach):
        """The decoder keeps the codes of classes apart, whether or not the association can move them."""
        plan, right = trained_on_digits("Y:associated", seed=0, norm=True, detach_code=detach)
        objective = plan[0].objective
        assert isinstance(objective, AssociatedLearning)
        codes = objective.encoder(torch.eye(10)).detach()
        assert torch.pdist(codes).min() > 0.5
        assert right > 0.85


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"code": 0}, ValueError, "code must be at least 1, got 0"),
        ({"hidden": (4, 0)}, ValueError, "every width of hidden must be at least 1, got 0"),
        ({"hidden": 5}, TypeError, "hidden must be a sequence of widths"),
        ({"hidden": (2.5,)}, TypeError, "every width of hidden must be an integer, got 2.5"),
        ({"detach_code": torch.ones(2)}, TypeError, "detach_code must be True or False, got Tensor"),
    ],
)
def test_wrong_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=f"AssociatedLearning: {message}"):
        AssociatedLearning(**settings)


def test_missing_labels_are_refused(output):
    with pytest.raises(TypeError, match="AssociatedLearning: this objective needs class labels, got y=None"):
        AssociatedLearning().build(batch_of(output, None), None)
