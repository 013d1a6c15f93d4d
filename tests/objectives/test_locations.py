import math

import pytest
import torch
from tests.reference import spatial as slow
from torch import nn

from infotorch.estimators.bounds import infonce, jsd, nwj
from infotorch.estimators.spatial import dim_grid
from infotorch.objectives import locations
from infotorch.objectives.locations import at_each_location, at_most_locations, average_bound, image_patches

BOUNDS = {"infonce": infonce, "jsd": jsd, "nwj": nwj}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def embeddings():
    """Five rows at six locations, correlated so that no bound is close to zero."""
    first = torch.randn(6, 5, 3, generator=seeded(), dtype=torch.float64)
    return first, first + 0.5 * torch.randn(6, 5, 3, generator=seeded(1), dtype=torch.float64)


class TestAverageBound:
    def test_perfect_scores_at_half_of_the_locations_give_half_of_log_n(self):
        codes = 20 * torch.eye(4).expand(2, 4, 4) * torch.tensor([1.0, 0.0]).view(2, 1, 1)
        assert average_bound(codes, codes, bound="infonce").item() == pytest.approx(math.log(4) / 2, abs=1e-6)

    def test_infonce_is_its_slow_twin(self, embeddings):
        first, second = (e.transpose(0, 1).tolist() for e in embeddings)
        assert average_bound(*embeddings, bound="infonce").item() == pytest.approx(
            slow.dim_local(first, second), abs=1e-12
        )

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("at_once", [1, 2 * 5**2, 2**20])
    def test_it_is_the_bound_of_each_location_averaged_however_many_go_at_once(
        self, bound, at_once, embeddings, monkeypatch
    ):
        monkeypatch.setattr(locations, "_SCORES_AT_ONCE", at_once)
        first, second = embeddings
        wanted = torch.stack([BOUNDS[bound](a @ b.T + 0.3) for a, b in zip(first, second, strict=True)]).mean()
        assert average_bound(first, second, bound=bound, offset=0.3).item() == pytest.approx(wanted.item(), abs=1e-12)
        grid = dim_grid(
            first.permute(1, 2, 0),
            second.permute(1, 2, 0),
            critic=lambda a, b: a @ b.T + 0.3,
            bound=BOUNDS[bound],
        )
        assert wanted.item() == pytest.approx(grid.item(), abs=1e-12)

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_one_embedding_serves_all_places(self, bound, embeddings):
        first, second = embeddings
        repeated = average_bound(first[:1].expand(6, 5, 3), second, bound=bound)
        assert torch.equal(average_bound(first[:1], second, bound=bound), repeated)
        swapped = average_bound(second, first[:1].expand(6, 5, 3), bound=bound)
        assert torch.equal(average_bound(second, first[:1], bound=bound), swapped)

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_gradients(self, bound, embeddings):
        first, second = (e[:2, :3].clone().requires_grad_() for e in embeddings)
        offset = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(
            lambda a, b, c: average_bound(a, b, bound=bound, offset=c), (first, second, offset)
        )

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_what_is_not_finite_is_passed_on(self, bound, value, embeddings):
        first, second = embeddings[0].clone(), embeddings[1]
        first[3, 2, 1] = value
        assert not torch.isfinite(average_bound(first, second, bound=bound))

    def test_narrow_embeddings_are_scored_in_full_precision(self, embeddings):
        first, second = (e.bfloat16() for e in embeddings)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            narrow = average_bound(first, second, bound="infonce")
        assert narrow.dtype == torch.float32
        assert torch.equal(narrow, average_bound(first.float(), second.float(), bound="infonce"))


class TestAtMostLocations:
    def test_it_averages_blocks(self):
        grid = torch.randn(2, 3, 8, 4, generator=seeded(), dtype=torch.float64)
        wanted = grid.unflatten(2, (4, 2)).mean(dim=3)
        assert torch.allclose(at_most_locations(grid, 4), wanted, rtol=0, atol=1e-15)

    def test_a_grid_that_is_no_square_is_averaged_along_both_sides(self):
        grid = torch.randn(3, 2, 6, 4, generator=seeded())
        wanted = grid.reshape(3, 2, 2, 3, 2, 2).mean(dim=(3, 5))
        torch.testing.assert_close(at_most_locations(grid, 2), wanted)

    @pytest.mark.parametrize(
        ("shape", "size"), [((2, 3, 4, 4), 4), ((3, 2, 4, 1), 4), ((2, 3, 9, 9), None), ((5, 40), 4)]
    )
    def test_what_is_small_enough_or_no_grid_stays_as_it_is(self, shape, size):
        output = torch.randn(shape, generator=seeded())
        assert at_most_locations(output, size) is output


class TestPatches:
    def test_a_patch_is_what_lies_at_the_place_and_a_pixel_around_it(self):
        x = torch.randn(2, 3, 8, 12, generator=seeded())
        patches = image_patches(x, 4, 3)
        padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
        assert patches.shape == (2, 3 * 4 * 6, 12)
        for row in range(4):
            for column in range(3):
                wanted = padded[:, :, 2 * row : 2 * row + 4, 4 * column : 4 * column + 6].flatten(1)
                assert torch.equal(patches[:, :, 3 * row + column], wanted)

    @pytest.mark.parametrize("size", [1, 3, 5, 13, 28, 40])
    def test_any_grid_gets_patches_of_one_size(self, size):
        """An image of one colour is one in every patch that does not touch the border's zeros."""
        patches = image_patches(torch.full((2, 1, 28, 28), 0.7), size, size)
        assert patches.shape[2] == size**2
        inner = patches.view(2, -1, size, size)[:, :, 1:-1, 1:-1]
        assert torch.allclose(inner, torch.tensor(0.7))


def test_by_place_is_the_network_at_every_place():
    grid, network = torch.randn(5, 3, 7, generator=seeded()), nn.Linear(3, 2)
    outputs = at_each_location(network, grid)
    assert all(torch.allclose(outputs[p], network(grid[:, :, p]), atol=1e-6) for p in range(7))
