import pytest
import torch

from infotorch.estimators.encoders import form_of, readable
from infotorch.estimators.patches import patch_features

IMAGES = torch.rand(30, 2, 12, 10, generator=torch.Generator().manual_seed(0))
TRAIN = torch.arange(20)


def test_units_do_not_matter():
    features = patch_features(IMAGES, TRAIN)
    # The variance of a patch is a difference of sums of float32: a patch at the edge of likeness may cross it.
    assert (patch_features(3 * IMAGES + 1, TRAIN) - features).abs().mean() < 0.02
    assert torch.isfinite(patch_features(torch.ones(9, 1, 8, 8), torch.arange(5))).all()


def test_a_patch_is_found_wherever_it_lies():
    blank = torch.zeros(1, 1, 16, 16)
    shape = torch.rand(7, 7, generator=torch.Generator().manual_seed(1))
    images = blank.repeat(30, 1, 1, 1)
    for i in range(30):
        images[i, 0, i % 9 : i % 9 + 7, 8 - i % 9 : 15 - i % 9] = shape
    anywhere = patch_features(images, TRAIN)[:, :256]
    middle = anywhere[[i for i in range(30) if 2 < i % 9 < 6]]  # where no patch is cut at the edge
    assert middle.std(dim=0).median() < 0.1


@pytest.mark.parametrize(
    ("shape", "form"),
    [((28, 28), "images"), ((3, 8, 8), "images"), ((8, 8, 3), "images"), ((7, 28), "columns"), ((64,), "columns")],
)
def test_shapes_tell_images(shape, form):
    rows = torch.rand(6, int(torch.tensor(shape).prod()))
    assert form_of(shape, rows) == form
    assert readable(shape, rows, torch.arange(4)).form == form


def test_channels_come_first_or_last():
    last = IMAGES.permute(0, 2, 3, 1).flatten(1)
    first, second = readable((2, 12, 10), IMAGES.flatten(1), TRAIN), readable((12, 10, 2), last, TRAIN)
    assert torch.equal(first.samples, second.samples)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_images_in_any_unit_have_finite_features(unit):
    rows = unit * IMAGES.flatten(1).double()
    assert torch.isfinite(readable((2, 12, 10), rows, TRAIN).samples).all()


def test_integers_that_repeat_are_tokens():
    assert form_of((5,), torch.randint(9, (50, 5))) == "tokens"
    assert form_of((5,), torch.arange(250).reshape(50, 5)) == "columns"
    assert form_of((5,), torch.randint(9, (50, 5)).double()) == "columns"
