"""Scores of six views against a loop over them by hand."""

import pytest
import torch

from infotorch.training.image_views import check_views, view_scores


def moved(image, down, right):
    """An image shifted down and right; what comes in is the pixel on the other side of the border."""
    channels, height, width = image.shape
    out = torch.zeros_like(image)
    for channel in range(channels):
        for row in range(height):
            for column in range(width):
                above, left = row - down, column - right
                above = -above if above < 0 else 2 * (height - 1) - above if above >= height else above
                left = -left if left < 0 else 2 * (width - 1) - left if left >= width else left
                out[channel, row, column] = image[channel, above, left]
    return out


@pytest.mark.parametrize("mirror", [True, False])
def test_it_is_the_weighted_mean_of_a_loop_over_views(mirror):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 2, 5, 6, generator=generator, dtype=torch.float64)
    weights = torch.randn(60, 4, generator=generator, dtype=torch.float64)

    def scores(x):
        return (x.flatten(1) @ weights).tanh()

    wanted = []
    for image in images:
        views = [(image, 0.5), (moved(image, -1, -1), 0.25), (moved(image, 1, 1), 0.25)]
        if mirror:
            views = [(seen, weight / 2) for view, weight in views for seen in (view, view.flip(2))]
        assert len(views) == (6 if mirror else 3)
        wanted.append(sum(weight * scores(view[None]) for view, weight in views))
    assert torch.allclose(view_scores(scores, mirror=mirror)(images), torch.cat(wanted), rtol=1e-12)


def test_what_has_no_views_is_refused():
    with pytest.raises(ValueError, match=r"toy: data\.test_views needs images .* got rows of shape \(4,\)"):
        check_views(torch.zeros(3, 4), where="toy")
    with pytest.raises(ValueError, match="got samples that are no tensor"):
        check_views([1], where="toy")
    with pytest.raises(TypeError, match="view_scores: scores must be a function, got 3"):
        view_scores(3, mirror=True)
