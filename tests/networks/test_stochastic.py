import copy

import pytest
import torch
from torch.nn import functional as F

from infotorch.networks.segments import split
from infotorch.networks.stochastic import (
    GaussianLayer,
    LogNormalLayer,
    SampleMean,
    log_mean_probability,
    stochastic_mlp,
)
from infotorch.numerics.seeds import seed_streams

STREAMS = seed_streams(0)


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def gaussian(**options):
    with STREAMS.as_global("init"):
        return GaussianLayer(3, 2, **options)


class TestGaussianLayer:
    def test_the_draws_have_the_mean_and_deviation_that_the_encoder_gives(self):
        layer, x = gaussian(draws=20_000), draw(2, 3)
        with torch.no_grad():
            layer.encoder.linear.bias[2:] += 6.0  # deviations of the order of 1
            mean, deviation = layer.encoder(x)
            with STREAMS.as_global("test"):
                z = layer(x).unflatten(0, (2, -1))
        assert ((z.mean(dim=1) - mean) / deviation).abs().max() < 0.03  # 4 s.e. of 20,000 draws
        torch.testing.assert_close(z.std(dim=1), deviation, rtol=0.02, atol=0)

    def test_deviations_begin_small(self):
        deviation = gaussian().encoder(torch.zeros(1, 3))[1]
        assert (deviation < 0.02).all()
        assert (deviation > 0.002).all()

    @pytest.mark.parametrize(("training", "rows"), [(True, 12), (False, 20)])
    def test_draws_of_a_row_stand_together_as_many_as_the_mode_says(self, training, rows):
        layer, x = gaussian(draws=3, evaluation_draws=5).train(training), draw(4, 3)
        with torch.no_grad(), STREAMS.as_global("test"):
            layer.encoder.linear.weight[2:] = 0.0  # deviations of 0.007, beside distances of 0.1 and more
            z = layer(x)
        assert len(z) == rows
        nearest = torch.cdist(z, layer.encoder(x)[0]).argmin(dim=1)
        assert torch.equal(nearest, torch.arange(4).repeat_interleave(rows // 4))

    def test_without_draws_evaluation_hands_on_the_mean(self):
        layer, x = gaussian(evaluation_draws=0).eval(), draw(4, 3)
        assert torch.equal(layer(x), layer.encoder(x)[0])

    def test_a_generator_decides_the_draw_and_leaves_the_global_state(self):
        layer, x = gaussian(), draw(4, 3)
        state = torch.get_rng_state()
        drawn = [layer.draw(layer.encoder(x), generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])
        assert torch.equal(state, torch.get_rng_state())

    def test_the_gradient_is_that_of_the_reparameterised_draw(self):
        layer, noise = gaussian().double(), draw(4, 2).double()
        x = draw(4, 3).double().requires_grad_()

        def drawn(x):
            mean, deviation = layer.encoder(x)
            return layer._put(mean, deviation * noise)

        assert torch.autograd.gradcheck(drawn, (x,))

    def test_images_are_flattened(self):
        x = draw(4, 3)
        layer = gaussian(evaluation_draws=0).eval()
        assert torch.equal(layer(x), layer(x.view(4, 3, 1, 1)))


class TestLogNormalLayer:
    @pytest.mark.parametrize("activation", ["relu", "softplus"])
    def test_the_draws_are_the_features_times_log_normal_noise_of_their_own_deviation(self, activation):
        with STREAMS.as_global("init"):
            layer = LogNormalLayer(3, 4, activation=activation, draws=20_000, evaluation_draws=0)
        x = draw(2, 3)
        with torch.no_grad(), STREAMS.as_global("test"):
            features, deviation = layer.encoder(x)
            z = layer(x).unflatten(0, (2, -1))
        assert torch.equal(layer.eval()(x), features)
        alive = features > 0
        assert alive.all() == (activation == "softplus")
        assert torch.equal((z == 0).all(dim=1), ~alive)
        spread = (z / features[:, None]).log().std(dim=1)
        torch.testing.assert_close(spread[alive], deviation[alive], rtol=0.03, atol=0)
        assert (deviation < 0.7).all()
        assert (deviation > 0).all()


class TestSampleMean:
    def test_in_evaluation_it_averages_probabilities_and_not_logarithms(self):
        scores = draw(12, 5)
        given = SampleMean(1, 3).eval()(scores)
        wanted = torch.stack([scores[3 * i : 3 * i + 3].softmax(dim=1).mean(dim=0) for i in range(4)])
        torch.testing.assert_close(given.exp(), wanted)

    def test_in_training_draws_stay_apart_and_single_ones_are_handed_on(self):
        scores = draw(12, 5)
        assert torch.equal(SampleMean(3, 1)(scores), scores.view(4, 3, 5))
        assert SampleMean(1, 3)(scores) is scores
        assert SampleMean(3, 0).eval()(scores) is scores

    def test_the_mean_inside_the_logarithm_is_at_most_the_mean_of_logarithms_and_equal_for_equal_draws(self):
        scores, y = 3 * draw(50, 6, 4), torch.arange(50) % 4
        inside = F.nll_loss(log_mean_probability(scores), y)
        outside = F.cross_entropy(scores.flatten(0, 1), y.repeat_interleave(6))
        assert inside < outside - 0.1
        same = scores[:, :1].expand(-1, 6, -1)
        torch.testing.assert_close(log_mean_probability(same), scores[:, 0].log_softmax(dim=1))

    def test_it_is_finite_and_normalised_where_probabilities_underflow(self):
        scores = 1e4 * draw(3, 2, 4)
        given = log_mean_probability(scores)
        assert given.isfinite().all()
        torch.testing.assert_close(given.logsumexp(dim=1), torch.zeros(3), atol=1e-6, rtol=0)

    def test_gradient(self):
        assert torch.autograd.gradcheck(log_mean_probability, (draw(2, 3, 4).double().requires_grad_(),))


class TestNetwork:
    @pytest.mark.parametrize("kind", ["gaussian", "log-normal"])
    def test_it_gives_a_row_for_each_input_in_evaluation_and_each_draw_in_training(self, kind):
        with STREAMS.as_global("init"):
            network = stochastic_mlp(6, (8, 7), 5, 3, kind=kind, draws=2, evaluation_draws=4)
        x = draw(9, 2, 3)
        assert network(x).shape == (9, 2, 3)
        assert network.eval()(x).logsumexp(dim=1).abs().max() < 1e-5
        assert network.fc1.out_features == 8
        assert network.bottleneck.encoder.linear.in_features == 7

    def test_more_draws_bring_its_answer_closer_to_the_expected_probabilities(self):
        with STREAMS.as_global("init"):
            network = stochastic_mlp(6, (8,), 5, 3).eval()
        with torch.no_grad():
            network.bottleneck.encoder.linear.bias[5:] += 8.0

        def answers(count, times):
            network.bottleneck.evaluation_draws = network.mean.evaluation_draws = count
            with torch.no_grad(), STREAMS.as_global("test"):
                return torch.stack([network(draw(4, 6)).exp() for _ in range(times)])

        wanted = answers(4000, 1)
        assert (answers(32, 20) - wanted).std() < 0.3 * (answers(1, 20) - wanted).std()  # 1 / sqrt(32) is 0.18

    def test_it_is_copied_saved_and_cut_as_any_network_is(self):
        with STREAMS.as_global("init"):
            network = stochastic_mlp(6, (8,), 5, 3, evaluation_draws=0)
        network(draw(4, 6))
        copied = copy.deepcopy(network).eval()
        assert torch.equal(copied(draw(4, 6)), network.eval()(draw(4, 6)))
        first, second = split(network, ("head",))
        x = draw(4, 6)
        assert torch.equal(second(first(x, x), x), network(x))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: GaussianLayer(0, 2), ValueError, "GaussianLayer: inputs must be at least 1, got 0"),
        (lambda: GaussianLayer(2, 1.5), TypeError, "GaussianLayer: width must be an integer, got 1.5"),
        (lambda: GaussianLayer(2, 2, draws=0), ValueError, "GaussianLayer: draws must be at least 1, got 0"),
        (
            lambda: GaussianLayer(2, 2, evaluation_draws=-1),
            ValueError,
            "evaluation_draws, where not 0, must be at least 1, got -1",
        ),
        (lambda: LogNormalLayer(2, 0), ValueError, "LogNormalLayer: width must be at least 1"),
        (lambda: LogNormalLayer(2, 2, activation="tanh"), ValueError, "activation must be one of relu, softplus, got"),
        (lambda: LogNormalLayer(2, 2, max_std=0.0), ValueError, "max_std must be positive"),
        (lambda: SampleMean(True), TypeError, "SampleMean: draws must be an integer, got True"),
        (lambda: SampleMean(3)(torch.zeros(4, 2)), ValueError, "rows must be a multiple of 3 draws, got 4"),
        (lambda: stochastic_mlp(4, (), 2, 3), ValueError, "hidden must have one width or more, got none"),
        (lambda: stochastic_mlp(4, (3,), 2, 0), ValueError, "stochastic_mlp: classes must be at least 1"),
        (lambda: stochastic_mlp(4, (3,), 2, 3, kind="x"), ValueError, "kind must be one of gaussian, log-normal"),
    ],
)
def test_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
