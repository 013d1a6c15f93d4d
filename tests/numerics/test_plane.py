"""The k-th neighbour in the plane: all distances, with the compiled loops and without them."""

import pytest
import torch

from infotorch.numerics.plane import plane_radii


@pytest.mark.parametrize("k", [1, 3, 9])
@pytest.mark.parametrize("noise", [0.0, 0.1, 10.0])
def test_the_radius_is_that_of_all_distances(either_way, k, noise):
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(60, generator=generator, dtype=torch.float64).sort().values
    columns = y + noise * torch.randn(3, 60, generator=generator, dtype=torch.float64)
    gap = torch.maximum((columns[:, :, None] - columns[:, None]).abs(), (y[:, None] - y).abs())
    nearest = gap.sort(dim=2).values[:, :, k]  # the first is the point itself
    assert torch.equal(plane_radii(columns, y, k), nearest)


def test_points_that_coincide_are_neighbours(either_way):
    y = torch.tensor([0.0, 0.0, 0.0, 5.0], dtype=torch.float64)
    assert plane_radii(y[None], y, 1).tolist() == [[0.0, 0.0, 0.0, 5.0]]
