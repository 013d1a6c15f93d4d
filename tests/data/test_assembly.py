from __future__ import annotations

import pytest
import torch

from infotorch.data.assembly import Options, Raw, assemble, fit_scaling, resized
from infotorch.data.sets import Split


def vectors(**changes) -> Raw:
    """A hundred training rows and ten test rows; row k is (k, 1 if k is odd, 7), so that a row tells its number."""
    k = torch.arange(110.0)
    every = Split(torch.stack([k, k % 2, torch.full_like(k, 7.0)], dim=1), (k % 2).long())
    values = {"validation": 10, "numeric": None} | changes
    return Raw("vectors", every.select(torch.arange(100)), every.select(torch.arange(100, 110)), 2, "a note", **values)


def regression() -> Raw:
    k = torch.arange(60.0)
    every = Split(k[:, None], torch.stack([20 + 2 * k, -k], dim=1))
    train, test = every.select(torch.arange(50)), every.select(torch.arange(50, 60))
    return Raw("regression", train, test, None, "", 10, standardise=True, groups=torch.arange(50) // 5)


def test_the_three_parts_are_disjoint_and_complete():
    data = assemble(vectors(), "toy", Options())
    numbers = torch.cat([part.x[:, 0] for part in (data.train, data.validation, data.test)])
    assert numbers.sort().values.tolist() == list(range(110))
    assert data.test.x[:, 0].tolist() == list(range(100, 110))
    assert data.validation.y.bincount().tolist() == [5, 5]
    assert (data.name, data.kind, data.num_classes, data.note) == ("toy", "vectors", 2, "a note")


def test_validation_does_not_depend_on_the_limit_nor_on_the_scaling():
    one = assemble(vectors(), "toy", Options(seed=3))
    two = assemble(vectors(), "toy", Options(seed=3, limit=20, scaling="standard"))
    assert two.input_scaling is not None
    assert torch.allclose(two.input_scaling.invert(two.validation.x), one.validation.x, atol=1e-4)


def test_limit_is_exact_stratified_and_drawn_by_seed():
    parts = [assemble(vectors(), "toy", Options(seed=seed, limit=20)).train for seed in (0, 0, 1)]
    assert [part.y.bincount().tolist() for part in parts] == [[10, 10]] * 3
    assert torch.equal(parts[0].x, parts[1].x)
    assert not torch.equal(parts[0].x, parts[2].x)


def test_a_limit_of_all_rows_changes_nothing():
    assert torch.equal(
        assemble(vectors(), "toy", Options(limit=90)).train.x, assemble(vectors(), "toy", Options()).train.x
    )


def test_scaling_is_fitted_on_the_training_rows_that_are_left():
    data = assemble(vectors(), "toy", Options(limit=30, scaling="standard"))
    z = data.train.x.double()
    assert z.mean(dim=0)[:2].abs().max() < 1e-6  # float32 rounding of values below 2
    assert (z.std(dim=0, correction=0)[:2] - 1).abs().max() < 1e-6
    raw = assemble(vectors(), "toy", Options(limit=30)).train.x
    assert torch.allclose(data.input_scaling.mean, raw.mean(dim=0))
    assert torch.allclose(data.input_scaling.std[:2], raw.std(dim=0, correction=0)[:2])
    assert data.test.x[:, 0].mean() > 1  # the test rows lie beyond the training rows and did not move the mean


def test_a_constant_column_is_centred_and_not_divided():
    data = assemble(vectors(), "toy", Options(scaling="standard"))
    assert data.train.x[:, 2].tolist() == [0.0] * 90
    assert data.input_scaling.std[2] == 1


def test_columns_that_are_not_numeric_are_left_alone():
    data = assemble(vectors(numeric=(0,)), "toy", Options(scaling="standard"))
    assert data.train.x[:, 1].unique().tolist() == [0.0, 1.0]
    assert data.train.x[:, 2].unique().tolist() == [7.0]
    assert data.train.x[:, 0].mean().abs() < 1e-6


def test_a_constant_of_many_digits_is_constant():
    assert fit_scaling(torch.full((1000, 1), 0.1)).std.item() == 1  # a mean over 1000 rounded tenths is off by 1e-17


def test_images_are_scaled_by_channel_and_bytes_become_fractions():
    pixels = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2).repeat(20, 2, 2, 1)
    pixels[:, 1] = 51
    split = Split(pixels, torch.arange(20) % 2)
    raw = Raw("images", split, split, 2, "", validation=4)
    plain = assemble(raw, "toy", Options())
    assert plain.train.x[0].tolist() == [[[0, 1], [0, 1]], [[pytest.approx(0.2)] * 2] * 2]
    scaled = assemble(raw, "toy", Options(scaling="standard"))
    assert scaled.train.x[0, 0].tolist() == [[-1, 1], [-1, 1]]
    assert scaled.train.x[0, 1].abs().max() < 1e-6
    assert scaled.input_scaling.mean.shape == (2, 1, 1)
    assert pixels.dtype == torch.uint8  # the reader's tensor is untouched
    assert pixels[0, 0, 0, 1] == 255


def test_regression_targets_come_back_in_their_own_unit():
    data = assemble(regression(), "toy", Options())
    assert data.train.y.mean(dim=0).abs().max() < 1e-6
    back = data.target_scaling.invert(data.test.y)
    assert torch.allclose(back[:, 0], 20 + 2 * torch.arange(50.0, 60.0), atol=1e-4)


def test_regression_can_stay_in_its_own_unit():
    data = assemble(regression(), "toy", Options(scaling="none"))
    assert data.input_scaling is data.target_scaling is None
    assert data.test.y[0].tolist() == [120.0, -50.0]


def test_regression_holds_out_whole_groups():
    data = assemble(regression(), "toy", Options(scaling="none"))
    held = {int(x) // 5 for x in data.validation.x}
    assert len(data.validation) == 10
    assert len(held) == 2
    assert held.isdisjoint({int(x) // 5 for x in data.train.x})


def test_a_limit_on_regression_is_a_plain_draw():
    assert len(assemble(regression(), "toy", Options(limit=7)).train) == 7


def test_validation_of_the_publisher_is_taken_as_it_is():
    own = Split(torch.zeros(3, 3), torch.zeros(3, dtype=torch.int64))
    data = assemble(vectors(held_out=own), "toy", Options())
    assert len(data.validation) == 3
    assert len(data.train) == 100
    with pytest.raises(ValueError, match="validation cannot be chosen: the set brings its own validation samples"):
        assemble(vectors(held_out=own), "toy", Options(validation=5))


@pytest.mark.parametrize("limit", [0, 91, -3])
def test_a_limit_outside_the_training_rows(limit):
    with pytest.raises(ValueError, match=f"limit must lie in 1 to 90, the training samples, got {limit}"):
        assemble(vectors(), "toy", Options(limit=limit))


@pytest.mark.parametrize("limit", [0.5, True, "many"])
def test_a_limit_that_is_no_number_of_rows(limit):
    with pytest.raises(TypeError, match="limit must be a number of training samples, got"):
        assemble(vectors(), "toy", Options(limit=limit))


def test_an_unknown_scaling():
    with pytest.raises(ValueError, match="scaling must be one of none, standard, signed, got 'unit'"):
        assemble(vectors(), "toy", Options(scaling="unit"))


def images(**changes) -> Raw:
    """Thirty images of three classes, 4 x 4 bytes; every pixel of row k is k."""
    k = torch.arange(30, dtype=torch.uint8)
    split = Split(k[:, None, None, None].expand(30, 1, 4, 4).contiguous(), torch.arange(30) % 3)
    return Raw("images", split, split.select(torch.arange(6)), 3, "a note", **({"validation": 6} | changes))


def rows_of(split) -> list[int]:
    return (split.x[:, 0, 0, 0] * 255).round().int().tolist()


class TestClasses:
    def test_other_rows_are_left_out_everywhere_and_classes_count_in_the_order_given(self):
        data = assemble(images(), "toy", Options(classes=(2, 0)))
        assert data.num_classes == 2
        assert [len(data.train), len(data.validation), len(data.test)] == [14, 6, 4]
        for split in (data.train, data.validation, data.test):
            assert [{2: 0, 0: 1}[row % 3] for row in rows_of(split)] == split.y.tolist()
        assert data.note == "a note Only the classes 2, 0, numbered from 0."

    def test_limit_and_validation_count_rows_of_these_classes(self):
        data = assemble(images(validation=10), "toy", Options(classes=(0, 1), limit=6, validation=4))
        assert [part.y.bincount().tolist() for part in (data.train, data.validation)] == [[3, 3], [2, 2]]

    def test_all_classes_in_order_change_nothing(self):
        chosen, whole = (assemble(images(), "toy", Options(classes=c)) for c in ((0, 1, 2), None))
        for part in ("train", "validation", "test"):
            assert torch.equal(getattr(chosen, part).x, getattr(whole, part).x)
            assert torch.equal(getattr(chosen, part).y, getattr(whole, part).y)

    def test_the_publishers_own_validation_is_chosen_from_too(self):
        own = Split(torch.full((3, 1, 4, 4), 9, dtype=torch.uint8), torch.tensor([0, 1, 2]))
        data = assemble(images(held_out=own), "toy", Options(classes=(1,)))
        assert data.validation.y.tolist() == [0]

    @pytest.mark.parametrize("classes", [(), (0, 0), (3,), (-1, 0)])
    def test_classes_that_are_not_there(self, classes):
        with pytest.raises(ValueError, match=r"load: classes must differ and lie in 0 to 2, got \("):
            assemble(images(), "toy", Options(classes=classes))

    def test_regression_has_none(self):
        with pytest.raises(ValueError, match="classes cannot be chosen: toy has none"):
            assemble(regression(), "toy", Options(classes=(0,)))


class TestImages:
    def test_signed_pixels_reach_from_minus_1_to_1_exactly_and_come_back(self):
        pixels = torch.tensor([0, 255], dtype=torch.uint8).repeat(20, 1, 1, 1)
        split = Split(pixels, torch.arange(20) % 2)
        data = assemble(Raw("images", split, split, 2, "", validation=4), "toy", Options(scaling="signed"))
        assert data.train.x[0].tolist() == [[[-1.0, 1.0]]]
        assert data.input_scaling.invert(data.test.x).unique().tolist() == [0.0, 1.0]

    def test_resizing_keeps_constant_images_and_comes_before_the_scaling(self):
        data = assemble(images(), "toy", Options(image_size=7, scaling="signed"))
        assert data.train.x.shape[1:] == (1, 7, 7)
        rows = data.input_scaling.invert(data.test.x) * 255
        assert torch.allclose(rows, torch.arange(6.0)[:, None, None, None].expand_as(rows), atol=1e-4)

    def test_resizing_is_bilinear_between_the_centres_of_pixels(self):
        ramp = torch.arange(4.0).expand(1, 1, 4, 4)
        centres = (torch.arange(8.0) + 0.5) / 2 - 0.5
        assert torch.allclose(resized(ramp, 8)[0, 0, 0], centres.clamp(0, 3))

    def test_shrinking_averages_and_its_own_size_changes_nothing(self):
        board = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float()[None, None]
        assert (resized(board, 4)[..., 1:-1, 1:-1] - 0.5).abs().max() < 1e-6
        assert torch.equal(resized(board, 8), board)

    @pytest.mark.parametrize(("option", "message"), [
        ({"image_size": 8}, "image_size cannot be chosen: toy has no images"),
        ({"scaling": "signed"}, "scaling 'signed' is for images, and toy has none"),
    ])  # fmt: skip
    def test_vectors_are_no_images(self, option, message):
        with pytest.raises(ValueError, match=message):
            assemble(vectors(), "toy", Options(**option))

    @pytest.mark.parametrize(("size", "error"), [(0, ValueError), (2**62, ValueError), (2.5, TypeError)])
    def test_a_size_that_is_none(self, size, error):
        with pytest.raises(error, match="load: image_size must be"):
            assemble(images(), "toy", Options(image_size=size))
