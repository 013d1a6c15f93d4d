import math

import numpy as np
import pytest
import torch
from torch import nn

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.critic_training import TrainingOutcome
from infotorch.estimators.critics import EncoderCritic, JointCritic, SeparableCritic
from infotorch.estimators.neural import describe_training, neural_mi

QUICK = {"hidden": (32,), "max_steps": 300}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(n=1200, rho=0.8, seed=0):
    return CorrelatedGaussian(rho).sample(n, seeded(seed))


def product_of_pairs(n, rho, d, seed=0):
    """d independent pairs of correlation rho: d times the information of one."""
    law = CorrelatedGaussian(rho)
    x, y = law.sample(n * d, seeded(seed))
    return x.reshape(n, d), y.reshape(n, d), d * law.mutual_information()


@pytest.mark.parametrize(
    ("bound", "critic"),
    [
        ("infonce", "separable"),
        ("mine", "joint"),
        pytest.param("nwj", "joint", marks=pytest.mark.slow),
        ("jsd", "separable"),
        pytest.param("smile", "joint", marks=pytest.mark.slow),
        pytest.param("infonce", "joint", marks=pytest.mark.slow),
    ],
)
def test_finds_the_information_of_a_gaussian(bound, critic):
    x, y, truth = product_of_pairs(2000, 0.7, 2)
    estimate = neural_mi(x, y, bound=bound, critic=critic, generator=seeded(), hidden=(32, 32), max_steps=500)
    assert estimate.side == ("none" if bound == "smile" else "lower")
    assert 0.02 < estimate.std_error < 0.08
    # A critic of this size after 500 steps lies up to 0.1 below the truth of 0.67; above, only chance remains.
    assert truth - 0.1 - 2 * estimate.std_error < float(estimate) < truth + 3 * estimate.std_error


def test_a_bilinear_critic_sees_what_is_linear():
    # x'Wy lacks the quadratic terms of the log-ratio, so the best value lies below 0.34 nats.
    x, y = pair(2000, 0.7)
    estimate = neural_mi(x, y, critic="bilinear", generator=seeded(), lr=0.02, max_steps=300)
    assert 0.15 < float(estimate) < 0.34 + 3 * estimate.std_error


def test_independent_variables_carry_nothing():
    x, y = torch.randn(2, 1000, 5, generator=seeded(3))
    for bound in ("infonce", "mine", "jsd"):
        estimate = neural_mi(x, y, bound=bound, generator=seeded(), **QUICK)
        assert abs(float(estimate)) < 3 * estimate.std_error + 0.03


def test_infonce_never_exceeds_its_ceiling_and_says_when_it_is_there():
    x = torch.randn(500, 20, generator=seeded(4))
    estimate = neural_mi(x, x, generator=seeded(), hidden=(64,), max_steps=400, lr=2e-3)
    assert estimate.ceiling == pytest.approx(math.log(100))  # the test rows
    assert float(estimate) <= estimate.ceiling
    assert estimate.saturated


def test_labels_on_either_side():
    labels = torch.arange(1000) % 4
    x = labels[:, None] + 0.05 * torch.randn(1000, 1, generator=seeded(5))
    found = [neural_mi(x, labels, generator=seeded(), lr=3e-3, **QUICK)]
    found.append(neural_mi(labels.numpy(), x, bound="mine", critic="joint", generator=seeded(), lr=3e-3, **QUICK))
    for estimate in found:
        assert float(estimate) == pytest.approx(math.log(4), abs=0.15)


def test_units_do_not_matter_and_the_caller_is_left_alone():
    x, y = pair(400)
    before, state = x.clone(), torch.get_rng_state()
    settings = {"hidden": (16,), "max_steps": 60}
    plain = neural_mi(x, y, generator=seeded(), **settings)
    for a, b in ((1e6 * x + 1e3, 1e-200 * y), (x.numpy(), y.requires_grad_())):
        # Standardised in float64, trained in float32.
        assert float(neural_mi(a, b, generator=seeded(), **settings)) == pytest.approx(float(plain), abs=1e-3)
    assert not plain.value.requires_grad
    assert plain.value.dtype == torch.float64
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.isfinite(neural_mi(x.half(), y.detach().bfloat16(), generator=seeded(), **settings).value)


def test_the_callers_mode_does_not_matter():
    x, y = pair(300)
    settings = {"hidden": (16,), "max_steps": 60}
    plain = float(neural_mi(x, y, generator=seeded(), **settings))
    modes = (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16))
    for mode in modes:
        with mode:
            assert float(neural_mi(x + 0, y + 0, generator=seeded(), **settings)) == plain


def test_the_generator_decides_everything():
    x, y = pair(300)
    settings = {"hidden": (16,), "max_steps": 60, "critic": "joint", "bound": "mine"}
    first, again, other = (neural_mi(x, y, generator=seeded(s), **settings) for s in (1, 1, 2))
    assert float(first) == float(again)
    assert first.std_error == again.std_error
    assert float(first) != float(other)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    fresh = [float(neural_mi(x, y, **settings)) for _ in range(2)]
    assert fresh[0] != fresh[1]
    torch.set_rng_state(state)


def test_folds_read_every_row():
    x, y, truth = product_of_pairs(900, 0.7, 1)
    estimate = neural_mi(x, y, folds=3, generator=seeded(), **QUICK)
    assert "read on 900 of 900 rows; fold 1: kept step" in estimate.reason
    assert estimate.ceiling == pytest.approx(math.log(300))
    single = neural_mi(x, y, test=1 / 3, generator=seeded(), **QUICK)
    assert "read on 300 of 900 rows; kept step" in single.reason
    assert estimate.std_error == pytest.approx(single.std_error / math.sqrt(3), rel=0.25)
    assert float(estimate) == pytest.approx(truth, abs=3 * estimate.std_error + 0.05)


def test_constant_input_has_no_information():
    x, y = pair(100)
    for a, b in ((torch.ones(100), y), (x, torch.ones(100, 3, dtype=torch.int64))):
        estimate = neural_mi(a, b, generator=seeded())
        assert (float(estimate), estimate.std_error, estimate.reason) == (0.0, 0.0, "x or y is constant")


class LogRatio(nn.Module):
    """The true log-ratio of unit Gaussians of correlation 0.8: nothing to train."""

    def forward(self, x, y):
        return -0.5 * (y.T - 0.8 * x) ** 2 / 0.36 - 0.5 * math.log(0.36) + 0.5 * y.T**2


@pytest.mark.parametrize("bound", ["infonce", "mine", "jsd"])
def test_the_interval_covers_the_truth(bound):
    # The critic is right, so that only the sample is left to chance. Over 300 samples 94 % of the intervals covered;
    # the coverage of 60 has an error of 3 %.
    truth, hits = CorrelatedGaussian(0.8).mutual_information(), []
    for seed in range(60):
        estimate = neural_mi(*pair(500, seed=seed), bound=bound, critic=LogRatio(), generator=seeded())
        assert estimate.reason.endswith("nothing to train")
        assert estimate.estimator == f"neural_mi {bound} LogRatio"
        hits.append(abs(float(estimate) - truth) < 1.96 * estimate.std_error)
    assert 0.87 <= np.mean(hits) <= 1


def test_a_module_is_trained_as_a_copy():
    x, y = pair(400)
    mine = JointCritic(1, 1, hidden=(8,)).double()
    before = {name: value.clone() for name, value in mine.state_dict().items()}
    estimate = neural_mi(x, y, bound="mine", critic=mine, generator=seeded(), max_steps=50)
    assert float(estimate) == float(neural_mi(x, y, bound="mine", critic=mine, generator=seeded(), max_steps=50))
    assert all(torch.equal(value, before[name]) for name, value in mine.state_dict().items())
    assert mine.training


def test_a_plain_module_and_an_encoder_serve_as_critics():
    class Distance(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(()))

        def forward(self, x, y):
            return -self.scale * (x - y.T).square()

    x, y = pair(1000, 0.9)
    for bound in ("infonce", "jsd"):
        assert 0.3 < float(neural_mi(x, y, bound=bound, critic=Distance(), generator=seeded(), lr=0.02, max_steps=200))
    encoder = EncoderCritic(nn.Linear(1, 3), SeparableCritic(3, 1, hidden=(16,)))
    assert math.isfinite(float(neural_mi(x, y, critic=encoder, generator=seeded(), max_steps=50)))


def test_on_check_is_told_the_value_in_nats():
    x, y = pair(500)
    told = []
    settings = {
        "hidden": (16,),
        "max_steps": 120,
        "lr": 2e-3,
        "on_check": lambda step, value: told.append((step, value)),
    }
    neural_mi(x, y, generator=seeded(), **settings)
    assert [step for step, _ in told] == [50, 100, 120]
    assert told[-1][1] > 0.1


def test_a_critic_that_learned_nothing_is_told():
    x, y = torch.randn(2, 100, 30, generator=seeded())
    estimate = neural_mi(x, y, hidden=(64,), lr=0.01, max_steps=100, generator=seeded())
    assert "kept step 0 of 100 (as it began: nothing learned held on validation samples" in estimate.reason
    assert float(estimate) == pytest.approx(0.0, abs=0.05)
    nothing_to_train = TrainingOutcome(steps=0, best_step=0, best_loss=0.0, ended="nothing to train")
    assert describe_training([nothing_to_train]) == "kept step 0 of 0, nothing to train"


def test_divergence_is_told_or_refused():
    x, y = pair(400)
    with pytest.raises(
        ValueError, match=r"neural_mi: training never gave a finite value .*; lr must be smaller, got 1e"
    ):
        neural_mi(x, y, bound="nwj", lr=1e30, generator=seeded(), **QUICK)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"bound": "dv"}, ValueError, "bound must be one of infonce, mine, nwj, jsd, smile, got 'dv'"),
        ({"critic": "deep"}, ValueError, "critic must be one of separable, joint, bilinear, got 'deep'"),
        ({"critic": JointCritic}, TypeError, "critic must be a name or a module, got type"),
        ({"lr": 0.0}, ValueError, "lr must be positive and finite, got 0.0"),
        ({"batch_size": 1}, ValueError, "batch_size must be at least 2, got 1"),
        ({"max_steps": 0}, ValueError, "max_steps must be at least 1, got 0"),
        ({"patience": 1.5}, TypeError, "patience must be an integer, got 1.5"),
        ({"test": 1.0}, ValueError, "test must lie between 0 and 1, got 1.0"),
        ({"folds": 60}, ValueError, "each part of the samples must have at least 2 of them, got 100 samples"),
        ({"generator": 0}, TypeError, "generator must be a torch.Generator or None, got int"),
    ],
)
def test_wrong_settings_are_refused(changes, error, message):
    x, y = pair(100)
    with pytest.raises(error, match=f"neural_mi: {message}"):
        neural_mi(x, y, **({"generator": seeded(), "max_steps": 50} | changes))


def test_wrong_critics_are_refused():
    class OneNumber(nn.Module):
        def forward(self, x, y):
            return x.mean()

    with pytest.raises(ValueError, match=r"neural_mi: critic must give \(n, m\) scores, \(2, 3\) .*, got \(\)"):
        neural_mi(*pair(100), critic=OneNumber(), generator=seeded())


def test_wrong_input_is_refused():
    x, y = pair(100)
    with pytest.raises(ValueError, match="neural_mi: x and y must be paired row by row, got 100 and 99 rows"):
        neural_mi(x, y[1:])
    with pytest.raises(ValueError, match="neural_mi: y must be finite, got 1 NaN"):
        neural_mi(x[:2], torch.tensor([1.0, math.nan]))
    with pytest.raises(ValueError, match="neural_mi: x is empty"):
        neural_mi(x[:0], y[:0])
    with pytest.raises(ValueError, match="each part of the samples must have at least 2 of them, got 5 samples"):
        neural_mi(x[:5], y[:5])
    with pytest.raises(TypeError, match="neural_mi: x must hold real numbers"):
        neural_mi(["a", "b"], y[:2])
