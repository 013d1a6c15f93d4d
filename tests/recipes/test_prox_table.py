"""The variants of the tables of proximal splitting."""

import pytest

from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe, variants_of

TABLES = ("prox-mnist", "prox-cifar10")
UPDATES = ("bp", "order1", "order2", "hybrid", "l1", "huber", "paper")


@pytest.mark.parametrize("name", TABLES)
def test_every_optimiser_has_every_update(name):
    variants = [recipe.variant for recipe in variants_of(name)]
    assert variants == [f"{opt}-{update}" for opt in ("adam", "adamw", "nadam", "adamp") for update in UPDATES]


@pytest.mark.parametrize("name", TABLES)
def test_only_the_update_and_the_rates_differ_between_variants(name):
    first, *others = variants_of(name)
    epochs = {recipe.optimizer.name: recipe.epochs for recipe in others}
    for recipe in others:
        assert recipe.epochs == epochs[recipe.optimizer.name]  # method and baseline train equally long
        ours, theirs = recipe.model_dump(), first.model_dump()
        for place in ("variant", "description", "published", "split", "search", "epochs"):
            del ours[place], theirs[place]
        decays = [settings["optimizer"].pop("weight_decay") for settings in (ours, theirs)]
        assert decays == [0.01 if recipe.optimizer.name == "adamw" else 0.0, 0.0]  # without one, AdamW would be Adam
        for settings in (ours, theirs):
            settings["optimizer"] = {k: v for k, v in settings["optimizer"].items() if k not in {"name", "lr"}}
        assert ours == theirs, recipe.variant


@pytest.mark.parametrize("name", TABLES)
def test_searches_have_one_budget_and_look_at_the_rates_that_a_row_has(name):
    for recipe in variants_of(name):
        update = recipe.variant.split("-")[1]
        expected = {
            "bp": {"optimizer.lr"},
            "order1": {"optimizer.lr", "split.forward_lr"},
            "paper": set(),
        }.get(update, {"optimizer.lr", "split.forward_lr", "split.step_size"})
        assert set(recipe.search.space) == expected
        assert recipe.search.trials == 8


def test_the_papers_variants_have_the_papers_rates_and_numbers():
    recipe = find_recipe("prox-mnist", "nadam-paper")
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.split.step_size, recipe.split.forward_lr) == (
        "nadam",
        1e-3,
        0.01,
        0.1,
    )
    assert (recipe.split.at, recipe.split.order, recipe.split.penalty) == ("flatten", 2, "l2")
    assert recipe.published["test_accuracy"].value == 0.9796
    assert find_recipe("prox-mnist", "nadam-bp").published["test_accuracy"].value == 0.9839
    assert find_recipe("prox-mnist", "nadam-bp").split.order == "bp"
    assert not find_recipe("prox-mnist", "nadam-hybrid").published
    assert find_recipe("prox-mnist", "adam-huber").split.penalty == "huber"
    assert change(recipe, {"data.name": "fashion-mnist"}).published == {}
