"""The tables of learning rates from information: what their variants share, and what they do not."""

import json
from pathlib import Path

import pytest

from infotorch.recipes.changes import change
from infotorch.recipes.milr_table import Rates, milr_variants
from infotorch.recipes.optimizers import check_schedule
from infotorch.recipes.recipe import Published
from infotorch.recipes.registry import find_recipe, variants_of
from infotorch.recipes.search import search

TABLES = (
    "milr-mnist",
    "milr-cifar10-allconv",
    "milr-cifar10-vgg16",
    "milr-cifar100-wrn28-10",
    "milr-imagenet-resnet50",
    "milr-temperature",
)
BY_KSG = ("network-ksg", "layerwise-ksg")
INFORMED = ("network", "layerwise", *BY_KSG, "best", "control")
OTHERS = ("adam", "rmsprop", "lars", "step", "cosine", "onecycle", "schedule-free")


@pytest.mark.parametrize("name", TABLES)
class TestEveryTable:
    def test_it_has_the_variants_of_the_design_with_the_papers_rule_first(self, name):
        own = {"milr-temperature": ("adam-early",), "milr-mnist": ("network-ksg-scores",)}.get(name, ())
        assert tuple(recipe.variant for recipe in variants_of(name)) == INFORMED + OTHERS + own

    def test_only_the_optimiser_and_its_schedule_differ_between_variants(self, name):
        first, *others = variants_of(name)
        for recipe in others:
            ours, theirs = recipe.model_dump(), first.model_dump()
            for place in ("variant", "description", "published", "optimizer", "schedule", "search"):
                del ours[place], theirs[place]
            assert ours == theirs, recipe.variant
            assert recipe.optimizer.weight_decay == first.optimizer.weight_decay
            assert recipe.schedule.num_samples == first.schedule.num_samples
            # The paper's networks of classes end in a softmax.
            behind = name != "milr-temperature" and recipe.variant in BY_KSG
            signal = ("ksg-softmax" if behind else "ksg", "estimate") if "-ksg" in recipe.variant else (None, None)
            assert (recipe.schedule.estimator, recipe.schedule.ceiling) == signal

    def test_variants_of_gradient_descent_have_one_momentum(self, name):
        made = [recipe for recipe in variants_of(name) if recipe.optimizer.name in {"sgd", "lars"}]
        assert len(made) == 10 + (name == "milr-mnist")
        assert {recipe.optimizer.momentum for recipe in made} == {0.9}
        assert len({recipe.optimizer.nesterov for recipe in made}) == 1

    def test_the_informed_have_one_range_but_for_the_papers_lr_min_and_the_others_one_budget(self, name):
        made = {recipe.variant: recipe for recipe in variants_of(name)}
        tops = {(made[v].optimizer.lr, made[v].schedule.lr_max) for v in INFORMED}
        ours = [variant for variant in INFORMED if variant not in BY_KSG]
        ranges = {(made[v].optimizer.lr, made[v].schedule.lr_min, made[v].schedule.lr_max) for v in ours}
        assert len(tops) == len(ranges) == len({made[v].schedule.lr_min for v in BY_KSG}) == 1
        (lr_top, lr_min, lr_max), *_ = ranges
        assert lr_min < lr_top <= lr_max
        assert all(not made[variant].search.space for variant in INFORMED)
        for variant in OTHERS:
            assert set(made[variant].search.space) == {"optimizer.lr"}
            where = made[variant].search.space["optimizer.lr"]
            assert where.low < made[variant].optimizer.lr < where.high
        assert len({(recipe.search.trials, recipe.search.seeds, recipe.search.metric) for recipe in made.values()}) == 1
        assert len({str(recipe.search.during) for recipe in made.values()}) == 1

    def test_the_paper_rules_threshold_is_not_that_of_best(self, name):
        network, layerwise, best = (find_recipe(name, variant) for variant in ("network", "layerwise", "best"))
        assert network.schedule.threshold == layerwise.schedule.threshold
        assert layerwise.schedule.layerwise
        assert not network.schedule.layerwise
        assert best.schedule.threshold == 0.05

    def test_published_numbers_name_their_row(self, name):
        for recipe in variants_of(name):
            for entry in recipe.published.values():
                assert entry.source.endswith(f"best of 3 seeds: {recipe.variant.removesuffix('-ksg')}")
                assert entry.source.startswith("Vasudevan 2020, Sec. ")


def published(name, metric="test_accuracy"):
    """By variant; those by KSG have the number of the paper's rule too."""
    found = {recipe.variant: recipe.published[metric].value for recipe in variants_of(name) if recipe.published}
    by_ksg = {variant: found.pop(variant) for variant in BY_KSG if variant in found}
    assert by_ksg == {f"{variant}-ksg": found[variant] for variant in ("network", "layerwise") if variant in found}
    return found


def test_numbers_of_the_paper():
    assert published("milr-mnist") == {
        "network": 0.9927, "layerwise": 0.9939, "adam": 0.9953, "rmsprop": 0.9953, "lars": 0.9943,
    }  # fmt: skip
    assert published("milr-cifar10-allconv") == {
        "network": 0.8886, "layerwise": 0.8777, "adam": 0.8784, "rmsprop": 0.8813, "lars": 0.7703,
    }  # fmt: skip
    assert published("milr-cifar10-vgg16") == {"network": 0.9221, "step": 0.9258, "adam": 0.8962, "rmsprop": 0.8717}
    assert published("milr-cifar100-wrn28-10") == {"network": 0.8125, "step": 0.8176, "adam": 0.7502, "rmsprop": 0.7474}
    assert published("milr-imagenet-resnet50") == {"network": 0.7605, "step": 0.7557, "adam": 0.6982}
    assert published("milr-temperature", "test_mae") == {"network": 1.32, "adam": 0.97, "rmsprop": 1.0}


@pytest.mark.parametrize(
    ("name", "epochs", "batch_size", "nesterov", "weight_decay", "augment"),
    [
        ("milr-mnist", 50, 256, True, 0.0, "none"),
        ("milr-cifar10-allconv", 350, 256, True, 0.0, "none"),
        ("milr-cifar10-vgg16", 200, 256, False, 5e-4, "crops-flips"),
        ("milr-cifar100-wrn28-10", 200, 128, True, 5e-4, "crops-flips"),
        ("milr-imagenet-resnet50", 100, 256, False, 1e-4, "crops-flips"),
        ("milr-temperature", 2000, 256, False, 0.0, "none"),
    ],
)
def test_settings_of_the_paper(name, epochs, batch_size, nesterov, weight_decay, augment):
    recipe = find_recipe(name)
    assert (recipe.epochs, recipe.batch_size, recipe.data.augment) == (epochs, batch_size, augment)
    assert (recipe.optimizer.nesterov, recipe.optimizer.weight_decay) == (nesterov, weight_decay)
    assert recipe.optimizer.momentum == 0.9


def test_constants_of_the_papers_range_test_and_its_lr_min():
    made = {name: find_recipe(name, "network-ksg") for name in TABLES}
    assert {name: (one.schedule.c1, one.schedule.c2) for name, one in made.items()} == {
        "milr-mnist": (10.0, 1.0),
        "milr-cifar10-allconv": (10.0, 0.01),
        "milr-cifar10-vgg16": (10.0, 0.005),
        "milr-cifar100-wrn28-10": (10.0, 1.0),  # not given: the typical ones
        "milr-imagenet-resnet50": (30.0, 1.0),
        "milr-temperature": (10.0, 0.01),
    }
    assert [one.schedule.lr_min for one in made.values()] == [1e-4, 7.5e-4, 3e-4, 3e-4, 5e-4, 1e-4]
    content = (Path(__file__).parents[2] / "results/milr-temperature.ranges.json").read_text(encoding="utf-8")
    found, row = json.loads(content)["paper"], made["milr-temperature"]
    assert row.schedule.threshold == pytest.approx(found["threshold"], rel=5e-3)
    assert (found["rule"], found["c1"], found["c2"]) == ("paper", row.schedule.c1, row.schedule.c2)
    assert (found["lr_top"], found["lr_max"]) == (row.optimizer.lr, row.schedule.lr_max)


def test_each_reading_of_the_papers_signal_has_the_threshold_of_its_own_range_test():
    content = (Path(__file__).parents[2] / "results/milr-mnist.ranges.json").read_text(encoding="utf-8")
    for variant in ("network-ksg", "network-ksg-scores"):
        found, row = json.loads(content)[variant], find_recipe("milr-mnist", variant)
        assert row.schedule.threshold == pytest.approx(found["threshold"], rel=5e-3)
        assert (found["variant"], found["lr_top"], found["lr_max"]) == (variant, row.optimizer.lr, row.schedule.lr_max)


def test_the_row_that_stops_early_is_adam_but_for_its_end_and_its_own_search():
    early, adam = (find_recipe("milr-temperature", variant) for variant in ("adam-early", "adam"))
    assert early.schedule.stop_after == 10
    assert early.optimizer == change(adam, {"optimizer.lr": early.optimizer.lr}).optimizer
    assert early.search == adam.search
    with pytest.raises(ValueError, match=r"schedule\.stop_after is for one network .* got information"):
        check_schedule(change(early, {"optimizer.schedule": "information"}))
    with pytest.raises(ValueError, match=r"leave it out, or plan\.cuts"):
        check_schedule(change(early, {"plan.cuts": "fc2"}))


@pytest.mark.parametrize(
    ("name", "epochs", "factor"),
    [
        ("milr-cifar10-allconv", (200, 250, 300), 0.1),  # Springenberg et al. 2015
        ("milr-cifar10-vgg16", (30, 60, 90, 120, 150, 180), 0.5),
        ("milr-cifar100-wrn28-10", (60, 120, 160), 0.2),  # Zagoruyko & Komodakis 2016
        ("milr-imagenet-resnet50", (30, 60, 90), 0.1),
    ],
)
def test_steps_fall_where_the_literature_has_them(name, epochs, factor):
    recipe = find_recipe(name, "step")
    assert tuple(round(share * recipe.epochs) for share in recipe.schedule.drops) == epochs
    assert recipe.schedule.drop_factor == factor


def test_what_a_search_found_takes_its_place_in_the_variant():
    base = find_recipe("milr-mnist").model_copy(update={"published": {}, "source": "A paper"})
    base = change(base, {"optimizer.schedule": "constant"})
    made = milr_variants(
        base,
        rates=Rates(lr_min=0.001, lr_max=0.3, lr_top=0.1, threshold=0.02),
        scores={"adam": 0.5},
        found={"adam": {"optimizer.lr": 3e-4}, "best": {"schedule.patience": 2}},
    )
    found = {recipe.variant: recipe for recipe in made}
    assert found["adam"].optimizer.lr == 3e-4
    assert (found["adam"].optimizer.momentum, found["adam"].optimizer.nesterov) == (0.0, False)
    assert found["adam"].published == {"test_accuracy": Published(value=0.5, source="A paper: adam")}
    assert not found["cosine"].published
    assert (found["best"].schedule.patience, found["best"].schedule.lr_min) == (2, 0.001)
    assert (found["network"].schedule.threshold, found["network"].schedule.lr_max) == (0.02, 0.3)


def test_an_error_is_searched_downwards(tmp_path):
    """The error is least at a rate of 0.003, and a search that maximised would end at an edge."""
    pytest.importorskip("optuna")
    recipe = find_recipe("milr-temperature", "adam")
    asked = []

    def run_trial(trial, where, seed):
        asked.append(trial.optimizer.lr)
        assert trial.epochs == 200
        return {"validation_mae": abs(trial.optimizer.lr - 0.003) + 0.9}

    found = search(recipe, tmp_path, run_trial)
    assert len(asked) == 8
    assert found["optimizer.lr"] == min(asked, key=lambda rate: abs(rate - 0.003))
