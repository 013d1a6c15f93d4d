import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.networks.convolutional import convnet
from infotorch.networks.layers import LengthNorm, hidden_layer, initialise
from infotorch.networks.perceptron import mlp


def rows(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


class TestLengthNorm:
    def test_a_row_of_three_and_four_has_the_hypotenuse_five(self):
        # rms = 5 / sqrt(2), so 3 and 4 become 0.6 sqrt(2) and 0.8 sqrt(2)
        found = LengthNorm()(torch.tensor([[3.0, 4.0]], dtype=torch.float64))
        wanted = torch.tensor([[0.6, 0.8]], dtype=torch.float64) * math.sqrt(2)
        torch.testing.assert_close(found, wanted, atol=1e-14, rtol=0)

    @pytest.mark.parametrize("shape", [(7, 5), (7, 3, 4, 2)])
    def test_the_length_of_a_row_is_gone_and_its_direction_stays(self, shape):
        x = rows(*shape)
        loudness = torch.logspace(-2, 3, 7, dtype=torch.float64).reshape(-1, *[1] * (len(shape) - 1))
        found = LengthNorm()(x)
        torch.testing.assert_close(LengthNorm()(loudness * x), found, atol=1e-9, rtol=0)  # eps of rms_norm at 0.01
        assert torch.allclose(found.flatten(1).square().mean(dim=1), torch.ones(7, dtype=torch.float64))
        assert torch.allclose(F.cosine_similarity(found.flatten(1), x.flatten(1)), torch.ones(7, dtype=torch.float64))

    def test_a_row_of_zeros_stays_one_and_has_a_finite_gradient(self):
        x = torch.zeros(2, 3, requires_grad=True)
        found = LengthNorm()(x)
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert torch.equal(found, torch.zeros(2, 3))
        assert torch.isfinite(gradient).all()

    def test_the_gradient_is_right_and_does_not_point_along_the_row(self):
        x = rows(4, 3).requires_grad_()
        assert torch.autograd.gradcheck(LengthNorm(), x)
        (gradient,) = torch.autograd.grad(LengthNorm()(x)[:, 0].sum(), x)
        assert (gradient * x).sum(dim=1).abs().max() < 1e-12  # the output does not change with the length


class TestHiddenLayer:
    @pytest.mark.parametrize(
        ("norm", "dropout", "names"),
        [
            ("none", 0.0, ["fc1", "fc1_relu"]),
            ("none", 0.5, ["fc1", "fc1_relu", "fc1_drop"]),
            ("batch", 0.0, ["fc1", "fc1_norm", "fc1_relu"]),
            ("length", 0.2, ["fc1_length", "fc1", "fc1_relu", "fc1_drop"]),
        ],
    )
    def test_names_and_order(self, norm, dropout, names):
        assert list(hidden_layer("fc1", nn.Linear(2, 3), norm=norm, dropout=dropout)) == names

    def test_the_layer_is_the_one_that_was_given(self):
        layer = nn.Linear(2, 3)
        assert hidden_layer("fc", layer, norm="batch", dropout=0.0)["fc"] is layer

    def test_batch_norm_stands_between_layer_and_relu(self):
        layer, x = nn.Linear(5, 3).double(), rows(20, 5)
        made = nn.Sequential(*hidden_layer("fc", layer, norm="batch", dropout=0.0).values()).double()
        before = layer(x)
        centred = before - before.mean(dim=0)
        wanted = (centred / (centred.square().mean(dim=0) + 1e-5).sqrt()).clamp_min(0)
        torch.testing.assert_close(made(x), wanted, atol=1e-12, rtol=0)

    def test_batch_norm_of_a_convolution_counts_by_channel(self):
        layer, x = nn.Conv2d(2, 3, 3).double(), rows(5, 2, 6, 6)
        made = nn.Sequential(*hidden_layer("conv", layer, norm="batch", dropout=0.0).values()).double()
        before = layer(x)
        centred = before - before.mean(dim=(0, 2, 3), keepdim=True)
        wanted = (centred / (centred.square().mean(dim=(0, 2, 3), keepdim=True) + 1e-5).sqrt()).clamp_min(0)
        torch.testing.assert_close(made(x), wanted, atol=1e-12, rtol=0)

    def test_length_norm_divides_the_input_and_not_the_output(self):
        layer, x = nn.Linear(5, 3).double(), rows(4, 5)
        made = nn.Sequential(*hidden_layer("fc", layer, norm="length", dropout=0.0).values())
        wanted = layer(x / x.square().mean(dim=1, keepdim=True).sqrt()).clamp_min(0)
        torch.testing.assert_close(made(x), wanted, atol=1e-12, rtol=0)

    def test_dropout_keeps_the_mean_and_drops_whole_channels_of_a_convolution(self):
        x = torch.ones(400, 6, 2, 2)
        drop = hidden_layer("c", nn.Conv2d(6, 6, 1), norm="none", dropout=0.25)["c_drop"]
        with torch.random.fork_rng():
            torch.manual_seed(0)
            dropped = drop(x)
        channels = dropped.flatten(2)
        assert torch.equal(channels.amin(dim=2), channels.amax(dim=2))
        # 2400 channels: the standard error of the share is 0.0088
        assert float((channels[:, :, 0] == 0).double().mean()) == pytest.approx(0.25, abs=0.03)
        assert channels.max().item() == pytest.approx(1 / 0.75)
        drop.eval()
        assert torch.equal(drop(x), x)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"norm": "layer", "dropout": 0.0}, "hidden_layer: norm must be one of none, batch, length, got 'layer'"),
            ({"norm": "none", "dropout": 1.0}, "hidden_layer: dropout must be at least 0 and below 1, got 1.0"),
            ({"norm": "none", "dropout": -0.1}, "dropout must be at least 0 and below 1, got -0.1"),
            ({"norm": "none", "dropout": math.nan}, "dropout must be at least 0 and below 1, got nan"),
            ({"norm": "none", "dropout": 0.0, "activation": "gelu"}, "activation must be one of relu, sigmoid, tanh"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            hidden_layer("fc", nn.Linear(2, 2), **settings)


class TestPerceptron:
    @pytest.mark.parametrize(
        ("norm", "names"),
        [
            ("none", "flatten fc1 fc1_relu fc1_drop fc2 fc2_relu fc2_drop fc3 head"),
            ("batch", "flatten fc1 fc1_norm fc1_relu fc1_drop fc2 fc2_norm fc2_relu fc2_drop fc3 head"),
            ("length", "flatten fc1_length fc1 fc1_relu fc1_drop fc2_length fc2 fc2_relu fc2_drop fc3 head"),
        ],
    )
    def test_norm_and_dropout_stand_in_hidden_layers_alone(self, norm, names):
        network = mlp(6, (5, 4), 3, head=True, norm=norm, dropout=0.1)
        assert [name for name, _ in network.named_children()] == names.split()

    @pytest.mark.parametrize("norm", ["none", "batch", "length"])
    def test_it_is_the_composition_of_its_layers_written_by_hand(self, norm):
        torch.manual_seed(0)
        network, x = mlp(6, (5, 4), 3, norm=norm).double().eval(), rows(8, 2, 3)
        hidden = x.flatten(1)
        for number in (1, 2):
            if norm == "length":
                # A row in which every unit is silent has no length, and stays 0.
                hidden = hidden / hidden.square().mean(dim=1, keepdim=True).clamp_min(1e-30).sqrt()
            hidden = hidden @ network.get_submodule(f"fc{number}").weight.T + network.get_submodule(f"fc{number}").bias
            if norm == "batch":  # as it starts: mean 0, variance 1
                hidden = hidden / math.sqrt(1 + 1e-5)
            hidden = hidden.clamp_min(0)
        torch.testing.assert_close(network(x), network.fc3(hidden), atol=1e-12, rtol=1e-12)

    def test_a_norm_draws_no_initial_weights_of_other_values(self):
        """Norms and dropout have no random start: rows of a table that differ in them start from the same layers."""
        weights = []
        for settings in ({}, {"norm": "batch"}, {"norm": "length", "dropout": 0.5}):
            with torch.random.fork_rng():
                torch.manual_seed(0)
                weights.append(mlp(6, (5, 4), 3, **settings).fc3.weight)
        assert torch.equal(weights[0], weights[1])
        assert torch.equal(weights[0], weights[2])

    def test_wrong_settings_are_refused_by_the_perceptron_too(self):
        with pytest.raises(ValueError, match="norm must be one of none, batch, length"):
            mlp(4, (3,), 2, norm="group")
        with pytest.raises(ValueError, match="dropout must be at least 0 and below 1, got 2"):
            mlp(4, (3,), 2, dropout=2)


class TestSigmoids:
    def test_they_stand_where_relu_stood_and_one_behind_the_output(self):
        torch.manual_seed(0)
        network, x = mlp(6, (5, 4), 3, activation="sigmoid", squash=True).double(), rows(8, 2, 3)
        assert [n for n, _ in network.named_children()] == "flatten fc1 fc1_sigmoid fc2 fc2_sigmoid fc3 squash".split()
        hidden = x.flatten(1)
        for number in (1, 2, 3):
            layer = network.get_submodule(f"fc{number}")
            hidden = 1 / (1 + (-(hidden @ layer.weight.T + layer.bias)).exp())
        torch.testing.assert_close(network(x), hidden, atol=1e-12, rtol=1e-12)

    def test_a_convolutional_network_has_them_too(self):
        network = convnet((1, 8, 8), (2,), (4,), 3, activation="sigmoid", squash=True)
        names = "conv1 conv1_sigmoid pool1 flatten fc1 fc1_sigmoid fc2 squash"
        assert [name for name, _ in network.named_children()] == names.split()


class TestStarts:
    @staticmethod
    def started(start):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = nn.Sequential(
                nn.Conv2d(20, 30, 3), nn.BatchNorm2d(30), nn.Linear(400, 600), nn.Linear(9, 9, False)
            )
            initialise(network, start)
        return network

    def test_the_default_keeps_what_was_drawn(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            drawn = nn.Conv2d(20, 30, 3).weight
        assert torch.equal(self.started("default")[0].weight, drawn)

    @pytest.mark.parametrize(
        ("start", "variances", "of_biases"),
        # Glorot & Bengio 2010: 2 / (inputs + outputs), a convolution's counted with its 9 places
        [("xavier", (2 / (9 * (20 + 30)), 2 / (400 + 600)), 0.0), ("normal", (1.0, 1.0), 1.0)],
    )
    def test_weights_have_the_variance_that_is_written_down(self, start, variances, of_biases):
        convolution, norm, linear, unbiased = self.started(start)
        for layer, variance in zip((convolution, linear), variances, strict=True):
            found, count = layer.weight.square().mean().item(), layer.weight.numel()
            assert found == pytest.approx(variance, rel=4 * math.sqrt(2 / count))  # four standard errors
            assert layer.weight.mean().item() == pytest.approx(0, abs=4 * math.sqrt(variance / count))
        assert linear.bias.square().mean().item() == pytest.approx(of_biases, rel=4 * math.sqrt(2 / 600))
        assert torch.equal(norm.weight, torch.ones(30))
        assert unbiased.bias is None

    def test_an_unknown_start_is_refused(self):
        with pytest.raises(ValueError, match="initialise: start must be one of default, xavier, normal, got 'he'"):
            initialise(nn.Linear(2, 2), "he")
