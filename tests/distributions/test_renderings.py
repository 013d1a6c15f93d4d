import pytest
import torch

from infotorch.distributions.renderings import gaussian_images, rectangle_images


def shares(columns, n=500):
    return torch.rand(n, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_bump_shows_its_place():
    places = shares(2)
    images = gaussian_images(places, size=16, width=1.5)
    # The logarithm of neighbouring pixels' ratio is linear in the place.
    log_ratio = (images[:, 8:9, 8:9] / torch.stack([images[:, 7:8, 8:9], images[:, 8:9, 7:8]])).log()[:, :, 0, 0].T
    assert torch.allclose((7.5 + 1.5**2 * log_ratio) / 15, places, atol=1e-9)


def test_a_rectangle_shows_where_it_lies():
    rows = torch.cat([shares(4), torch.zeros(1, 4), torch.ones(1, 4)])
    images = rectangle_images(rows, size=16)
    assert float(images.amax(dim=(1, 2)).min()) == 1.0  # one pixel at least is covered whole
    for axis, (place, length) in enumerate([(0, 1), (2, 3)]):
        profile = images.amax(dim=2 - axis)
        total = profile.sum(dim=1)
        first = (profile > 0).double().argmax(dim=1)
        begin = first + 1 - profile[torch.arange(len(rows)), first]
        assert torch.allclose((total - 2) / 6, rows[:, length], atol=1e-12)
        assert torch.allclose(begin / (16 - total), rows[:, place], atol=1e-12)


def test_wrong_input_is_refused():
    with pytest.raises(
        ValueError, match=r"gaussian_images: rows must be 2 columns of values in \[0, 1\], got shape \(5, 4"
    ):
        gaussian_images(shares(4, 5))
    with pytest.raises(
        ValueError, match=r"rectangle_images: rows must be 4 columns of values in \[0, 1\], got shape \(5, 4"
    ):
        rectangle_images(shares(4, 5) + 1)
    with pytest.raises(ValueError, match="rectangle_images: size must be at least 8, got 7"):
        rectangle_images(shares(4), size=7)
    with pytest.raises(ValueError, match="gaussian_images: size must be at least 2, got 1"):
        gaussian_images(shares(2), size=1)
    with pytest.raises(ValueError, match="gaussian_images: width must be positive and finite, got 0"):
        gaussian_images(shares(2), width=0)
    with pytest.raises(TypeError, match="gaussian_images: rows must hold real numbers"):
        gaussian_images("a")
