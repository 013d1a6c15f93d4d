"""The two discriminators against the true log-ratio, the closed form and all pairs of a batch."""

import math

import pytest
import torch

from infotorch.estimators.bounds import donsker_varadhan
from infotorch.estimators.critics import Critic
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.adversary import ArchitectureAwareAdversary, LabelDiscriminator


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


class TrueLogRatio(Critic):
    """Log p(t | x) / p(t) of the channel t = W x + noise with x ~ N(0, I), as a critic of (W x, t)."""

    def __init__(self, covariance, noise_std):
        super().__init__()
        self.variance = noise_std**2
        self.marginal = covariance + self.variance * torch.eye(len(covariance), dtype=covariance.dtype)

    def pairs(self, x, y):
        quadratic = (y @ torch.linalg.inv(self.marginal) * y).sum(1) - (y - x).square().sum(1) / self.variance
        return quadratic / 2 + 0.5 * (torch.logdet(self.marginal) - len(self.marginal) * math.log(self.variance))

    def contrast(self, x, y):
        return self.pairs(x, y), self.pairs(x, y.roll(1, 0))


class TestArchitectureAwareAdversary:
    def test_with_the_true_log_ratio_value_and_gradient_are_those_of_the_closed_form(self):
        # The envelope theorem: the gradient through the noisy argument alone is that of I = 1/2 log det(I + WW'/s^2).
        noise_std, rows = 1.0, gaussian(40_000, 3)
        weight = torch.tensor([[0.9, 0.2, 0.0], [-0.3, 0.5, 0.4]], dtype=torch.float64, requires_grad=True)
        covariance = weight @ weight.T
        exact = 0.5 * torch.logdet(torch.eye(2, dtype=torch.float64) + covariance / noise_std**2)
        features = rows @ weight.T
        part = ArchitectureAwareAdversary(features, hidden=(4,), noise_std=noise_std)
        part.critic = TrueLogRatio(covariance.detach(), noise_std)
        part.centre.zero_()
        part.variance.fill_(1 - noise_std**2)  # what the critic reads is the channel itself
        value = donsker_varadhan(*part.contrast(features, generator(1)))
        assert value.item() == pytest.approx(exact.item(), abs=0.02)  # three s.e., std 1 of 40,000 terms
        found, wanted = (torch.autograd.grad(v, weight, retain_graph=True)[0] for v in (value, exact))
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.03)  # three s.e., std 1 to 2 of 40,000 terms

    def test_the_gradient_is_the_one_through_the_noisy_argument_alone(self):
        clean = gaussian(12, 3)
        part = ArchitectureAwareAdversary(clean, hidden=(8,), noise_std=0.5).double()

        def value(features):
            order = torch.randperm(12, generator=(draw := generator(3)))
            noise = 0.5 * torch.randn(12, 3, generator=draw, dtype=torch.float64)
            unit = (part.variance + 0.25).sqrt()
            fixed, noisy = (clean[order] - part.centre) / unit, (features[order] + noise - part.centre) / unit
            scores = part.critic(fixed, noisy)  # every x against every t, of which two diagonals count
            return scores.diagonal().mean() - torch.diagonal(scores.roll(1, 1)).logsumexp(0) + math.log(12)

        given, slow = clean.clone().requires_grad_(), clean.clone().requires_grad_()
        fast = donsker_varadhan(*part.contrast(given, generator(3)))
        assert fast.item() == pytest.approx(value(slow).item(), abs=1e-9)
        (found,), (wanted,) = torch.autograd.grad(fast, given), torch.autograd.grad(value(slow), slow)
        torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-10)

    @pytest.mark.parametrize("noise_std", [0.3, 1.0, 3.0])
    def test_the_full_gradient_is_that_of_finite_differences_and_the_stopped_one_is_a_part_of_it(self, noise_std):
        inputs, weight = gaussian(8, 4), gaussian(3, 4, seed=1).requires_grad_()
        settings = {"hidden": (6,), "noise_std": noise_std}
        full = ArchitectureAwareAdversary((inputs @ weight.T).detach(), **settings, copy_gradient="full").double()
        stopped = ArchitectureAwareAdversary((inputs @ weight.T).detach(), **settings).double()
        stopped.load_state_dict(full.state_dict())

        def value(part, matrix):
            return donsker_varadhan(*part.contrast(inputs @ matrix.T, generator(3)))

        assert torch.autograd.gradcheck(lambda matrix: value(full, matrix), weight)
        assert torch.equal(value(full, weight), value(stopped, weight))
        found, partial = (torch.autograd.grad(value(part, weight), weight)[0] for part in (full, stopped))
        assert (found - partial).abs().max() > 1e-3 * found.abs().max()  # an untrained critic is not at its best

    def test_with_the_true_log_ratio_the_part_through_the_copy_vanishes(self):
        inputs, weight = gaussian(40_000, 3), torch.tensor([[0.9, 0.2, 0.0], [-0.3, 0.5, 0.4]]).double()
        covariance, weight = weight @ weight.T, weight.requires_grad_()
        gradients = []
        for copy_gradient in ("stopped", "full"):
            features = inputs @ weight.T
            part = ArchitectureAwareAdversary(features, hidden=(4,), noise_std=1.0, copy_gradient=copy_gradient)
            part.critic = TrueLogRatio(covariance, 1.0)
            part.centre.zero_()
            part.variance.fill_(0.0)  # what the critic reads is the channel itself
            value = donsker_varadhan(*part.contrast(features, generator(1)))
            gradients.append(torch.autograd.grad(value, weight)[0])
        torch.testing.assert_close(*gradients, rtol=0, atol=0.03)  # three s.e., std 1 to 2 of 40,000 terms

    def test_noise_and_derangement_follow_the_generator_and_no_row_meets_itself(self):
        class Sees(Critic):
            def contrast(self, x, y):
                self.seen = x.squeeze(1), y.squeeze(1)
                return x.squeeze(1), y.roll(1, 0).squeeze(1)

        features = torch.arange(10.0)[:, None]
        part = ArchitectureAwareAdversary(features, hidden=(4,), noise_std=1e-3)
        part.critic = Sees()
        orders = []
        for seed in (0, 0, 1):
            x, apart = part.contrast(features, generator(seed))
            assert not ((x - apart).abs() < 0.1).any()
            assert ((part.critic.seen[0] - part.critic.seen[1]).abs() < 0.1).all()
            assert sorted(part.critic.seen[0].tolist()) == part.critic.seen[0].sort().values.tolist()
            orders.append((x, apart))
        assert torch.equal(orders[0][1], orders[1][1])
        assert not torch.equal(orders[0][0], orders[2][0])

    def test_centre_and_unit_follow_the_layer_by_a_moving_average(self):
        features = gaussian(200, 3).float()
        part = ArchitectureAwareAdversary(features, hidden=(4,), noise_std=1.0)
        grown = 10 * features + 5
        part.follow(grown)
        wanted = 0.99 * features.mean(0) + 0.01 * grown.mean(0)
        torch.testing.assert_close(part.centre, wanted)
        for _ in range(1000):  # 0.99^1000 is 4e-5
            part.follow(grown)
        torch.testing.assert_close(part.centre, grown.mean(0), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(part.variance, (grown - grown.mean(0)).square().mean(), rtol=1e-3, atol=0)

    def test_scale_and_place_of_the_layer_do_not_change_what_the_critic_reads(self):
        features = gaussian(50, 3).float()
        values = []
        for scale, shift in ((1.0, 0.0), (1000.0, -300.0)):
            moved = scale * features + shift
            with SeedStreams(0).as_global("critic"):
                part = ArchitectureAwareAdversary(moved, hidden=(16,), noise_std=0.5 * scale)
            values.append(donsker_varadhan(*part.contrast(moved, generator())).item())
        assert values[0] == pytest.approx(values[1], abs=1e-5)

    def test_narrow_precision_around_it_does_not_reach_the_comparison(self):
        features = gaussian(50, 3).float()
        part = ArchitectureAwareAdversary(features, hidden=(16,), noise_std=0.01)
        plain = donsker_varadhan(*part.contrast(features, generator()))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(donsker_varadhan(*part.contrast(features, generator())), plain)


class TestLabelDiscriminator:
    LABELS = torch.tensor([0, 2, 0, 3, 3, 3, 0, 2, 2, 0, 0, 3])  # no row of class 1

    def part(self, features):
        return LabelDiscriminator(features, self.LABELS, hidden=(8,))

    def test_every_pair_of_two_rows_counts_once(self):
        features = gaussian(12, 3)
        part = self.part(features)
        found = donsker_varadhan(*part.contrast(features, self.LABELS))
        with torch.no_grad():
            unit = features.std(0, correction=0).square().mean().sqrt()
            every = part.critic((features - features.mean(0)) / unit, self.LABELS)
        apart = [every[i, j].exp() for i in range(12) for j in range(12) if i != j]
        slow = every.diagonal().mean() - torch.log(sum(apart) / len(apart))
        assert found.item() == pytest.approx(slow.item(), abs=1e-9)

    def test_a_batch_of_one_class_says_nothing(self):
        features = gaussian(5, 3)
        value = donsker_varadhan(*self.part(features).contrast(features, torch.zeros(5, dtype=torch.long)))
        # Each row against its own class on both sides: 0 or below, by Jensen, whatever the critic.
        assert -1.0 < value.item() <= 1e-12
        assert torch.isfinite(value)

    def test_its_gradient_is_right_where_a_pair_never_occurs(self):
        features = gaussian(4, 2).requires_grad_()
        part = LabelDiscriminator(features, torch.tensor([0, 1, 1, 1]), hidden=(4,))  # row 0 meets no other of class 0
        assert torch.autograd.gradcheck(
            lambda rows: donsker_varadhan(*part.contrast(rows, torch.tensor([0, 1, 1, 1]))), features
        )

    def test_scores_are_the_critic_and_the_prior(self):
        class Knows(Critic):
            def forward(self, x, y):
                return torch.tensor([[0.0, 9.0, 0.1, 0.0]]).repeat(len(x), 1)[:, y]

        part = self.part(torch.zeros(12, 3))
        part.critic = Knows()
        # log p = log(5/12), never, log(3/12), log(4/12): class 0 is likelier than class 2 by more than 0.1
        found = part.scores(torch.zeros(1, 3))[0]
        wanted = torch.tensor([math.log(5 / 12), -math.inf, 0.1 + math.log(3 / 12), math.log(4 / 12)])
        torch.testing.assert_close(found, wanted)

    def test_a_layer_that_grows_is_seen_to_grow(self):
        features = gaussian(12, 3)
        features = features - features.mean(0)
        part = self.part(features)
        seen = [part._in_unit(scale * features).std().item() for scale in (1.0, 3.0)]
        assert seen[1] == pytest.approx(3 * seen[0], rel=1e-5)
