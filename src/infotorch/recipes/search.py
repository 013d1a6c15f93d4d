"""Search a recipe's settings on its validation rows; the test rows are never looked at.

    trials.jsonl             one line a trial: its settings, and the validation score of every seed
    trial-003/seed-1000/     the runs of one trial, without outcomes of their own

The sampler is seeded and is told the finished trials in order, so a resumed search asks what it would have asked.
"""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infotorch.numerics.checks import require
from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.training.assignment import assignments

#: Runs a recipe with a seed in a directory and returns its final metrics; empty when it diverged.
RunTrial = Callable[[Recipe, Path, int], Mapping[str, float]]

#: The sampler's own seed: a search is a function of the recipe alone.
SAMPLER_SEED = 0


def search(recipe: Recipe, directory: Path, run_trial: RunTrial) -> dict[str, Any]:
    """The best settings of `recipe.search`, by their mean validation score over its seeds.

    Args:
        recipe: what is searched, with its space, number of trials and seeds.
        directory: where trials are kept; those that `trials.jsonl` holds are not run again.
        run_trial: runs one trial with one seed.

    Returns:
        Dotted setting -> value, for `change`.

    Raises:
        ValueError: the space is empty, or every trial diverged.
        ModuleNotFoundError: optuna is not installed (extra `sweep`).
    """
    if not recipe.search.space:
        raise ValueError(f"{recipe.name} {recipe.variant}: there is nothing to search, its space is empty.")
    optuna = require("sweep", "optuna", "a search of settings")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "trials.jsonl"
    done = _read(log)
    space = {key: _distribution(optuna, where) for key, where in recipe.search.space.items()}
    study = optuna.create_study(direction=_direction(recipe), sampler=optuna.samplers.TPESampler(seed=SAMPLER_SEED))
    for number in range(recipe.search.trials):
        trial = study.ask(space)
        if number == len(done):
            done.append(_run(recipe, dict(trial.params), directory / f"trial-{number:03d}", number, run_trial))
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
        elif done[number]["settings"] != trial.params:
            raise ValueError(f"{log} was written by another search; choose another --out.")
        score = done[number]["mean"]
        study.tell(trial, score, state=None if score is not None else optuna.trial.TrialState.FAIL)
    finished = [trial for trial in done if trial["mean"] is not None]
    if not finished:
        raise ValueError(f"{recipe.name} {recipe.variant}: every one of {len(done)} trials diverged.")
    return dict(best_trial(recipe, finished)["settings"])


def _direction(recipe: Recipe) -> str:
    return "minimize" if recipe.search.metric.endswith("_mae") else "maximize"


def best_trial(recipe: Recipe, trials: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The trial with the highest mean of the search's metric, or the lowest of an error; of equals the first.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> best_trial(find_recipe("demo"), [{"mean": 0.5}, {"mean": 0.75}])
        {'mean': 0.75}
    """
    return (min if _direction(recipe) == "minimize" else max)(trials, key=lambda trial: trial["mean"])


def choose_objectives(recipe: Recipe, directory: Path, run_trial: RunTrial) -> str:
    """The assignment of `assignments` with the best mean validation score over the search's seeds.

    Args:
        recipe: a row whose objectives are "auto".
        directory: where trials are kept; those that `trials.jsonl` holds are not run again.
        run_trial: runs one trial with one seed.

    Returns:
        A plan string; of equals the one with fewest encoders.

    Raises:
        ValueError: every trial diverged.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "trials.jsonl"
    done = _read(log)
    for number, objectives in enumerate(assignments(len(recipe.plan.cuts) + 1)[len(done) :], start=len(done)):
        settings = {"plan.objectives": objectives}
        done.append(_run(recipe, settings, directory / f"trial-{number:03d}", number, run_trial))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
    finished = [trial for trial in done if trial["mean"] is not None]
    if not finished:
        raise ValueError(f"{recipe.name} {recipe.variant}: every one of {len(done)} assignments diverged.")
    return best_trial(recipe, finished)["settings"]["plan.objectives"]


def _run(recipe: Recipe, settings: dict[str, Any], directory: Path, number: int, run_trial: RunTrial) -> dict[str, Any]:
    changed = change(recipe, {**_during(recipe), **settings, "tune": False})
    scores = {
        str(seed): run_trial(changed, directory / f"seed-{seed}", seed).get(recipe.search.metric)
        for seed in recipe.search.seeds
    }
    # One diverged seed rules the settings out: they are not safe.
    known = [score for score in scores.values() if score is not None]
    mean = statistics.fmean(known) if len(known) == len(scores) else None
    return {"trial": number, "settings": settings, "scores": scores, "mean": mean}


def _during(recipe: Recipe) -> dict[str, Any]:
    """The settings of trials alone; no number of them exceeds the row's own, which may have been cut short by hand."""
    content = recipe.model_dump()
    own = {key: functools.reduce(dict.__getitem__, key.split("."), content) for key in recipe.search.during}
    return {key: value for key, value in recipe.search.during.items() if not _exceeds(value, own[key])}


def _exceeds(value: Any, own: Any) -> bool:
    return all(type(number) in {int, float} for number in (value, own)) and value > own


def _distribution(optuna: Any, where: SearchRange) -> Any:
    if where.values is not None:
        return optuna.distributions.CategoricalDistribution(where.values)
    return optuna.distributions.FloatDistribution(where.low, where.high, log=True)


def _read(log: Path) -> list[dict[str, Any]]:
    if not log.exists():
        return []
    lines = log.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]
