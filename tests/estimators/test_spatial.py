import math

import numpy as np
import pytest
import torch
from tests.reference import spatial as slow

from infotorch.estimators.bounds import donsker_varadhan, infonce, jsd, nwj
from infotorch.estimators.critics import SeparableCritic
from infotorch.estimators.spatial import dim_global, dim_grid, dim_local, inner_products, prior_matching


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def features(n=12, d=3, locations=(2, 3), seed=0):
    generator = seeded(seed)
    vectors = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return vectors, torch.randn(n, d, *locations, generator=generator, dtype=torch.float64)


def channels(n, rhos, seed):
    """T standard normal; location l holds a variable of correlation rho_l with T. The true log-ratios as scores."""
    generator = seeded(seed)
    t = torch.randn(n, generator=generator, dtype=torch.float64)
    scores = []
    for rho in rhos:
        x = rho * t + math.sqrt(1 - rho**2) * torch.randn(n, generator=generator, dtype=torch.float64)
        rest = (x[None] - rho * t[:, None]) ** 2 / (1 - rho**2)
        scores.append(-0.5 * math.log1p(-(rho**2)) - 0.5 * rest + 0.5 * x[None] ** 2)
    return torch.stack(scores, dim=2)


@pytest.mark.parametrize("bound", [infonce, donsker_varadhan, lambda s: nwj(1 + s)], ids=["infonce", "dv", "nwj"])
def test_true_log_ratios_recover_the_information_of_the_locations(bound):
    rhos = (0.0, 0.5, 0.8, 0.6)
    information = np.mean([-0.5 * math.log1p(-(rho**2)) for rho in rhos])
    values = [dim_local(channels(500, rhos, seed), bound=bound).item() for seed in range(20)]
    # InfoNCE falls short by about var(ratio)/(2n), below 0.005 here.
    assert np.mean(values) == pytest.approx(information, abs=3 * np.std(values) / 20**0.5 + 0.005)


def test_average_over_locations_of_each_bound():
    scores = torch.randn(8, 8, 3, 2, generator=seeded(1), dtype=torch.float64)
    for bound in (infonce, jsd, nwj, donsker_varadhan):
        expected = np.mean([bound(scores[:, :, i, j]).item() for i in range(3) for j in range(2)])
        assert dim_local(scores, bound=bound).item() == pytest.approx(expected, abs=1e-12)
        assert dim_global(scores[..., 0, 0], bound=bound).item() == bound(scores[..., 0, 0]).item()
    assert dim_local(scores[..., :1, :1]).item() == pytest.approx(dim_global(scores[..., 0, 0]).item(), abs=1e-12)


def test_grids_equal_the_slow_twin():
    vectors, grid = features()
    other = features(seed=2)[1]
    by_location = grid.flatten(2).transpose(1, 2).tolist()
    repeated = [[v] * 6 for v in vectors.tolist()]
    assert dim_grid(vectors, grid).item() == pytest.approx(slow.dim_local(repeated, by_location), abs=1e-12)
    first = other.flatten(2).transpose(1, 2).tolist()
    assert dim_grid(other, grid).item() == pytest.approx(slow.dim_local(first, by_location), abs=1e-12)


def test_features_and_scores_agree():
    vectors, grid = features(locations=(5,))
    scores = torch.einsum("ic,jcl->ijl", vectors, grid)
    assert dim_grid(vectors, grid).item() == pytest.approx(dim_local(scores).item(), abs=1e-12)
    expanded = vectors[:, :, None].expand(-1, -1, 5)
    assert dim_grid(expanded, grid).item() == pytest.approx(dim_local(scores).item(), abs=1e-12)
    order = torch.randperm(5, generator=seeded(3))
    assert dim_grid(vectors, grid[..., order]).item() == pytest.approx(dim_local(scores).item(), abs=1e-12)


def test_any_critic_scores_a_location():
    vectors, grid = features(d=3)
    wider = torch.randn(12, 4, generator=seeded(4))
    critic = SeparableCritic(4, 3, hidden=(8,), embedding=5)
    expected = np.mean([jsd(critic(wider, grid.float()[:, :, i, j])).item() for i in range(2) for j in range(3)])
    value = dim_grid(wider, grid.float(), critic=critic, bound=jsd)
    assert value.item() == pytest.approx(expected, abs=1e-6)
    value.backward()
    assert all(p.grad is not None for p in critic.parameters())
    assert dim_grid(vectors, grid, critic=inner_products).item() == dim_grid(vectors, grid).item()


def test_ceiling_is_log_n():
    codes = 50 * torch.eye(16)
    grid = codes[:, :, None, None].expand(16, 16, 2, 2)
    assert dim_grid(codes, grid).item() == pytest.approx(math.log(16), abs=1e-5)
    assert dim_global(codes).item() == pytest.approx(math.log(16), abs=1e-5)
    for seed in range(10):
        assert dim_grid(*features(locations=(4,), seed=seed)).item() <= math.log(12)


def test_constant_features_have_no_information():
    _, grid = features()
    for bound in (infonce, jsd, donsker_varadhan):
        assert dim_grid(torch.zeros(12, 3, dtype=torch.float64), grid, bound=bound).item() == pytest.approx(
            0, abs=1e-12
        )


def test_prior_matching_equals_the_slow_twin_and_tells_nothing_at_zero():
    real, fake = torch.randn(2, 30, generator=seeded(5), dtype=torch.float64)
    expected = slow.prior_matching(real.tolist(), fake[:20].tolist())
    assert prior_matching(real, fake[:20]).item() == pytest.approx(expected, abs=1e-12)
    assert prior_matching(torch.zeros(3), torch.zeros(4, 1)).item() == pytest.approx(-2 * math.log(2))
    assert prior_matching(torch.full((3,), 1e4), torch.full((3,), -1e4)).item() == 0


def test_prior_matching_at_the_best_discriminator_is_the_divergence():
    """The prior uniform on [0, 1], the code on [0, 1/2]: the scores are log 1/2 below 1/2, infinite above."""
    prior = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    best = torch.where(prior < 0.5, math.log(0.5), 50 * torch.ones_like(prior))
    value = prior_matching(best, torch.full((500,), math.log(0.5), dtype=torch.float64)).item()
    mixture = 0.5 * 0.5 * math.log(0.5 / 0.75) + 0.5 * 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(1 / 0.75)
    assert value == pytest.approx(2 * mixture - 2 * math.log(2), abs=1e-9)


def test_a_sure_discriminator_still_gives_the_encoder_a_gradient():
    fake = torch.full((4,), 100.0, requires_grad=True)
    prior_matching(torch.zeros(4), fake).backward()
    assert fake.grad is not None
    assert torch.allclose(fake.grad, torch.full((4,), -0.25))


def test_gradients():
    vectors, grid = features(n=4, d=2, locations=(2,))
    assert torch.autograd.gradcheck(dim_grid, (vectors.requires_grad_(), grid.requires_grad_()))
    scores = torch.randn(4, 4, 3, generator=seeded(6), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: dim_local(s, bound=nwj), (scores,))
    assert torch.autograd.gradcheck(lambda s: dim_global(s[..., 0]), (scores,))
    assert torch.autograd.gradcheck(lambda s: prior_matching(s[0], s[1]), (scores,))


def test_without_gradient_one_location_is_held_at_a_time():
    held = []

    def critic(x, y):
        held.append(x.shape)
        return inner_products(x, y)

    vectors, grid = features(locations=(7,))
    assert not dim_grid(vectors, grid, critic=critic).requires_grad
    assert held == [vectors.shape] * 7


def test_types_and_state():
    vectors, grid = features()
    before, state = grid.clone(), torch.get_rng_state()
    expected = dim_grid(vectors, grid).item()
    assert dim_grid(vectors.numpy(), grid.numpy()).item() == expected
    assert dim_grid(vectors, grid.permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)).item() == expected
    halves = dim_grid(vectors.half(), grid.bfloat16())
    assert halves.dtype == torch.float32
    assert halves.item() == pytest.approx(dim_grid(vectors.half().double(), grid.bfloat16().double()).item(), abs=1e-5)
    assert dim_grid((10 * vectors).int(), grid).dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert dim_grid(vectors.float(), grid.float()).item() == pytest.approx(expected, abs=1e-5)
    assert dim_local(torch.zeros(3, 3, 2).half()).dtype == torch.float32
    assert prior_matching(np.zeros(3), torch.zeros(3).half()).dtype == torch.float64
    assert torch.equal(grid, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_is_refused():
    vectors, grid = features()
    for wrong in (torch.zeros(4, 4), torch.zeros(4, 3, 2), torch.zeros(4, 4, 0), torch.zeros(4)):
        with pytest.raises(
            ValueError, match=r"dim_local: scores must have shape \(n, n, locations\.\.\.\) with n >= 2, got"
        ):
            dim_local(wrong)
    with pytest.raises(ValueError, match="dim_local: scores must have shape"):
        dim_local(torch.zeros(1, 1, 3))
    for wrong in (torch.zeros(4), torch.zeros(1, 1), torch.zeros(4, 3), torch.zeros(4, 4, 2)):
        with pytest.raises(ValueError, match=r"dim_global: scores must have shape \(n, n\) with n >= 2, got"):
            dim_global(wrong)
    for wrong in (grid[:, :, 0, 0], grid[:1], grid[..., :0]):
        with pytest.raises(
            ValueError, match=r"dim_grid: grid must have shape \(n, channels, locations\.\.\.\) with n >= 2"
        ):
            dim_grid(vectors[: len(wrong)], wrong)
    for wrong in (vectors[1:], vectors[:, 0], grid[..., :2], grid[..., 0]):
        with pytest.raises(
            ValueError, match=r"dim_grid: first must be vectors .* or a grid with the locations of grid"
        ):
            dim_grid(wrong, grid)
    with pytest.raises(ValueError, match=r"dim_grid: first and grid must have equally many channels .*, got 2 and 3"):
        dim_grid(vectors[:, :2], grid)
    with pytest.raises(TypeError, match="dim_grid: first must hold real numbers"):
        dim_grid(vectors + 1j, grid)
    with pytest.raises(TypeError, match="dim_local: scores must hold real numbers"):
        dim_local(torch.zeros(2, 2, 2) + 1j)
    with pytest.raises(TypeError, match="dim_global: scores must hold real numbers"):
        dim_global(torch.zeros(2, 2) + 1j)
    with pytest.raises(ValueError, match="prior_matching: code_scores is empty"):
        prior_matching(torch.zeros(2), torch.zeros(0))
    with pytest.raises(TypeError, match="prior_matching: prior_scores must hold real numbers"):
        prior_matching(["a"], torch.zeros(2))
