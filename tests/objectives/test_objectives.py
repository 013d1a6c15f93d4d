import math

import pytest
import torch
import torch.nn.functional as F

from infotorch.estimators.channel import gaussian_channel_bound, pairwise_bounds
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.objectives.inputs import Reconstruction
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation, masked_cross_entropy


def batch_of(output, y, x=None, **settings):
    x = torch.zeros(len(output), 3) if x is None else x
    return LocalBatch(x, x, output, y, **settings)


@pytest.fixture
def features():
    return torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


LABELS = torch.arange(40) % 4


def _backward(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    return loss


class TestReadout:
    def test_of_a_grid_it_reads_means_over_places(self):
        grid = torch.arange(2 * 3 * 4 * 4, dtype=torch.float64).reshape(2, 3, 4, 4)
        objective = ReadoutInformation(locations=2)
        y = torch.tensor([0, 1])
        objective.build(LocalBatch(grid, grid, grid, y), y)
        assert objective.readout.in_features == 3 * 2 * 2
        blocks = torch.stack([grid[:, :, r : r + 2, c : c + 2].mean(dim=(2, 3)) for r in (0, 2) for c in (0, 2)], dim=2)
        expected = blocks.flatten(1) @ objective.readout.weight.T + objective.readout.bias
        assert torch.allclose(objective.scores(grid), expected)
        with pytest.raises(ValueError, match="locations must be at least 1"):
            ReadoutInformation(locations=0)

    def test_with_hidden_layers_it_reads_what_no_line_divides(self):
        corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
        y = torch.tensor([0, 1, 1, 0])
        batch = LocalBatch(corners, corners, corners, y)
        found = []
        for hidden in ((), (2,)):
            objective = ReadoutInformation(hidden=hidden)
            objective.build(batch, y)
            if hidden:  # xor by hand: x1 + x2 - 2 relu(x1 + x2 - 1)
                with torch.no_grad():
                    objective.readout.fc1.weight.fill_(1.0)
                    objective.readout.fc1.bias.copy_(torch.tensor([0.0, -1.0]))
                    objective.readout.fc2.weight.copy_(40 * torch.tensor([[-1.0, 2.0], [1.0, -2.0]]))
                    objective.readout.fc2.bias.copy_(torch.tensor([20.0, -20.0]))
            else:
                fit = torch.optim.LBFGS(objective.parameters(), max_iter=100)
                fit.step(lambda fit=fit, objective=objective: _backward(fit, objective(batch).total))
            found.append(objective(batch).terms["mi_ty_nats"].item())
        assert found == pytest.approx([0.0, math.log(2)], abs=1e-6)  # no line tells anything of xor
        assert objective.readout.fc1.weight.dtype is torch.float64
        for wrong, error in (((0,), ValueError), ((2.5,), TypeError)):
            with pytest.raises(error, match="ReadoutInformation: every width of hidden must be"):
                ReadoutInformation(hidden=wrong)

    def test_perfect_scores_reach_the_entropy_of_the_labels(self):
        output = 100.0 * F.one_hot(LABELS, 4).float()
        objective = ReadoutInformation()
        objective.build(batch_of(output, LABELS), LABELS)
        with torch.no_grad():
            objective.readout.weight.copy_(torch.eye(4))
            objective.readout.bias.zero_()
        loss = objective(batch_of(output, LABELS))
        assert float(loss.terms["mi_ty_nats"]) == pytest.approx(math.log(4), abs=1e-6)
        assert loss.total.item() == -loss.terms["mi_ty_nats"].item()

    def test_a_constant_read_out_of_the_prior_gives_zero(self):
        skewed = torch.tensor([0] * 30 + [1] * 10)
        objective = ReadoutInformation()
        output = torch.zeros(40, 2)
        objective.build(batch_of(output, skewed), skewed)
        with torch.no_grad():
            objective.readout.weight.zero_()
            objective.readout.bias.copy_(torch.tensor([math.log(0.75), math.log(0.25)]))
        assert objective(batch_of(output, skewed)).total.item() == pytest.approx(0.0, abs=1e-6)

    def test_unlabelled_rows_do_not_count(self):
        objective = ReadoutInformation()
        output = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
        y = torch.where(torch.arange(40) < 12, LABELS, -1)
        objective.build(batch_of(output, y), y)
        mixed = objective(batch_of(output, y)).total
        assert torch.equal(mixed, objective(batch_of(output[:12], y[:12])).total)

    @pytest.mark.parametrize("objective", [CrossEntropy(), ReadoutInformation()])
    @pytest.mark.parametrize("y", [torch.full((5,), -1), None])
    def test_a_batch_without_any_label_has_a_gradient_of_zero_and_measures_nothing(self, objective, y):
        output = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
        objective.build(batch_of(output, LABELS[:3]), LABELS[:3])
        loss = objective(batch_of(output, y))
        (gradient,) = torch.autograd.grad(loss.total, output)
        assert loss.total.item() == 0
        assert torch.count_nonzero(gradient) == 0
        assert loss.terms == {}
        assert masked_cross_entropy(output, y) is None

    def test_images_are_read_out_flattened(self):
        objective = ReadoutInformation()
        output = torch.randn(40, 2, 3, 3, generator=torch.Generator().manual_seed(0))
        objective.build(batch_of(output, LABELS), LABELS)
        assert objective.readout.in_features == 18
        assert objective.scores(output).shape == (40, 4)


class TestBottleneck:
    def build(self, features, **settings):
        objective = InformationBottleneck(**settings)
        objective.build(batch_of(features.float(), LABELS), LABELS)
        return objective

    def test_the_loss_is_minus_precision_plus_beta_times_compression(self, features):
        objective = self.build(features, beta=0.3, noise_std=0.7)
        loss = objective(batch_of(features.float(), LABELS))
        wanted = -loss.terms["mi_ty_nats"] + 0.3 * gaussian_channel_bound(features.float(), 0.7).value
        assert loss.total.item() == pytest.approx(wanted.item(), abs=1e-6)

    @pytest.mark.parametrize("penalty", ["gaussian", "pairwise", "leave_one_out"])
    def test_the_penalty_is_an_upper_bound_that_falls_with_the_noise(self, penalty, features):
        values = [
            float(
                self.build(features, beta=1.0, noise_std=s, penalty=penalty)(batch_of(features.float(), LABELS)).terms[
                    "mi_xt_nats"
                ]
            )
            for s in (0.5, 1.0, 2.0, 4.0)
        ]
        assert values == sorted(values, reverse=True)
        assert InformationBottleneck.sides["mi_xt_nats"] == "upper"
        lower = float(pairwise_bounds(features, 1.0)[0])
        assert values[1] > lower

    def test_relative_noise_ignores_the_scale_of_the_layer_and_fixed_noise_does_not(self, features):
        for noise, changes in (("relative", False), ("fixed", True)):
            objective = self.build(features, beta=1.0, noise_std=1.0, noise=noise)
            values = [
                float(objective(batch_of(scale * features.float(), LABELS)).terms["mi_xt_nats"]) for scale in (1.0, 7.0)
            ]
            assert (abs(values[0] - values[1]) > 1e-4) == changes

    def test_a_dead_layer_carries_no_information(self):
        for noise in ("fixed", "relative"):
            objective = self.build(torch.ones(40, 6), beta=1.0, noise_std=1.0, noise=noise)
            loss = objective(batch_of(torch.ones(40, 6), LABELS))
            assert float(loss.terms["mi_xt_nats"]) == pytest.approx(0.0, abs=1e-6)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    @pytest.mark.parametrize("penalty", ["gaussian", "pairwise", "leave_one_out"])
    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, penalty, value, features):
        objective = self.build(features, beta=0.0, noise_std=1.0, penalty=penalty)
        output = features.float().clone()
        output[3, 2] = value
        unlabelled = torch.where(torch.arange(40) == 3, -1, LABELS)
        assert objective(batch_of(output, unlabelled)).total.isnan()

    def test_noise_follows_the_position_of_the_step_alone(self, features):
        objective = self.build(features, beta=1.0, noise_std=1.0, penalty="leave_one_out")
        at = [
            objective(batch_of(features.float(), LABELS, streams=SeedStreams(seed), position=position)).total.item()
            for seed, position in ((0, (1, 2)), (0, (1, 2)), (0, (1, 3)), (1, (1, 2)))
        ]
        assert at[0] == at[1]
        assert len({at[0], at[2], at[3]}) == 3

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"beta": -1.0, "noise_std": 1.0}, "beta must be at least 0 and finite, got -1.0"),
            ({"beta": 1.0, "noise_std": 0.0}, "noise_std must be positive and finite, got 0.0"),
            ({"beta": 1.0, "noise_std": 1.0, "penalty": "mine"}, "penalty must be one of gaussian, pairwise"),
            ({"beta": 1.0, "noise_std": 1.0, "noise": "loud"}, "noise must be one of fixed, relative, got 'loud'"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            InformationBottleneck(**settings)


class TestReconstruction:
    def test_the_loss_is_half_the_squared_error_over_the_variance(self):
        x = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
        objective = Reconstruction(decoder_std=0.5)
        batch = batch_of(torch.zeros(10, 2), None, x)
        objective.build(batch, None)
        with torch.no_grad():
            objective.decoder.bias.zero_()
        assert objective(batch).total.item() == pytest.approx(float(x.square().sum(1).mean() / 0.5), rel=1e-6)

    def test_raw_input_and_module_input_are_two_targets(self):
        x, hidden = torch.zeros(10, 3), torch.ones(10, 4)
        for target, width in (("x", 3), ("module_input", 4)):
            objective = Reconstruction(target=target)
            objective.build(LocalBatch(x, hidden, torch.zeros(10, 2), None), None)
            assert objective.decoder.out_features == width

    def test_token_ids_cannot_be_reconstructed_with_gaussian_error(self):
        tokens = torch.zeros(4, 3, dtype=torch.int64)
        with pytest.raises(TypeError, match=r"x must be real-valued, got torch\.int64"):
            Reconstruction().build(LocalBatch(tokens, tokens, torch.zeros(4, 2), None), None)

    def test_wrong_settings_are_refused(self):
        with pytest.raises(ValueError, match="target must be one of x, module_input, got 'y'"):
            Reconstruction(target="y")
        with pytest.raises(ValueError, match="decoder_std must be positive"):
            Reconstruction(decoder_std=-1.0)


class TestLabels:
    def test_missing_real_or_absent_labels_are_refused(self):
        for objective in (CrossEntropy(), ReadoutInformation()):
            batch = batch_of(torch.zeros(4, 3), None)
            with pytest.raises(TypeError, match="needs class labels, got y=None"):
                objective.build(batch, None)
            with pytest.raises(ValueError, match=r"every row is unlabelled"):
                objective.build(batch, torch.full((4,), -1))
            with pytest.raises(ValueError, match=r"unlabelled samples are -1, got -100"):
                objective.build(batch, torch.tensor([0, 1, -100, 2]))

    def test_an_output_too_narrow_for_the_classes_is_refused(self):
        with pytest.raises(ValueError, match=r"a column for each class, 4 or more, got \(40, 3\)"):
            CrossEntropy().build(batch_of(torch.zeros(40, 3), LABELS), LABELS)


def test_inputs_of_one_number_are_one_column():
    x = torch.linspace(-1, 1, 8)
    objective = Reconstruction()
    batch = LocalBatch(x, x, x[:, None] * torch.ones(8, 3), None)
    objective.build(batch, None)
    assert objective.decoder.out_features == 1
    assert objective(batch).total.item() == pytest.approx(
        (x - objective.decoder(batch.output)[:, 0]).square().mean().item() / 2, rel=1e-6
    )
