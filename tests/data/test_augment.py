"""Crops and flips: exactly those of a loop over images, and a function of (seed, epoch, row) alone."""

import pytest
import torch
from torch import nn

from infotorch.data.augment import (
    augmentation_for,
    check_augmentation,
    crop_and_flip,
    crops_and_flips,
    shift_and_flip,
    shifts_and_flips,
)
from infotorch.data.batches import TensorBatches
from infotorch.data.folders import ImageFiles
from infotorch.data.graphs import NodeSamples
from infotorch.numerics.seeds import SeedStreams
from infotorch.training.inputs import batches_of
from infotorch.training.loop import train
from infotorch.training.plan import Plan


def images(count, *shape, dtype=torch.float64):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def pixel_by_pixel(image, top, left, mirrored):
    """The crop of one image, from its definition: what lies outside is 0."""
    height, width = image.shape[1:]
    out = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            from_row = row + top - 4
            from_column = (width - 1 - column if mirrored else column) + left - 4
            if 0 <= from_row < height and 0 <= from_column < width:
                out[:, row, column] = image[:, from_row, from_column]
    return out


class TestCropAndFlip:
    @pytest.mark.parametrize("shape", [(1, 6, 6), (3, 5, 9), (2, 1, 1), (1, 3, 12)])
    def test_it_is_the_loop_over_images_and_pixels(self, shape):
        x, choices = images(20, *shape), crops_and_flips(20, SeedStreams(3), 0)
        wanted = torch.stack([pixel_by_pixel(row, *c.tolist()) for row, c in zip(x, choices, strict=True)])
        assert torch.equal(crop_and_flip(x, choices), wanted)

    def test_the_middle_of_the_margin_leaves_an_image_as_it_is(self):
        x = images(3, 2, 5, 7)
        assert torch.equal(crop_and_flip(x, torch.tensor([[4, 4, 0]] * 3)), x)
        assert torch.equal(crop_and_flip(x, torch.tensor([[4, 4, 1]] * 3)), x.flip(3))

    @pytest.mark.parametrize(("edges", "lost"), [((0, 4), 4), ((8, 4), 4), ((4, 0), 4), ((4, 8), 4)])
    def test_the_outermost_crops_lose_four_rows_or_columns(self, edges, lost):
        found = crop_and_flip(torch.ones(1, 1, 10, 10), torch.tensor([[*edges, 0]]))
        assert int(found.sum()) == 10 * (10 - lost)

    def test_two_flips_undo_each_other(self):
        x, mirror = images(4, 3, 6, 6), torch.tensor([[4, 4, 1]] * 4)
        assert torch.equal(crop_and_flip(crop_and_flip(x, mirror), mirror), x)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.uint8])
    def test_every_kind_of_number_stays_what_it_is(self, dtype):
        x = torch.arange(2 * 3 * 6 * 6).reshape(2, 3, 6, 6).to(dtype)
        found = crop_and_flip(x, torch.tensor([[5, 3, 1], [4, 4, 0]]))
        assert found.dtype == dtype
        assert torch.equal(found[1], x[1])
        assert torch.equal(found[0], pixel_by_pixel(x[0], 5, 3, 1))

    def test_the_callers_images_stay_and_strided_ones_pass(self):
        x = images(6, 6, 5, 3).permute(0, 3, 1, 2)
        before, choices = x.clone(), crops_and_flips(6, SeedStreams(0), 0)
        assert torch.equal(crop_and_flip(x, choices), crop_and_flip(x.contiguous(), choices))
        assert torch.equal(x, before)


class TestChoices:
    def test_all_81_crops_are_equally_likely_and_half_are_mirrored(self):
        choices = crops_and_flips(81_000, SeedStreams(0), 0)
        crops = (choices[:, 0] * 9 + choices[:, 1]).bincount(minlength=81)
        assert len(crops) == 81
        # chi-square with 80 degrees of freedom: mean 80, deviation sqrt(160) = 12.6
        assert abs(float(((crops - 1000) ** 2 / 1000).sum()) - 80) < 4 * 12.6
        assert choices[:, 2].double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / 81_000**0.5)
        assert torch.corrcoef(choices.double().T).triu(1).abs().max() < 4 / 81_000**0.5

    def test_they_are_fixed_by_seed_and_position_and_differ_otherwise(self):
        first = crops_and_flips(50, SeedStreams(0), 1)
        assert torch.equal(first, crops_and_flips(50, SeedStreams(0), 1))
        for other in (crops_and_flips(50, SeedStreams(0), 2), crops_and_flips(50, SeedStreams(1), 1)):
            # 162 outcomes: two rows agree by chance once in 162
            assert int((first == other).all(dim=1).sum()) < 6

    def test_the_global_random_state_stays(self):
        before = torch.get_rng_state()
        crops_and_flips(50, SeedStreams(0), 1)
        assert torch.equal(torch.get_rng_state(), before)


def shifted(image, top, left, mirrored):
    """An image shifted and perhaps mirrored, by definition: outside, pixels are those on the border's other side."""
    height, width = image.shape[1:]
    out = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            from_row = row + top - 2
            from_column = (width - 1 - column if mirrored else column) + left - 2
            from_row = min(abs(from_row), 2 * (height - 1) - from_row)
            from_column = min(abs(from_column), 2 * (width - 1) - from_column)
            out[:, row, column] = image[:, from_row, from_column]
    return out


class TestShiftsAndFlips:
    @pytest.mark.parametrize("shape", [(1, 6, 6), (3, 3, 9)])
    def test_they_are_the_loop_over_images_and_pixels(self, shape):
        x, choices = images(60, *shape), shifts_and_flips(60, SeedStreams(3), 0)
        wanted = torch.stack([shifted(row, *c.tolist()) for row, c in zip(x, choices, strict=True)])
        assert torch.equal(shift_and_flip(x, choices), wanted)

    def test_every_image_is_mirrored_in_exactly_every_second_epoch(self):
        epochs = torch.stack([shifts_and_flips(1000, SeedStreams(0), epoch)[:, 2] for epoch in range(6)])
        assert torch.equal(epochs[0] + epochs[1], torch.ones(1000, dtype=torch.int64))
        assert all(torch.equal(epochs[e], epochs[e % 2]) for e in range(6))
        assert epochs[0].double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / 1000**0.5)
        assert not torch.equal(epochs[0], shifts_and_flips(1000, SeedStreams(1), 0)[:, 2])

    def test_all_25_shifts_are_equally_likely_and_drawn_anew_in_every_epoch(self):
        first, second = (shifts_and_flips(25_000, SeedStreams(0), epoch)[:, :2] for epoch in (0, 1))
        counts = (first[:, 0] * 5 + first[:, 1]).bincount(minlength=25)
        assert len(counts) == 25
        # chi-square with 24 degrees of freedom: mean 24, deviation sqrt(48) = 6.9
        assert abs(float(((counts - 1000) ** 2 / 1000).sum()) - 24) < 4 * 6.9
        assert int((first == second).all(dim=1).sum()) == pytest.approx(1000, abs=4 * 1000**0.5)

    def test_batches_show_them_and_can_be_entered_anywhere(self):
        x = images(21, 1, 6, 6)
        batches = TensorBatches(x, None, batch_size=4, seed=5, augment="shifts-flips")
        whole, choices = list(batches.epoch(3)), shifts_and_flips(21, SeedStreams(5), 3)
        for row, image in ((int(r), i) for batch in whole for r, i in zip(batch.rows, batch.x, strict=True)):
            assert torch.equal(image, shifted(x[row], *choices[row].tolist()))
        for late, batch in zip(batches.epoch(3, start=2), whole[2:], strict=True):
            assert torch.equal(late.x, batch.x)

    def test_digits_are_shifted_alone(self):
        assert augmentation_for("mnist", "shifts-flips") == augmentation_for("digits", "shifts-flips") == "shifts"
        for name, augment in (("cifar10", "shifts-flips"), ("fashion-mnist", "shifts-flips"), ("mnist", "crops-flips")):
            assert augmentation_for(name, augment) == augment
        x = images(9, 1, 6, 6)
        (batch,) = TensorBatches(x, None, batch_size=9, augment="shifts").epoch(1)
        choices = shifts_and_flips(9, SeedStreams(0), 1)
        for row, image in zip(batch.rows.tolist(), batch.x, strict=True):
            assert torch.equal(image, shifted(x[row], *choices[row, :2].tolist(), 0))

    def test_images_that_are_too_small_are_refused(self):
        with pytest.raises(ValueError, match=r"augment='shifts' needs sides above 2, got \(6, 2\)"):
            TensorBatches(torch.zeros(5, 1, 6, 2), None, batch_size=2, augment="shifts")


class TestBatches:
    @staticmethod
    def by_row(batches, epoch=0, start=0):
        return {
            int(row): image
            for batch in batches.epoch(epoch, start=start)
            for row, image in zip(batch.rows, batch.x, strict=True)
        }

    def test_an_image_of_a_batch_is_its_rows_own_crop(self):
        x = images(21, 1, 6, 6)
        found = self.by_row(TensorBatches(x, None, batch_size=4, seed=5, augment="crops-flips"), epoch=2)
        choices = crops_and_flips(21, SeedStreams(5), 2)
        assert sorted(found) == list(range(21))
        for row, image in found.items():
            assert torch.equal(image, pixel_by_pixel(x[row], *choices[row].tolist()))

    def test_the_batch_that_a_row_falls_to_changes_nothing(self):
        """So processes that share an epoch, and batches of another size, see the same images."""
        x = images(21, 1, 6, 6)
        small, large = (
            self.by_row(TensorBatches(x, None, batch_size=size, shuffle=shuffle, augment="crops-flips"))
            for size, shuffle in ((4, True), (10, False))
        )
        assert all(torch.equal(small[row], large[row]) for row in range(21))

    def test_an_epoch_entered_in_the_middle_is_the_rest_of_the_whole_one(self):
        batches = TensorBatches(images(21, 1, 6, 6), torch.arange(21), batch_size=4, augment="crops-flips")
        whole = list(batches.epoch(1))[3:]
        for late, batch in zip(whole, batches.epoch(1, start=3), strict=True):
            assert torch.equal(late.x, batch.x)
            assert torch.equal(late.y, batch.y)

    def test_every_epoch_sees_others_and_none_leaves_images_alone(self):
        x = images(21, 1, 6, 6)
        batches = TensorBatches(x, None, batch_size=4, augment="crops-flips")
        first, second = self.by_row(batches, 0), self.by_row(batches, 1)
        assert sum(torch.equal(first[row], second[row]) for row in range(21)) < 5
        plain = self.by_row(TensorBatches(x, None, batch_size=4))
        assert all(torch.equal(plain[row], x[row]) for row in range(21))

    def test_the_order_and_the_labels_do_not_change(self):
        x, y = images(21, 1, 6, 6), torch.arange(21)
        for plain, changed in zip(
            TensorBatches(x, y, batch_size=4).epoch(3),
            TensorBatches(x, y, batch_size=4, augment="crops-flips").epoch(3),
            strict=True,
        ):
            assert torch.equal(plain.rows, changed.rows)
            assert torch.equal(plain.y, changed.y)

    def test_rows_that_come_again_within_an_epoch_come_changed(self):
        """Few labelled rows make several passes an epoch, each with crops of its own; entered anywhere."""
        x, y = images(24, 1, 6, 6), torch.tensor([0, 1, 0, 1] + [-1] * 20)
        batches = TensorBatches(x, y, batch_size=4, augment="crops-flips").labelled()
        steps = list(batches.epoch(0))
        assert len(steps) == 6
        for number, batch in enumerate(steps):
            choices = crops_and_flips(24, SeedStreams(0), 0, number)
            for row, image in zip(batch.rows.tolist(), batch.x, strict=True):
                assert torch.equal(image, pixel_by_pixel(x[row], *choices[row].tolist()))
        for late, batch in zip(steps[4:], batches.epoch(0, start=4), strict=True):
            assert torch.equal(late.x, batch.x)


class TestTraining:
    @staticmethod
    def trained(seed_of_batches=0, stop=None, **settings):
        x, y = images(40, 1, 6, 6, dtype=torch.float32), torch.arange(40) % 3
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
        plan = Plan.end_to_end(model, optimizer=lambda p: torch.optim.SGD(p, lr=0.1))
        batches = TensorBatches(x, y, batch_size=8, seed=seed_of_batches, **settings)
        at = None
        for info in train(plan, batches, epochs=3):
            at = info.next
            if info.next.steps == stop:
                break
        if stop is not None:
            for _ in train(plan, batches, epochs=3, start=at):
                continue
        return model[1].weight.detach()

    def test_a_run_that_goes_on_repeats_the_uninterrupted_one_to_the_last_bit(self):
        whole = self.trained(augment="crops-flips")
        assert torch.equal(self.trained(augment="crops-flips", stop=7), whole)
        assert not torch.equal(self.trained(), whole)
        assert not torch.equal(self.trained(1, augment="crops-flips"), whole)

    def test_a_cache_is_refused(self):
        x, y = images(12, 1, 6, 6, dtype=torch.float32), torch.arange(12) % 3
        model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.ReLU(), nn.Linear(4, 3))
        plan = Plan.layerwise(model, ("3",), "Y,CE", optimizer=lambda p: torch.optim.SGD(p, lr=0.1))
        batches = TensorBatches(x, y, batch_size=4, augment="crops-flips")
        with pytest.raises(ValueError, match="train: a cache keeps one output a sample, and augmented samples differ"):
            train(plan, batches, epochs=1, cache="memory")


class TestWhatIsRefused:
    @pytest.mark.parametrize("shape", [(5,), (5, 36), (5, 6, 6), (5, 1, 1, 6, 6)])
    def test_rows_that_are_no_images(self, shape):
        with pytest.raises(ValueError, match=r"TensorBatches: augment='crops-flips' needs images .* got rows of shape"):
            TensorBatches(torch.zeros(shape), None, batch_size=2, augment="crops-flips")

    def test_graphs(self):
        graph = NodeSamples.__new__(NodeSamples)
        with pytest.raises(ValueError, match=r"batches_of: augment='crops-flips' needs images .* got graphs"):
            batches_of(graph, None, batch_size=2, augment="crops-flips")

    def test_an_unknown_one(self):
        with pytest.raises(
            ValueError, match=r"TensorBatches: augment must be one of none, crops-flips, .*, got 'cutout'"
        ):
            TensorBatches(torch.zeros(5, 1, 6, 6), None, batch_size=2, augment="cutout")

    def test_anything_goes_without_augmentation_and_pictures_on_disk_with_it(self, tmp_path):
        check_augmentation("none", torch.zeros(3), where="x")
        check_augmentation("crops-flips", ImageFiles((tmp_path / "a.png",), size=8), where="x")
