import math

import pytest
import torch
from torch import nn

from infotorch.estimators.bounds import infonce
from infotorch.estimators.critics import BilinearCritic, Critic, EncoderCritic, JointCritic, SeparableCritic


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def redrawn(critic, seed=0):
    """The critic in float64, all weights from a generator: no test depends on the global one."""
    generator = seeded(seed)
    critic = critic.double()
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return critic


def points(n, d, seed=0):
    return torch.randn(n, d, generator=seeded(seed), dtype=torch.float64)


def every_critic(dim_x=3, dim_y=2):
    encoder = nn.Sequential(nn.Linear(dim_x, 4), nn.Tanh())
    return [
        redrawn(JointCritic(dim_x, dim_y, hidden=(7, 5))),
        redrawn(SeparableCritic(dim_x, dim_y, hidden=(7,), embedding=4)),
        redrawn(BilinearCritic(dim_x, dim_y)),
        redrawn(EncoderCritic(encoder, JointCritic(4, dim_y, hidden=(6,)))),
    ]


def relu(values):
    return [max(v, 0.0) for v in values]


def linear(layer, values):
    bias = [0.0] * layer.out_features if layer.bias is None else layer.bias.tolist()
    return [
        b + sum(w * v for w, v in zip(row, values, strict=True))
        for row, b in zip(layer.weight.tolist(), bias, strict=True)
    ]


def test_joint_critic_is_one_network_on_both_together():
    critic = redrawn(JointCritic(3, 2, hidden=(7, 5)))
    x, y = points(4, 3), points(5, 2, 1)
    first = nn.Linear(5, 7).double()
    with torch.no_grad():
        first.weight.copy_(torch.cat([critic.from_x.weight, critic.from_y.weight], dim=1))
        first.bias.copy_(critic.from_x.bias)
    scores = critic(x, y)
    for i in range(4):
        for j in range(5):
            whole = critic.rest(first(torch.cat([x[i], y[j]])).relu())
            assert scores[i, j].item() == pytest.approx(whole.item(), abs=1e-12)


def test_joint_critic_scores_in_blocks_what_it_scores_at_once(monkeypatch):
    critic, x, y = redrawn(JointCritic(3, 2, hidden=(7, 5))), points(6, 3), points(5, 2, 1)
    whole = critic(x, y)
    monkeypatch.setattr("infotorch.estimators.critics._PAIRS_AT_ONCE", 11)
    assert torch.allclose(critic(x, y), whole, atol=1e-14)


def test_joint_critic_starts_as_one_layer_of_all_inputs_would():
    critic = JointCritic(30, 6, hidden=(500,))
    for weight in (critic.from_x.weight, critic.from_y.weight):
        assert weight.abs().max() <= 1 / 6
        # A uniform variable on [-1/6, 1/6]; relative error of a spread from 3000 draws: 1 %.
        assert weight.std().item() == pytest.approx(1 / 6 / math.sqrt(3), rel=0.05)


def test_separable_critic_is_an_inner_product_of_towers():
    critic = redrawn(SeparableCritic(3, 2, hidden=(7,), embedding=4))
    x, y = points(4, 3), points(5, 2, 1)
    scores = critic(x, y)
    for i in range(4):
        for j in range(5):
            gx = linear(critic.tower_x[2], relu(linear(critic.tower_x[0], x[i].tolist())))
            gy = linear(critic.tower_y[2], relu(linear(critic.tower_y[0], y[j].tolist())))
            expected = sum(a * b for a, b in zip(gx, gy, strict=True)) + critic.offset.item()
            assert scores[i, j].item() == pytest.approx(float(expected), abs=1e-12)


def test_bilinear_critic_is_a_quadratic_form_and_starts_at_zero():
    critic, x, y = redrawn(BilinearCritic(3, 2)), points(4, 3), points(5, 2, 1)
    expected = torch.einsum("id,de,je->ij", x, critic.from_y.weight, y) + critic.offset
    assert torch.allclose(critic(x, y), expected, atol=1e-12)
    assert BilinearCritic(3, 2)(x.float(), y.float()).abs().max() == 0


@pytest.mark.parametrize("critic", every_critic(), ids=lambda c: type(c).__name__)
def test_pairs_are_the_diagonal(critic):
    x, y = points(6, 3), points(6, 2, 1)
    assert torch.allclose(critic.pairs(x, y), critic(x, y).diagonal(), atol=1e-12)
    assert torch.allclose(critic.pairs(x, y), Critic.pairs(critic, x, y), atol=1e-12)


@pytest.mark.parametrize("critic", every_critic(), ids=lambda c: type(c).__name__)
def test_contrast_gives_true_pairs_and_pairs_drawn_apart(critic):
    x, y = points(6, 3), points(6, 2, 1)
    scores = critic(x, y)
    together, apart = critic.contrast(x, y)
    assert torch.allclose(together, scores.diagonal(), atol=1e-12)
    if isinstance(critic, SeparableCritic | BilinearCritic):
        expected = scores[~torch.eye(6, dtype=torch.bool)]
    else:
        expected = scores[torch.arange(6), torch.tensor([5, 0, 1, 2, 3, 4])]
    assert torch.allclose(apart, expected, atol=1e-12)


@pytest.mark.parametrize("critic", every_critic(), ids=lambda c: type(c).__name__)
def test_labels_are_read_as_one_hot_vectors(critic):
    x, labels = points(6, 3), torch.tensor([0, 1, 1, 0, 1, 0])
    one_hot = torch.nn.functional.one_hot(labels).double()
    assert torch.equal(critic(x, labels), critic(x, one_hot))
    assert torch.equal(critic(x, one_hot.to(torch.uint8)), critic(x, one_hot))


@pytest.mark.parametrize("critic", every_critic()[:3], ids=lambda c: type(c).__name__)
def test_gradients_reach_inputs_and_every_weight(critic):
    x, y = points(3, 3).requires_grad_(), points(3, 2, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: infonce(critic(a, b)), (x, y))
    critic.pairs(x, y).sum().backward()
    assert all(p.grad is not None for p in critic.parameters())


def test_encoder_critic_keeps_a_frozen_copy():
    encoder = redrawn(nn.Linear(3, 4))
    critic, x, y = EncoderCritic(encoder, redrawn(JointCritic(4, 4, hidden=(6,)))), points(5, 3), points(5, 4, 1)
    scores = critic(x, y)
    assert torch.equal(scores, critic.critic(encoder(x), y))
    scores.sum().backward()
    assert encoder.weight.grad is None
    assert critic.encoder.weight.grad is None
    assert critic.critic.from_x.weight.grad is not None
    with torch.no_grad():
        encoder.weight.mul_(2)
    assert torch.equal(critic(x, y), scores)
    critic.refresh(encoder)
    assert torch.equal(critic(x, y), critic.critic(encoder(x), y))


def test_encoder_critic_can_train_its_copy():
    encoder = redrawn(nn.Linear(3, 4))
    critic = EncoderCritic(encoder, redrawn(JointCritic(4, 4, hidden=(6,))), train_encoder=True)
    critic.pairs(points(5, 3), points(5, 4, 1)).sum().backward()
    assert critic.encoder.weight.grad.abs().sum() > 0
    assert encoder.weight.grad is None


def test_encoder_critic_reads_images_and_never_drops_or_normalises_by_the_batch():
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(0, 0)).double().train()
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    critic = EncoderCritic(encoder, redrawn(JointCritic(8, 3, hidden=(6,)))).train()
    images, y = points(5, 16).reshape(5, 1, 4, 4), points(5, 3, 1)
    assert critic.training
    assert not critic.encoder.training
    assert torch.equal(critic(images, y), critic(images, y))
    assert all(module.training for module in encoder.modules())
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())


def test_any_module_is_a_critic_when_it_scores_a_matrix():
    class Distance(Critic):
        def forward(self, x, y):
            return -torch.cdist(x, y)

    x, y = points(4, 3), points(4, 3, 1)
    assert torch.allclose(Distance().pairs(x, y), -(x - y).norm(dim=1))


@pytest.mark.parametrize("critic", every_critic()[:3], ids=lambda c: type(c).__name__)
def test_wrong_shapes_are_refused(critic):
    name = type(critic).__name__
    with pytest.raises(ValueError, match=rf"{name}: x must have shape \(n, 3\), got \(4, 5\)"):
        critic(points(4, 5), points(4, 2))
    with pytest.raises(ValueError, match=rf"{name}: y must have shape \(n, 2\), got \(4,\)"):
        critic.pairs(points(4, 3), points(4, 1)[:, 0])
    with pytest.raises(ValueError, match=rf"{name}.pairs: x and y must be paired row by row, got 4 and 3 rows"):
        critic.pairs(points(4, 3), points(3, 2))
    with pytest.raises(ValueError, match=rf"{name}.contrast: x and y must be paired row by row, got 4 and 3 rows"):
        critic.contrast(points(4, 3), points(3, 2))


@pytest.mark.parametrize("make", [JointCritic, SeparableCritic, BilinearCritic])
def test_wrong_widths_are_refused(make):
    with pytest.raises(ValueError, match=f"{make.__name__}: every width must be at least 1, got 0"):
        make(0, 2)
    with pytest.raises(TypeError, match=f"{make.__name__}: every width must be an integer, got 2.0"):
        make(3, 2.0)


@pytest.mark.parametrize("hidden", [(), (64,), (256, 256)])
def test_separable_critic_starts_with_small_scores(hidden):
    for columns in (1, 100):
        x, y = points(50, columns).float(), points(50, columns, 1).float()
        with torch.no_grad():
            spread = [SeparableCritic(columns, columns, hidden=hidden)(x, y).std() for _ in range(20)]
        # At most 0.6 on average, 0.06 standard error; a single one reaches 1.4.
        assert torch.stack(spread).mean() < 0.8


def test_what_is_no_critic_is_refused():
    with pytest.raises(TypeError, match=r"SeparableCritic: hidden must be a sequence of widths such as .*, got 16"):
        SeparableCritic(3, 2, hidden=16)
    with pytest.raises(ValueError, match="JointCritic: hidden must name at least one width, got none"):
        JointCritic(3, 2, hidden=())
    with pytest.raises(TypeError, match=r"Critic must define forward\(x, y\)"):
        Critic()(points(2, 1), points(2, 1))
    with pytest.raises(ValueError, match=r"Critic.pairs: x and y must be paired"):
        Critic().pairs(points(2, 1), points(3, 1))


def test_an_encoder_may_give_one_number_a_row():
    class First(nn.Module):
        def forward(self, x):
            return x[:, 0]

    critic = BilinearCritic(1, 1)
    nn.init.ones_(critic.from_y.weight)
    scores = EncoderCritic(First(), critic)(torch.tensor([[2.0, 9.0], [3.0, 9.0]]), torch.ones(1, 1))
    assert scores.tolist() == [[2.0], [3.0]]


@pytest.mark.parametrize("make", [JointCritic, SeparableCritic, BilinearCritic])
@pytest.mark.parametrize("way", ["__call__", "pairs", "contrast"])
def test_what_is_no_tensor_is_refused_and_an_inference_tensor_is_taken(make, way):
    critic, y = make(3, 2), torch.ones(4, 2)
    name = make.__name__ if way == "__call__" else f"{make.__name__}(.{way})?"
    for wrong in (torch.ones(4, 3).numpy(), [[1.0, 2.0, 3.0]] * 4, None):
        with pytest.raises(TypeError, match=f"^{name}: x must be a tensor"):
            getattr(critic, way)(wrong, y)
    with pytest.raises(TypeError, match="x must have the weights' type"):
        getattr(critic, way)(torch.ones(4, 3).double(), y)
    with torch.inference_mode():
        x = torch.ones(4, 3)
    scores = getattr(critic, way)(x, y)
    sum(part.sum() for part in (scores if isinstance(scores, tuple) else (scores,))).backward()
    with pytest.raises(ValueError, match="y must be labels from 0 to 1, got 0 to 7"):
        getattr(critic, way)(torch.ones(4, 3), torch.tensor([0, 1, 7, 0]))
