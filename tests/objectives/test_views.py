import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.estimators.bounds import infonce
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.views import ViewInformation, random_affine, random_colours, replace_features
from infotorch.training.local_module import LocalModule
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STILL = {"rotation": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "shear": 0.0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def coordinates(n, height, width):
    """Images whose two channels hold a pixel's column and row, counted from the centre."""
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64) - (height - 1) / 2,
        torch.arange(width, dtype=torch.float64) - (width - 1) / 2,
        indexing="ij",
    )
    return torch.stack([columns, rows]).expand(n, 2, height, width)


class TestAffine:
    def test_a_quarter_turn_of_an_oblong_image_turns_its_central_square(self):
        draw = 2 * float(torch.rand(5, 1, generator=seeded(3), dtype=torch.float64)[0]) - 1
        wide = torch.rand(1, 2, 5, 11, generator=seeded(), dtype=torch.float64)
        turned = random_affine(wide, **{**STILL, "rotation": 90 / draw}, generator=seeded(3))
        square = slice(3, 8)
        assert torch.allclose(turned[..., square], torch.rot90(wide[..., square], 1, (2, 3)), atol=1e-10)

    def test_every_pixel_is_fetched_from_where_the_map_says(self):
        """Bilinear interpolation of coordinates is exact: what arrives is R(angle) Shear / zoom (location) + shift."""
        images, (height, width) = coordinates(8, 31, 45), (31, 45)
        seen = random_affine(images, rotation=20, scale=(0.7, 1.5), shift=0.1, shear=15, generator=seeded(1))
        draws = 2 * torch.rand(5, 8, generator=seeded(1), dtype=torch.float64) - 1
        for i, (turn, slant, size, across, down) in enumerate(draws.T.tolist()):
            a, s = math.radians(20) * turn, math.tan(math.radians(15) * slant)
            zoom = math.sqrt(0.7 * 1.5) * (1.5 / 0.7) ** (size / 2)
            rotation = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)
            shear = torch.tensor([[1.0, s], [0.0, 1.0]], dtype=torch.float64)
            offset = torch.tensor([0.1 * across * width, 0.1 * down * height], dtype=torch.float64)
            wanted = (rotation @ shear / zoom @ images[i].flatten(1)) + offset[:, None]
            inside = (wanted[0].abs() <= (width - 1) / 2) & (wanted[1].abs() <= (height - 1) / 2)
            assert inside.double().mean() > 0.3
            assert torch.allclose(seen[i].flatten(1)[:, inside], wanted[:, inside], atol=1e-9)

    def test_outside_the_border_is_repeated(self):
        images = torch.full((4, 1, 6, 6), -0.42)
        seen = random_affine(images, shift=0.5, generator=seeded())
        assert torch.allclose(seen, images)

    def test_parameters_fill_their_range_and_no_more(self):
        """The centre tells the shift: uniform within 10 % of 21 pixels; 3 s.e. of its deviation at n = 2000 is 5 %."""
        seen = random_affine(coordinates(2000, 21, 21), **{**STILL, "shift": 0.1}, generator=seeded())
        shifts = seen[:, :, 10, 10]
        assert 2.0 < shifts.abs().max() <= 2.1
        assert shifts.std(dim=0).tolist() == pytest.approx([2.1 / math.sqrt(3)] * 2, rel=0.05)

    def test_the_images_stay_and_so_does_the_global_stream(self):
        images = torch.rand(3, 1, 6, 6, generator=seeded(), requires_grad=True)
        before, state = images.detach().clone(), torch.get_rng_state()
        seen = random_affine(images, generator=seeded())
        assert not seen.requires_grad
        assert torch.equal(images, before)
        assert torch.equal(torch.get_rng_state(), state)


class TestColours:
    images = torch.rand(400, 3, 5, 5, generator=seeded(), dtype=torch.float64)

    def test_brightness_contrast_and_saturation_are_as_drawn(self):
        """The mean moves by the brightness; about it, grey by the contrast, and colours by saturation too."""
        seen = random_colours(self.images, jitter=0.5, grey=0.0, generator=seeded(1))
        drawn = 0.5 * (2 * torch.rand(4, 400, generator=seeded(1), dtype=torch.float64) - 1)
        brightness, contrast, saturation = drawn[0] * self.images.std(), 1 + drawn[1], 1 + drawn[2]
        mean, lightness = self.images.mean(dim=(1, 2, 3)), self.images.mean(dim=1)
        assert torch.allclose(seen.mean(dim=(1, 2, 3)), mean + brightness, atol=1e-12)
        wanted = contrast[:, None, None] * (lightness - mean[:, None, None]) + (mean + brightness)[:, None, None]
        assert torch.allclose(seen.mean(dim=1), wanted, atol=1e-12)
        colours, before = seen - seen.mean(dim=1, keepdim=True), self.images - lightness[:, None]
        assert torch.allclose(colours, (contrast * saturation)[:, None, None, None] * before, atol=1e-12)

    def test_the_share_of_grey_ones(self):
        """400 images, each grey with probability 0.3: s.e. 0.023."""
        seen = random_colours(self.images, jitter=0.4, grey=0.3, generator=seeded(2))
        grey = (seen - seen.mean(dim=1, keepdim=True)).abs().amax(dim=(1, 2, 3)) < 1e-12
        assert float(grey.double().mean()) == pytest.approx(0.3, abs=0.07)

    def test_without_strength_nothing_changes_and_the_images_stay(self):
        before = self.images.clone()
        assert torch.allclose(random_colours(self.images, jitter=0.0, grey=0.0, generator=seeded()), before, atol=1e-12)
        random_colours(self.images, jitter=0.4, grey=0.2, generator=seeded())
        assert torch.equal(self.images, before)

    def test_half_of_the_views_are_mirrored(self):
        """400 images: s.e. 0.025."""
        seen = ViewInformation(**STILL, mirrored=True).view(self.images, seeded(3))
        turned = (seen - self.images.flip(-1)).abs().amax(dim=(1, 2, 3)) < 1e-9
        kept = (seen - self.images).abs().amax(dim=(1, 2, 3)) < 1e-9
        assert bool((turned ^ kept).all())
        assert float(turned.double().mean()) == pytest.approx(0.5, abs=0.08)

    def test_an_objective_draws_colours_after_the_map(self):
        objective = ViewInformation(jitter=0.4, grey=0.2)
        stream = seeded(4)
        moved = random_affine(self.images, generator=stream)
        wanted = random_colours(moved, jitter=0.4, grey=0.2, generator=stream)
        assert torch.equal(objective.view(self.images, seeded(4)), wanted)

    @pytest.mark.parametrize(("name", "value"), [("jitter", 1.5), ("grey", -0.1), ("mirrored", 1)])
    def test_a_strength_out_of_range_is_refused(self, name, value):
        with pytest.raises((ValueError, TypeError), match=f"ViewInformation: {name} must be"):
            ViewInformation(**{name: value})


class TestReplacement:
    rows = torch.arange(400.0)[:, None] + 1000 * torch.arange(50.0)

    def test_a_value_comes_from_the_same_feature(self):
        seen = replace_features(self.rows, share=0.6, generator=seeded())
        assert torch.equal((seen / 1000).floor(), torch.arange(50.0).expand(400, 50))

    def test_the_share_is_kept(self):
        """20,000 values, each replaced with probability 0.3 by one that differs but for 1 in 400: s.e. 0.0032."""
        seen = replace_features(self.rows, share=0.3, generator=seeded())
        assert float((seen != self.rows).float().mean()) == pytest.approx(0.3 * 399 / 400, abs=0.01)

    def test_a_share_of_zero_changes_nothing(self):
        assert torch.equal(replace_features(self.rows, share=0.0, generator=seeded()), self.rows)


def built(batch, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        objective = ViewInformation(**settings)
        objective.build(batch, None)
        return objective


@pytest.fixture
def batch():
    """Images, and a convolution whose outputs they have."""
    x = torch.rand(10, 1, 8, 8, generator=seeded())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layer = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU())
    return LocalBatch(x, x, layer(x), None, streams=SeedStreams(0), position=(1,), encode=layer)


def vectors(output, **settings):
    return LocalBatch(output, output, output, None, encode=lambda rows: rows, **settings)


class TestLoss:
    @pytest.mark.parametrize("views", [1, 2])
    def test_equal_views_and_orthogonal_outputs_have_a_closed_form(self, views):
        """Cosine 1 for true pairs and 0 for others: log n - log(1 + (n - 1) e^(-1/temperature))."""
        x = torch.eye(5)
        objective = built(vectors(x), corruption=0.0, temperature=0.5, embedding=5, num_views=views)
        objective.load_state_dict({"projection.0.weight": torch.eye(5), "projection.0.bias": torch.zeros(5)})
        loss = objective(vectors(x))
        assert loss.terms["mi_xt_nats"].item() == pytest.approx(math.log(5) - math.log1p(4 * math.exp(-2)), abs=1e-6)
        assert loss.total.item() == -loss.terms["mi_xt_nats"].item()

    def test_it_is_infonce_of_cosines_in_both_directions(self, batch):
        objective = built(batch, locations=None, temperature=0.3)
        view = objective.view(batch.x, batch.generator("views"))
        first, second = (objective.projection(t.flatten(1)) for t in (batch.output, batch.encode(view)))
        cosines = torch.stack([torch.cosine_similarity(a[None], second, dim=1) for a in first]) / 0.3
        wanted = (infonce(cosines) + infonce(cosines.T)) / 2
        assert objective(batch).terms["mi_xt_nats"].item() == pytest.approx(wanted.item(), abs=1e-5)

    def test_with_one_view_the_modules_own_output_is_used_and_with_two_it_is_not(self, batch):
        for views, used in ((1, True), (2, False)):
            rows = []

            def encode(x, rows=rows):
                rows.append(len(x))
                return batch.encode(x)

            output = batch.output.detach().requires_grad_()
            objective = built(batch, num_views=views)
            loss = objective(replace(batch, output=output, encode=encode))
            assert rows == [10 * views]
            assert (torch.autograd.grad(loss.total, output, allow_unused=True)[0] is not None) == used

    def test_only_one_view_bounds_the_information_about_the_rows_as_they_are(self):
        assert ViewInformation().sides == {"mi_xt_nats": "lower"}
        assert ViewInformation(num_views=2).sides == {}

    def test_no_value_exceeds_log_n(self, batch):
        loss = built(batch, temperature=0.01, **STILL)(batch)
        assert loss.terms["mi_xt_nats"].item() <= math.log(10)

    def test_noise_is_relative_to_the_spread_of_a_feature(self):
        x = torch.randn(4000, 2, generator=seeded()) * torch.tensor([1.0, 50.0])
        objective = ViewInformation(corruption=0.0, noise_std=0.2)
        added = objective.view(x, seeded(1)) - x
        # the s.e. of a deviation is 1 / sqrt(2 n) = 1.1 %
        assert (added.std(dim=0) / x.std(dim=0)).tolist() == pytest.approx([0.2, 0.2], rel=0.04)
        images = 3 * torch.randn(20, 1, 16, 16, generator=seeded())
        added = ViewInformation(noise_std=0.2, **STILL).view(images, seeded(1)) - images
        assert float(added.std()) == pytest.approx(0.6, rel=0.04)
        assert torch.equal(objective.view(x[:1], seeded(1)), x[:1])  # one row has no spread

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, value, batch):
        output = batch.output.detach().clone()
        output[3] = value
        assert not torch.isfinite(built(batch)(replace(batch, output=output)).total)

    def test_a_single_row_teaches_nothing(self, batch):
        output = batch.output[:1].detach().requires_grad_()
        loss = built(batch)(replace(batch, x=batch.x[:1], output=output))
        (gradient,) = torch.autograd.grad(loss.total, output)
        assert loss.total.item() == 0
        assert torch.count_nonzero(gradient) == 0
        assert loss.terms == {}

    def test_the_views_follow_the_position_of_the_step_alone(self, batch):
        objective, state = built(batch, noise_std=0.1), torch.get_rng_state()
        at = [
            objective(replace(batch, streams=SeedStreams(seed), position=position)).total.item()
            for seed, position in ((0, (1, 2)), (0, (1, 2)), (0, (1, 3)), (1, (1, 2)))
        ]
        assert at[0] == at[1]
        assert len({at[0], at[2], at[3]}) == 3
        assert torch.equal(torch.get_rng_state(), state)

    def test_under_autocast_the_loss_is_in_full_precision(self, batch):
        objective = built(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = objective(batch)
        assert loss.total.dtype == torch.float32
        # bfloat16 has three digits; the scores are at most 1/temperature = 5
        assert loss.total.item() == pytest.approx(objective(batch).total.item(), abs=0.03)


class TestBuild:
    @pytest.mark.parametrize(
        ("settings", "widths"),
        [
            ({}, [48, 64]),
            ({"locations": None, "hidden": (9, 7), "embedding": 5}, [108, 9, 7, 5]),
            ({"locations": 1}, [3, 64]),
        ],
    )
    def test_the_projection_has_the_widths_asked_for(self, settings, widths, batch):
        layers = [layer for layer in built(batch, **settings).projection if isinstance(layer, nn.Linear)]
        assert [layers[0].in_features, *(layer.out_features for layer in layers)] == widths

    def test_other_inputs_are_refused(self, batch):
        with pytest.raises(TypeError, match=r"ViewInformation: x must be real-valued, got torch\.int64"):
            ViewInformation().build(replace(batch, x=torch.zeros(10, 4, dtype=torch.long)), None)
        with pytest.raises(ValueError, match=r"x must be images .* or vectors .*, got \(10, 4, 3\)"):
            ViewInformation().build(replace(batch, x=torch.zeros(10, 4, 3)), None)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"rotation": -1.0}, "rotation must be at least 0 and finite, got -1.0"),
            ({"shift": math.inf}, "shift must be at least 0 and finite, got inf"),
            ({"noise_std": math.nan}, "noise_std must be at least 0 and finite, got nan"),
            ({"shear": 90.0}, "shear must be at least 0 and below 90 degrees, got 90.0"),
            ({"scale": (1.2, 0.8)}, "scale must be two magnifications, 0 < least <= largest"),
            ({"scale": (0.0, 1.0)}, "scale must be two magnifications"),
            ({"scale": (1.0,)}, "scale must be two magnifications"),
            ({"corruption": 1.0}, "corruption must be at least 0 and below 1, got 1.0"),
            ({"temperature": 0.0}, "temperature must be positive and finite, got 0.0"),
            ({"locations": 0}, "locations must be at least 1, got 0"),
            ({"hidden": (0,)}, "every width of hidden must be at least 1, got 0"),
            ({"embedding": 0}, "embedding must be at least 1, got 0"),
            ({"num_views": 3}, "num_views must be 1 or 2, got 3"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=f"ViewInformation: {message}"):
            ViewInformation(**settings)

    def test_settings_of_another_kind_are_refused(self):
        with pytest.raises(TypeError, match=r"ViewInformation: hidden must be a sequence of widths .*, got 64"):
            ViewInformation(hidden=64)  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match=r"ViewInformation: scale must be two magnifications, .* got 1\.2"):
            ViewInformation(scale=1.2)  # pyright: ignore[reportArgumentType]


def trained_and_frozen(x, body, *, epochs=5, **settings):
    """Information after training, with the body trained and with its weights held (a rate of 0)."""
    values = []
    for rate in (3e-2, 0.0):
        module = body()
        own = {id(parameter) for parameter in module.parameters()}

        def optimizer(parameters, own=own, rate=rate):
            groups = [[p for p in parameters if (id(p) in own) == mine] for mine in (True, False)]
            return torch.optim.Adam([{"params": groups[0], "lr": rate}, {"params": groups[1], "lr": 3e-2}])

        plan = Plan([LocalModule("layer", module, ViewInformation(**settings), optimizer=optimizer)])
        steps = list(train(plan, TensorBatches(x, None, batch_size=64), epochs=epochs))
        last = [float(info.losses["layer"].terms["mi_xt_nats"]) for info in steps[-5:]]
        values.append(sum(last) / len(last))
    return values


def first_weights(layer, weights):
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weights).view_as(layer.weight))
    return layer


class TestTraining:
    def test_a_layer_finds_the_channel_that_views_share(self):
        """One channel holds the brightness of an image, told by all its pixels; each pixel of the other is chance."""
        brightness = torch.randn(256, 1, 1, 1, generator=seeded()).expand(256, 1, 8, 8)
        x = torch.cat([brightness, torch.randn(256, 1, 8, 8, generator=seeded(1))], dim=1)
        learned, held = trained_and_frozen(
            x, lambda: first_weights(nn.Conv2d(2, 1, 1, bias=False), [0.05, 1.0]), noise_std=1.0, locations=1
        )
        assert learned > held + 0.3

    def test_a_layer_on_a_table_finds_the_features_that_say_the_same(self):
        common = torch.randn(512, 1, generator=seeded()).expand(512, 8)
        x = torch.cat([common, torch.randn(512, 8, generator=seeded(1))], dim=1)
        start = torch.cat([torch.full((1, 8), 0.02), torch.full((1, 8), 0.3)], dim=1)
        learned, held = trained_and_frozen(x, lambda: first_weights(nn.Linear(16, 1, bias=False), start))
        assert learned > held + 0.2

    def test_training_repeats_itself_and_leaves_the_layer_before_alone(self):
        x = torch.rand(40, 1, 8, 8, generator=seeded())
        after = []
        for _ in range(2):
            with torch.random.fork_rng():
                torch.manual_seed(0)
                model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3))
            before = [p.detach().clone() for p in model.parameters()]
            plan = Plan.layerwise(
                model, objectives=[None, ViewInformation()], optimizer=lambda p: torch.optim.SGD(p, lr=0.1)
            )
            for _ in train(plan, TensorBatches(x, None, batch_size=20), epochs=1, seed=5):
                pass
            after.append([p.detach().clone() for p in model.parameters()])
            assert all(p.grad is None for p in model[0].parameters())
            assert [torch.equal(a, b) for a, b in zip(before, after[-1], strict=True)] == [True, True, False, False]
        assert all(torch.equal(a, b) for a, b in zip(*after, strict=True))

    @pytest.mark.parametrize("views", [1, 2])
    def test_batch_norm_counts_the_rows_themselves_and_no_view(self, views):
        x = torch.rand(40, 1, 8, 8, generator=seeded())
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, momentum=1.0), nn.ReLU())
            wanted = model[0](x).mean(dim=(0, 2, 3))
        objective = ViewInformation(num_views=views)
        plan = Plan([LocalModule("layer", model, objective, optimizer=lambda p: torch.optim.SGD(p, lr=0.1))])
        for _ in train(plan, TensorBatches(x, None, batch_size=40), epochs=1):
            pass
        assert torch.allclose(dict(model.named_buffers())["1.running_mean"], wanted, atol=1e-5)
