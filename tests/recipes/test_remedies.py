"""The table of trained systems: what its variants share, what each builds, and the nuisance."""

import pytest
import torch

from infotorch.data.sets import Dataset, Split
from infotorch.objectives.base import LocalBatch
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change
from infotorch.recipes.optimizers import scheduler_of
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe, variants_of
from infotorch.recipes.remedy_build import slant
from infotorch.training.evaluate import plan_accuracy
from infotorch.training.inputs import batches_of
from infotorch.training.loop import train

VARIANTS = {recipe.variant: recipe for recipe in variants_of("remedies-mnist")}
OWN = {
    "vib": "VariationalBottleneck",
    "vdb": "VariationalDeficiency",
    "information-dropout": "InformationDropout",
    "nonlinear-ib": "NonlinearBottleneck",
    "matrix-ib": "DeterministicBottleneck",
    "quantised": "QuantisedBottleneck",
    "soft-decision": "SoftDecisionInformation",
    "stochastic": "CrossEntropy",
    "bp": "CrossEntropy",
    "dropout": "CrossEntropy",
    "vib-paper": "VariationalBottleneck",
}
BESIDE = {
    "confidence-penalty": "ConfidencePenalty",
    "same-class": "SameClassPenalty",
    "clustering": "ClusterPenalty",
    "nuisance": "NuisanceInformation",
}


def small_images(n=200, seed=0):
    """Two classes of images, a bright left or right half, with noise."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    x = torch.rand(n, 1, 6, 6, generator=generator) - 1
    x[y == 0, :, :, :3] += 1
    x[y == 1, :, :, 3:] += 1
    split = Split(x, y)
    return Dataset("halves", "images", split, split, split, num_classes=2)


def built(recipe, dataset):
    torch.manual_seed(0)
    network = build_network(recipe, dataset)
    return network, build_plan(recipe, network)


def small(variant, **changes):
    settings = {"network.hidden": (16, 16), "remedy.code": 8, "optimizer.lr": 1e-2, "batch_size": 50}
    return change(VARIANTS[variant], settings | changes)


def test_the_variants_are_all_that_the_theory_names():
    assert set(VARIANTS) == {*OWN, *BESIDE, "noisy"}
    assert next(iter(VARIANTS)) == "vib"


def test_all_but_the_papers_share_network_length_data_and_budget():
    shared = [recipe for recipe in VARIANTS.values() if recipe.variant != "vib-paper"]
    for place in ("data", "epochs", "batch_size", "assessment", "source"):
        assert len({str(getattr(recipe, place)) for recipe in shared}) == 1, place
    assert {(recipe.network.hidden, recipe.remedy.code, recipe.remedy.evaluation_draws) for recipe in shared} == {
        ((256, 256), 64, 12)
    }
    assert (
        len({
            (recipe.search.trials, str(recipe.search.during), str(recipe.search.space["optimizer.lr"]))
            for recipe in shared
        })
        == 1
    )
    # Rate and one strength, but for plain back-propagation, which has none.
    assert {recipe.variant for recipe in shared if len(recipe.search.space) != 2} == {"bp"}
    assert not VARIANTS["vib-paper"].search.space


def test_where_a_strength_begins_lies_in_its_search():
    for recipe in VARIANTS.values():
        for key, where in recipe.search.space.items():
            value = recipe.model_dump()
            for part in key.split("."):
                value = value[part]
            assert value in where.values if where.values else where.low <= value <= where.high, (recipe.variant, key)


def test_the_papers_variant_has_its_settings():
    recipe = VARIANTS["vib-paper"]
    assert (recipe.network.hidden, recipe.remedy.code, recipe.remedy.weight) == ((1024, 1024), 256, 1e-3)
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer.lr, recipe.optimizer.beta1) == (200, 100, 1e-4, 0.5)
    assert (recipe.optimizer.name, recipe.data.scaling, recipe.remedy.evaluation_draws) == (
        "averaged-adam",
        "signed",
        12,
    )
    assert recipe.published["test_accuracy"].value == pytest.approx(0.9887)


def test_the_papers_rate_falls_by_three_percent_every_two_epochs():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-4)
    schedule = scheduler_of(VARIANTS["vib-paper"])(optimizer, 3 * 200)  # three steps an epoch
    rates = []
    for _ in range(3 * 200):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([1e-4 * 0.97 ** (step // 6) for step in range(3 * 200)])


@pytest.mark.parametrize("variant", [*OWN, *BESIDE])
def test_every_variant_minimises_what_it_is_called(variant):
    _, plan = built(small(variant), small_images())
    (module,) = plan
    if variant in OWN:
        assert type(module.objective).__name__ == OWN[variant]
    else:
        assert [type(part).__name__ for part in module.objective.parts] == ["CrossEntropy", BESIDE[variant]]


@pytest.mark.parametrize("variant", [recipe for recipe in VARIANTS if recipe != "vib-paper"])
def test_every_variant_learns(variant):
    dataset = small_images()
    recipe = small(variant, **({"network.dropout": 0.2} if variant == "dropout" else {}))
    _, plan = built(recipe, dataset)
    batches = batches_of(dataset.train.x, dataset.train.y, batch_size=50, seed=0)
    for info in train(plan, batches, epochs=8, seed=0):
        assert info.diverged is None
    assert plan_accuracy(plan, dataset.test.x, dataset.test.y) > 0.9


def test_the_strength_reaches_the_objective():
    changes = {"remedy.weight": 0.25}
    assert built(small("vib", **changes), small_images())[1][0].objective.beta.beta == 0.25
    parts = built(small("clustering", **changes), small_images())[1][0].objective.parts
    assert parts[1].weight == 0.25
    noise = built(small("stochastic", **{"remedy.noise_std": 0.7}), small_images())[0].bottleneck
    assert (noise.noise_std, noise.scale) == (0.7, "relative")
    quantiser = built(small("quantised", **{"remedy.levels": 5}), small_images())[1][0].objective.compression
    assert quantiser.levels == 5


def test_the_bound_of_held_out_samples_does_not_count_draws_as_samples():
    """Several draws of a sample share its code: the pairwise bound is that of the samples alone."""
    dataset = small_images(40)
    found = []
    for draws in (1, 12):
        network, plan = built(small("nonlinear-ib", **{"remedy.evaluation_draws": draws}), dataset)
        batches = batches_of(dataset.train.x, dataset.train.y, batch_size=40, seed=0)
        plan.prepare(batches, epochs=1, seed=0)
        network.eval()
        objective = plan[0].objective.eval()
        x, y = dataset.test.x, dataset.test.y
        with torch.no_grad():
            found.append(objective(LocalBatch(x, x, network(x), y)).terms["mi_xt_nats"].item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_recipe_survives_json():
    for recipe in VARIANTS.values():
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


class TestSlant:
    def test_a_stroke_that_leans_to_the_right_is_1(self):
        upright = torch.zeros(9, 9)
        upright[:, 4] = 1
        slash = torch.eye(9).flip(1)
        images = torch.stack([slash, upright, torch.eye(9)])
        assert slant(images).tolist() == [1, 0, 0]
        assert slant(2 * images[:, None] - 1).tolist() == [1, 0, 0]  # a channel, and pixels from -1

    def test_half_of_a_batch_leans_more_than_its_median(self):
        images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        assert slant(images).sum() == 20

    def test_brightness_and_place_play_no_part(self):
        images = torch.zeros(20, 1, 16, 16)
        images[:, :, 4:12, 4:12] = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        assert torch.equal(slant(images), slant(0.3 * images))
        assert torch.equal(slant(images), slant(images.roll((2, -3), dims=(2, 3))))

    def test_an_empty_image_is_no_division_by_zero(self):
        assert slant(torch.zeros(3, 1, 4, 4)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("variant", "settings", "message"),
    [
        ("vib", {"network.norm": "batch"}, "remedies-mnist: network.norm is not a choice of remedy.system"),
        ("vib", {"plan.objectives": ("Y",)}, "remedy.system=vib trains the whole network on an objective of its own"),
        ("vib", {"plan.cuts": ("head",), "plan.objectives": ("Y", "CE")}, "leave plan.objectives, plan.cuts and split"),
        ("matrix-ib", {"split.at": "head"}, "leave plan.objectives, plan.cuts and split.at out"),
        ("vdb", {"remedy.draws": 1}, "VariationalDeficiency: draws must be at least 2"),
    ],
)
def test_settings_that_do_not_fit_are_refused(variant, settings, message):
    with pytest.raises(ValueError, match=message):
        built(small(variant, **settings), small_images())


def test_the_slant_is_of_images():
    rows = Split(torch.rand(40, 5), torch.arange(40) % 2)
    with pytest.raises(ValueError, match=r"remedy\.system=nuisance looks at the slant of images, got samples of"):
        build_network(small("nuisance"), Dataset("rows", "vectors", rows, rows, rows, num_classes=2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"remedy.system": "vbi"}, "remedy.system: there is no value 'vbi'; did you mean vib"),
        ({"remedy.weight": 0}, "remedy.weight: input should be greater than 0, got 0"),
        ({"remedy.levels": 1}, "remedy.levels: input should be greater than or equal to 2, got 1"),
        ({"assessment.radii": (0.1, -1.0)}, "assessment.radii"),
        ({"assessment.num_samples": 10}, "assessment.num_samples: input should be greater than or equal to 50, got 10"),
        ({"optimizer.beta1": 1.0}, "optimizer.beta1: input should be less than 1, got 1"),
    ],
)
def test_values_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        change(find_recipe("remedies-mnist"), settings)
