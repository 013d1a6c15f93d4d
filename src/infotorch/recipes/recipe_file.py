"""A variant of a table in a file of its own: what a sweep found, or the recipe.json of any run."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from infotorch.recipes.demonstration import AnyRecipe, Demonstration
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.settings import broken_rule
from infotorch.records.files import read_json, write_json
from infotorch.records.run_record import check_recipe
from infotorch.records.table_file import is_table


def read_recipe(path: Path) -> AnyRecipe:
    """The variant in a file; the seed that the recipe.json of a run holds beside it is left out.

    Settings that did not exist when the file was written have their default values.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no recipe; the message names the file, the setting and what it must be.

    Example:
        >>> import tempfile
        >>> from infotorch.recipes.registry import find_recipe
        >>> path = Path(tempfile.mkdtemp()) / "mine.json"
        >>> write_recipe(path, find_recipe("demo"))
        >>> read_recipe(path) == find_recipe("demo")
        True
    """
    if is_table(path):
        raise ValueError(f"{path} is a table's file and no recipe; give the table's name, or a run's recipe.json.")
    content = check_recipe(read_json(path) | {"seed": None}, where=path)
    del content["seed"]
    try:
        return (Demonstration if "values" in content else Recipe).model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path} is no recipe: {place}: {broken_rule(first)}") from None


def write_recipe(path: Path, recipe: AnyRecipe) -> None:
    """Write a variant, whole at every moment."""
    write_json(path, recipe.model_dump(mode="json"))
