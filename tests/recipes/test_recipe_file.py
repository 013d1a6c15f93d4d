import json

import pytest

from infotorch.recipes.recipe_file import read_recipe, write_recipe
from infotorch.recipes.registry import find_recipe
from infotorch.records.table_file import FORMAT


@pytest.mark.parametrize(
    ("name", "variant"), [("demo", "bp"), ("ib-mnist", "full-bound"), ("why-ib-fails", None), ("milr-mnist", "best")]
)
def test_a_recipe_comes_back_as_it_was_written(tmp_path, name, variant):
    recipe = find_recipe(name, variant)
    write_recipe(tmp_path / "mine.json", recipe)
    assert read_recipe(tmp_path / "mine.json") == recipe


def test_the_seed_of_a_run_is_left_out_and_new_settings_have_their_defaults(tmp_path):
    recipe = find_recipe("demo", "bp")
    content = recipe.model_dump(mode="json") | {"seed": 3}
    del content["micro_batches"], content["search"]["space"]["optimizer.lr"]["whole"]
    (tmp_path / "recipe.json").write_text(json.dumps(content))
    assert read_recipe(tmp_path / "recipe.json") == recipe


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epochs": 1}, "recipe.json is damaged: name is missing"),
        ({"name": "../x"}, "recipe.json is damaged: name must be a recipe's, and no path"),
        ({"name": "demo", "variant": "/etc"}, "recipe.json is damaged: variant must be a variant's, and no path"),
        ({"name": "demo", "variant": "x/../y"}, "recipe.json is damaged: variant must be a variant's, and no path"),
        ({"name": "demo\x1b[2J"}, "recipe.json is damaged: name must be a recipe's, and no path"),
        ({"format": FORMAT}, "recipe.json is a table's file and no recipe; give the table's name, or"),
        ({"name": "demo"}, "recipe.json is no recipe: title: field required"),
        ({"name": "demo", "epohcs": 1, "title": "", "source": "", "data": {"name": "digits"},
          "network": {"hidden": [8]}},
         "recipe.json is no recipe: epohcs: extra inputs are not permitted, got 1"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_recipe_is_one_line(tmp_path, content, message):
    (tmp_path / "recipe.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_recipe(tmp_path / "recipe.json")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json is missing"):
        read_recipe(tmp_path / "none.json")
