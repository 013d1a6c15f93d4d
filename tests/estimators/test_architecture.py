import math

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from infotorch.estimators.architecture import architecture_aware_mine
from infotorch.estimators.neural import neural_mi


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def linear_layer(d_in, d_out, *, seed=0):
    """A linear layer, and the function noise_std -> I(X; WX + b + noise) for standard Gaussian X."""
    layer = nn.Linear(d_in, d_out)
    weight = torch.randn(d_out, d_in, generator=seeded(seed)) / math.sqrt(d_in)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.fill_(3.0)
    gram = weight.double() @ weight.double().T
    return layer, lambda std: 0.5 * float(torch.logdet(torch.eye(d_out, dtype=torch.float64) + gram / std**2))


def inputs(n, d, seed=1):
    return torch.randn(n, d, generator=seeded(seed))


@pytest.mark.parametrize(
    ("noise_std", "scale"), [(1.0, 1.0), pytest.param(0.5, 1.0, marks=pytest.mark.slow), (50.0, 100.0)]
)
def test_a_linear_layer_on_gaussian_input_has_its_closed_form(noise_std, scale):
    layer, truth = linear_layer(6, 3)
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.mul_(scale)
    estimate = architecture_aware_mine(
        layer, inputs(3000, 6), noise_std, hidden=(64, 64), max_steps=600, lr=1e-3, generator=seeded()
    )
    information = truth(noise_std / scale)
    assert 0.9 < information < 2.5
    # Trained so briefly it lies up to a tenth below the truth; above, only chance remains.
    assert 0.9 * information - 2 * estimate.std_error < float(estimate) < information + 3 * estimate.std_error
    assert estimate.side == "lower"
    assert estimate.reason.startswith("read on 600 of 3000 rows; kept step")


@pytest.mark.slow
@pytest.mark.parametrize("noise_std", [4.0, 2.0, 1.5, 1.0])
def test_correlated_input_has_its_closed_form_within_the_stated_error(noise_std):
    layer, _ = linear_layer(6, 3)
    mix = torch.eye(6) + torch.randn(6, 6, generator=seeded(7)) / math.sqrt(6)
    weight = layer.weight.detach().double() @ mix.double()
    truth = 0.5 * float(torch.logdet(torch.eye(3, dtype=torch.float64) + weight @ weight.T / noise_std**2))
    settings = {"hidden": (64, 64), "max_steps": 1000, "lr": 1e-3}
    estimate = architecture_aware_mine(layer, inputs(6000, 6) @ mix.T, noise_std, **settings, generator=seeded())
    assert 0.09 < truth < 1.0
    assert abs(float(estimate) - truth) < 2 * estimate.std_error
    assert estimate.std_error < 0.05


def random_network():
    """Three layers of random weights, as in the paper's Figure 1."""
    layers, generator = [], seeded(2)
    for before, after in ((30, 30), (30, 30), (30, 4)):
        linear = nn.Linear(before, after)
        with torch.no_grad():
            linear.weight.copy_(1.5 * torch.randn(after, before, generator=generator) / math.sqrt(before))
            linear.bias.zero_()
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers)


@pytest.mark.slow
def test_knowing_the_encoder_helps_the_more_the_less_noise_there_is():
    encoder, x = random_network(), inputs(1500, 30)
    settings = {"hidden": (64, 64), "max_steps": 500, "lr": 1e-3}
    gains, aware = [], []
    for noise_std in (1.0, 0.3, 0.1):
        noise = torch.randn(1500, 4, generator=seeded(3))
        plain = neural_mi(
            x, encoder(x) + noise_std * noise, bound="mine", critic="joint", generator=seeded(), **settings
        )
        estimate = architecture_aware_mine(encoder, x, noise_std, generator=seeded(), **settings)
        aware.append(float(estimate))
        gains.append(float(estimate) - float(plain))
    assert aware[0] < aware[1] < aware[2]
    assert 0.1 < gains[0] < gains[1] < gains[2]
    assert aware[2] > 3


def test_the_encoder_the_input_and_the_global_state_are_untouched():
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.ReLU()).train()
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    x = inputs(60, 16).reshape(60, 1, 4, 4).requires_grad_()
    before, rng = x.detach().clone(), torch.get_rng_state()
    found = [
        float(architecture_aware_mine(encoder, x, 0.3, hidden=(8,), max_steps=60, generator=seeded())) for _ in "ab"
    ]
    assert found[0] == found[1]
    assert all(module.training for module in encoder.modules())
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in encoder.parameters())
    assert torch.equal(x.detach(), before)
    assert x.grad is None
    assert torch.equal(torch.get_rng_state(), rng)


def test_units_and_the_callers_mode_do_not_matter():
    x = inputs(300, 2)
    settings = {"hidden": (16,), "max_steps": 60}
    plain = architecture_aware_mine(nn.Identity(), x, 0.5, generator=seeded(), **settings)
    large = architecture_aware_mine(nn.Identity(), 1e6 * x.double().numpy(), 0.5e6, generator=seeded(), **settings)
    assert float(large) == pytest.approx(float(plain), abs=1e-3)
    with torch.inference_mode():
        quiet = architecture_aware_mine(nn.Identity(), x + 0, 0.5, generator=seeded(), **settings)
    assert float(quiet) == float(plain)
    tensor = architecture_aware_mine(nn.Identity(), x, torch.tensor(0.5), generator=seeded(), **settings)
    assert float(tensor) == float(plain)


def test_a_constant_output_carries_nothing():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight)
    estimate = architecture_aware_mine(layer, inputs(50, 3), 1.0)
    assert (float(estimate), estimate.std_error) == (0.0, 0.0)
    assert estimate.reason.endswith("F(x) is constant")


def test_integers_reach_an_embedding_and_on_check_is_told():
    told = []
    estimate = architecture_aware_mine(
        nn.Embedding(4, 2),
        torch.arange(400) % 4,
        0.1,
        hidden=(16,),
        max_steps=60,
        generator=seeded(),
        on_check=lambda step, value: told.append((step, value)),
    )
    assert [step for step, _ in told] == [50, 60]
    assert math.isfinite(float(estimate))


def test_wrong_input_is_refused():
    x, layer = inputs(50, 3), nn.Linear(3, 2)
    for noise_std, message in ((0.0, "noise_std must be positive"), (torch.ones(2), "noise_std must be a number or a")):
        with pytest.raises(ValueError, match=f"architecture_aware_mine: {message}"):
            architecture_aware_mine(layer, x, noise_std)
    with pytest.raises(TypeError, match=r"architecture_aware_mine: encoder must be a torch.nn.Module, got function"):
        architecture_aware_mine(lambda x: x, x, 1.0)
    with pytest.raises(ValueError, match="architecture_aware_mine: x must be finite, got 1 NaN"):
        architecture_aware_mine(layer, torch.tensor([[math.nan, 1.0, 1.0]]), 1.0)
    with pytest.raises(ValueError, match="each part of the samples must have at least 2 of them, got 4 samples"):
        architecture_aware_mine(layer, x[:4], 1.0)
    with pytest.raises(ValueError, match=r"encoder must give one row for each row of x, got 150 for 50"):
        architecture_aware_mine(nn.Flatten(0), x, 1.0)
    with pytest.raises(ValueError, match=r"encoder\(x\) must be finite, got"):
        architecture_aware_mine(nn.Threshold(9.0, math.inf), x, 1.0)
    with pytest.raises(ValueError, match="batch_size must be at least 2, got 1"):
        architecture_aware_mine(layer, x, 1.0, batch_size=1)
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator or None, got int"):
        architecture_aware_mine(layer, x, 1.0, generator=3)
    with pytest.raises(
        ValueError, match="training never gave a finite value on validation samples; lr must be smaller"
    ):
        architecture_aware_mine(layer, x, 1.0, hidden=(8,), lr=1e38, max_steps=60, generator=seeded())
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'noise_std'"):
        architecture_aware_mine(layer, x)


def test_an_encoder_may_give_integers():
    labels = torch.arange(40) % 3
    settings = {"hidden": (4,), "max_steps": 2, "batch_size": 8}
    found = [
        float(architecture_aware_mine(nn.Identity(), x, 0.5, **settings, generator=seeded()))
        for x in (labels, labels.float())
    ]
    assert found[0] == found[1]


def test_another_default_type_changes_no_type():
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        estimate = architecture_aware_mine(
            nn.Identity(), x, 1.0, hidden=(8,), max_steps=50, generator=torch.Generator().manual_seed(0)
        )
    finally:
        torch.set_default_dtype(before)
    assert math.isfinite(float(estimate))


@pytest.mark.parametrize(
    ("encoder", "kind", "words"),
    [
        (nn.LazyLinear(2), ValueError, "encoder has no weights yet; run it on some rows first"),
        (nn.Linear(3, 2), ValueError, r"encoder does not run on x of shape \(40, 2\), torch.float32: mat1 and mat2"),
        (nn.LSTM(2, 2), TypeError, "encoder must give one tensor with a row for each row of x, got tuple"),
    ],
)
def test_an_encoder_that_gives_no_rows_is_told_in_one_line(encoder, kind, words):
    with pytest.raises(kind, match=f"^architecture_aware_mine: {words}"):
        architecture_aware_mine(encoder, torch.ones(40, 2), 1.0)


def test_an_encoder_that_works_in_place_or_was_pruned_leaves_x_and_itself_alone():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.ReLU(inplace=True), prune.l1_unstructured(nn.Linear(2, 2), "weight", 0.5))
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    before, wanted = x.clone(), encoder(x.clone()).detach()
    settings = {"hidden": (4,), "max_steps": 20, "batch_size": 8}
    found = architecture_aware_mine(encoder, x, 1.0, **settings, generator=torch.Generator().manual_seed(0))
    alone = architecture_aware_mine(nn.Identity(), wanted, 1.0, **settings, generator=torch.Generator().manual_seed(0))
    assert float(found) == float(alone)
    assert torch.equal(x, before)
