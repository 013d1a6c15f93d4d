"""The speed run's network: against a plain twin in float64, its whitening stem, and blocks that run again."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.networks.recomputed import Recomputed
from infotorch.networks.speed_run import ShiftedNorm, airbench94, whiten

SMALL = (6, 8, 10)


def made(shape=(3, 32, 32), **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return airbench94(shape, 10, **{"channels": SMALL, **settings})


def drawn(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def twin(weights, x, *, every_location=False):
    """The forward pass in training mode, step by step from the paper."""

    def norm(hidden, name):
        mean = hidden.mean(dim=(0, 2, 3), keepdim=True)
        variance = ((hidden - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        return (hidden - mean) / (variance + 1e-12).sqrt() + 8 * weights[f"{name}_norm.shift"].view(1, -1, 1, 1)

    def gelu(hidden):
        return hidden * (1 + torch.erf(hidden / 2**0.5)) / 2

    hidden = gelu(F.conv2d(x, weights["stem.weight"], weights["stem.bias"]))
    for block in (1, 2, 3):
        hidden = F.max_pool2d(F.conv2d(hidden, weights[f"conv{block}_1.weight"], padding=1), 2)
        hidden = gelu(norm(hidden, f"conv{block}_1"))
        hidden = gelu(norm(F.conv2d(hidden, weights[f"conv{block}_2.weight"], padding=1), f"conv{block}_2"))
    pooled = hidden if every_location else F.max_pool2d(hidden, 3)
    return pooled.flatten(1) @ weights["fc.weight"].T / 9


@pytest.mark.parametrize("every_location", [False, True])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 25, 49)])
def test_it_is_the_plain_twin_step_by_step(shape, every_location):
    model = made(shape, every_location=every_location).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.copy_(drawn(len(parameter), dtype=torch.float64) / 10)
            assert torch.isfinite(parameter).all(), name
    x = drawn(5, *shape, dtype=torch.float64)
    wanted = twin(dict(model.named_parameters()), x, every_location=every_location)
    assert torch.allclose(model(x), wanted, rtol=1e-10, atol=1e-12)


def test_its_size_and_what_trains():
    with torch.device("meta"):
        model = airbench94((3, 32, 32), 10)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_971_640
    assert len(trained) == 1 + 6 + 6 + 1  # the stem's bias, convolutions, shifts, and the linear layer
    assert "stem.weight" not in trained


def test_convolutions_begin_by_passing_on_their_inputs():
    model, x = made(), drawn(2, 6, 7, 7)
    assert torch.allclose(model.get_submodule("conv1_2")(x), x, atol=1e-6)  # 6 -> 6
    assert torch.allclose(model.get_submodule("conv2_1")(x)[:, :6], x, atol=1e-6)  # 6 -> 8
    assert not torch.allclose(model.get_submodule("conv2_1")(x)[:, 6:8], x[:, :2], atol=1e-2)


class TestWhitening:
    def test_patches_come_out_uncorrelated_with_variance_one_and_again_negated(self):
        """Least eigenvalues here are about 1, beside which 5e-4 is lost at 1e-3."""
        images = drawn(700, 2, 9, 9)  # more than are looked at together
        images[:, 1] += images[:, 0] + 3
        stem = nn.Conv2d(2, 16, 2, bias=False)
        whiten(stem, images)
        rows = stem(images).detach().double().transpose(0, 1).flatten(1)
        assert torch.allclose(rows[:8].cov(), torch.eye(8).double(), atol=2e-3)
        assert torch.equal(rows[8:], -rows[:8])

    def test_directions_without_variance_stay_small(self):
        images = drawn(100, 1, 9, 9).expand(-1, 2, -1, -1)
        stem = nn.Conv2d(2, 16, 2, bias=False)
        whiten(stem, images)
        rows = stem(images).detach().double().transpose(0, 1).flatten(1)
        assert rows.var(dim=1)[:8].round(decimals=2).tolist() == [0.0] * 4 + [1.0] * 4

    def test_the_network_takes_the_images_as_it_is_made_and_then_leaves_the_stem_alone(self):
        images = drawn(64, 3, 32, 32)
        model, plain = made(images=images), nn.Conv2d(3, 24, 2, bias=False)
        whiten(plain, images)
        assert torch.equal(model.get_submodule("stem").weight, plain.weight)
        assert not model.get_submodule("stem").weight.requires_grad
        assert torch.equal(model.get_submodule("stem").bias, torch.zeros(24))

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (torch.zeros(5, 1, 9, 9), r"images must be \(n, 3, height, width\), got \(5, 1, 9, 9\)"),
            (torch.zeros(3, 9, 9), r"images must be \(n, 3, height, width\), got \(3, 9, 9\)"),
            (torch.zeros(1, 3, 3, 3), "images must have more than 12 patches, got 4"),
            (torch.full((9, 3, 9, 9), torch.nan), "images must be finite"),
        ],
    )
    def test_what_has_no_such_patches_is_refused(self, images, message):
        with pytest.raises(ValueError, match=message):
            whiten(nn.Conv2d(3, 24, 2), images)
        with pytest.raises(TypeError, match="whiten: images must be a tensor of real numbers, got 3"):
            whiten(nn.Conv2d(3, 24, 2), 3)


class TestShiftedNorm:
    def test_sgd_moves_it_as_a_batch_norm_whose_bias_is_64_times_as_fast(self):
        x, target = drawn(8, 3, 4, 4, dtype=torch.float64), drawn(8, 3, 4, 4, dtype=torch.float64).flip(0)
        ours, plain = ShiftedNorm(3).double(), nn.BatchNorm2d(3, eps=1e-12, momentum=0.4).double()
        settings = {"momentum": 0.85, "nesterov": True}
        fast = torch.optim.SGD([plain.bias], lr=0.64, weight_decay=0.1 / 64, **settings)
        slow = torch.optim.SGD(ours.parameters(), lr=0.01, weight_decay=0.1, **settings)
        for _ in range(4):
            for norm, optimizer in ((plain, fast), (ours, slow)):
                optimizer.zero_grad()
                ((norm(x) - target) ** 2).mean().backward()
                optimizer.step()
        assert torch.allclose(8 * ours.shift, plain.bias, rtol=1e-9)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            assert torch.equal(getattr(ours, name), getattr(plain, name))
        assert torch.allclose(ours.eval()(x), plain.eval()(x))

    def test_drawn_anew_it_is_as_it_was_made_so_that_a_head_can_copy_it(self):
        norm = ShiftedNorm(2)
        norm.shift.data.fill_(3.0)
        norm(torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0)))
        norm.reset_parameters()
        for (name, value), made in zip(norm.state_dict().items(), ShiftedNorm(2).state_dict().values(), strict=True):
            assert torch.equal(value, made), name

    def test_without_a_momentum_it_keeps_the_mean_over_batches(self):
        norm = ShiftedNorm(1)
        norm.momentum = None
        norm.reset_running_stats()
        for value in (1.0, 3.0):
            norm(torch.full((2, 1, 2, 2), value))
        assert norm.running_mean.item() == 2.0


class Unused(nn.Module):
    """With a weight that takes no part."""

    def __init__(self):
        super().__init__()
        self.idle = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return F.dropout(x.relu(), 0.5)


class TestRecomputed:
    def test_gradients_and_statistics_are_those_without_to_the_last_bit(self):
        x, y = drawn(4, 3, 32, 32), torch.arange(4)
        found = []
        for recompute in (False, True):
            model = made(recompute=recompute)
            trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
            F.cross_entropy(model(x), y).backward(inputs=trained)
            found.append([*(p.grad for p in trained), *(b for b in model.buffers()), model.eval()(x)])
        assert len(found[0]) == len(found[1])
        assert all(torch.equal(*pair) for pair in zip(*found, strict=True))

    def test_autograd_keeps_less(self):
        from infotorch.training.memory import track_saved_activations

        x, peaks = drawn(8, 3, 32, 32), []
        for recompute in (False, True):
            model = made(recompute=recompute, channels=(16, 16, 16))
            with track_saved_activations(model.parameters()) as saved:
                model(x).sum().backward()
            peaks.append(saved.peak_bytes)
        assert peaks[1] < 0.9 * peaks[0]

    def test_an_input_that_needs_no_gradient_gets_none_and_one_that_does_its_own(self):
        body, x = nn.Sequential(nn.Linear(3, 4), nn.GELU()), drawn(5, 3)
        for needs in (False, True):
            first, second = (x.clone().requires_grad_(needs) for _ in range(2))
            Recomputed(body)(first).sum().backward()
            body.zero_grad()
            body(second).sum().backward()
            assert first.grad is None if not needs else torch.equal(first.grad, second.grad)

    @pytest.mark.parametrize("cast", [False, True])
    @pytest.mark.parametrize(
        "layer", [nn.Dropout(0.5), nn.RReLU(), Unused(), nn.Identity()], ids=lambda x: type(x).__name__
    )
    def test_what_draws_and_what_is_cast_is_the_same_in_both_passes(self, layer, cast):
        found = []
        for wrap in (lambda body: body, Recomputed):
            with torch.random.fork_rng():
                torch.manual_seed(0)
                body, head = nn.Sequential(nn.Linear(6, 8), layer, nn.Linear(8, 3), nn.Dropout(0.2)), nn.Linear(3, 2)
                x = drawn(5, 6).requires_grad_()
                with torch.autocast("cpu", torch.bfloat16, enabled=cast):
                    output = head(wrap(body)(x))
                output.float().square().sum().backward()
                gradients = [weight.grad for weight in (*body.parameters(), *head.parameters())]
                assert sum(gradient is None for gradient in gradients) == isinstance(layer, Unused)
                found.append([output, x.grad, torch.rand(2), *(one for one in gradients if one is not None)])
        assert output.dtype == (torch.bfloat16 if cast else torch.float32)
        assert all(torch.equal(*pair) for pair in zip(*found, strict=True))

    def test_what_cannot_run_again_alike_is_refused(self):
        with pytest.raises(ValueError, match="Recomputed: the body changes its input in place"):
            Recomputed(nn.ReLU(inplace=True))(torch.ones(2, 3, requires_grad=True) * 1)
        with pytest.raises(TypeError, match="Recomputed: the body must give one tensor, got"):
            Recomputed(nn.LSTM(2, 3))(torch.ones(2, 1, 2))
        with pytest.raises(ValueError, match=r"Recomputed: the body cannot take float32 of shape \(5, 2\): mat1 and"):
            Recomputed(nn.Linear(3, 2))(torch.zeros(5, 2))
        with pytest.raises(TypeError, match=r"Recomputed: body must be a torch\.nn\.Module, got 3"):
            Recomputed(3)


def test_what_is_no_such_network_is_refused():
    with pytest.raises(ValueError, match="airbench94: images must have a channel and sides of at least 25"):
        airbench94((3, 24, 32), 10)
    with pytest.raises(ValueError, match=r"airbench94: channels must be three widths, got \(8, 8\)"):
        airbench94((3, 32, 32), 10, channels=(8, 8))
