"""Which runs of a table are there already: in their directories, or in the table's file beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infotorch.recipes.demonstration import AnyRecipe
from infotorch.recipes.optimizers import INFORMED
from infotorch.recipes.recipe import Recipe
from infotorch.records.finding import collected_runs
from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord
from infotorch.runs.session import describe

# Of the range test, which a run does not make, and of looks that change nothing else.
_BESIDE = {"schedule.c1", "schedule.c2", "test_scores"}
# How I(T; Y) is measured for a schedule that follows it.
_SIGNAL = ("schedule.estimator", "schedule.num_samples", "schedule.columns", "schedule.ceiling")


def collected_outcomes(
    recipes: Sequence[AnyRecipe], directory: Path, seeds: int
) -> dict[tuple[str, str, int], Outcome]:
    """How the runs of a table ended that `directory/<recipe>.json` holds with the same settings; see `collect`.

    Returns:
        Recipe, variant and seed -> the outcome; of several such runs that of the last.

    Raises:
        ValueError: a table's file is damaged.
    """
    found: dict[tuple[str, str, int], Outcome] = {}
    held = {name: collected_runs(directory, name) for name in {recipe.name for recipe in recipes}}
    for recipe in recipes:
        wanted = recipe.seeds(seeds)
        for run in held[recipe.name]:
            recorded, outcome = run.recipe(), run.outcome()
            seed = int(recorded.get("seed", -1))
            if recorded.get("variant") != recipe.variant or seed not in wanted or outcome is None:
                continue
            if not differing_settings(recorded, recipe, seed):
                found[recipe.name, recipe.variant, seed] = outcome
    return found


def check_same(record: RunRecord, recipe: AnyRecipe, seed: int) -> None:
    """Refuse to go on with a run that other settings or another seed began: its numbers would be passed off as these.

    Raises:
        ValueError: they differ; the message names them.
    """
    if differing := differing_settings(record.recipe(), recipe, seed):
        raise ValueError(
            f"{record.directory} was begun with other settings ({', '.join(differing)}); resume needs the same ones."
        )


def differing_settings(recorded: dict[str, Any], recipe: AnyRecipe, seed: int) -> list[str]:
    """Dotted names of the settings in which a recorded run differs from a recipe, words that decide no number apart."""
    recorded = _with_defaults(recorded)
    wanted = describe(recipe, seed)
    words = {"changed", "title", "description", "source"}  # they decide no number
    unused: tuple[str, ...] = ()
    if isinstance(recipe, Recipe):
        words |= set(recipe.search.space) if recipe.tune else set()
        words |= _BESIDE
        words |= {"plan.objectives"} if recipe.searches_objectives else set()
        unused = () if recipe.tune else ("search.",)  # nor does a search that is not made,
        unused += () if recipe.optimizer.schedule in INFORMED else _SIGNAL  # nor a signal that nothing follows
    flat = flat_settings(recorded)
    return sorted(
        key
        for key, value in flat_settings(wanted).items()
        if flat.get(key) != value and key not in words and not key.startswith(unused)
    )


def _with_defaults(recorded: dict[str, Any]) -> dict[str, Any]:
    """A run's settings; those that did not exist yet when it was begun have their default values."""
    try:
        return describe(Recipe.model_validate({k: v for k, v in recorded.items() if k != "seed"}), recorded["seed"])
    except (ValidationError, KeyError):
        return recorded  # of another version altogether: what differs is named as it stands


def flat_settings(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted setting -> value, of a recipe's content.

    Example:
        >>> flat_settings({"epochs": 2, "data": {"limit": 100}})
        {'epochs': 2, 'data.limit': 100}
    """
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= flat_settings(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
