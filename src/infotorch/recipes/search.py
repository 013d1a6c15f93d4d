"""Search a recipe's settings on its validation samples; the test samples are never looked at.

    trials.jsonl             one line a trial: its settings, and the validation score of every seed
    trial-003/seed-1000/     the runs of one trial, without outcomes of their own

The sampler is seeded and is told the finished trials in order, so a resumed search asks what it would have asked.
"""

from __future__ import annotations

import functools
import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from infotorch.numerics.extras import require
from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.settings import PlainValue, Scalar, SettingValue
from infotorch.records.files import check_own, json_values, naming, parse_json_lines, read_regular
from infotorch.training.assignment import assignments

#: Runs a recipe with a seed in a directory and returns its final metrics; empty when it diverged.
RunTrial = Callable[[Recipe, Path, int], Mapping[str, float]]

#: The sampler's own seed: a search is a function of the recipe alone.
SAMPLER_SEED = 0


class Trial(TypedDict):
    """One line of trials.jsonl: the score of every seed, and their mean; None where a run diverged."""

    trial: int
    settings: dict[str, SettingValue]
    scores: dict[str, float | None]
    mean: float | None


#: A trial, or one of whom more is known.
AnyTrial = TypeVar("AnyTrial", bound=Trial)


def search(recipe: Recipe, directory: Path, run_trial: RunTrial) -> dict[str, SettingValue]:
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
    log = _Log(recipe, directory, run_trial)
    study = optuna.create_study(direction=direction_of(recipe), sampler=optuna.samplers.TPESampler(seed=SAMPLER_SEED))
    if first := {key: where.start for key, where in recipe.search.space.items() if where.start is not None}:
        study.enqueue_trial(first)
    for number in range(recipe.search.trials):
        asked = study.ask()
        settings = {key: suggest(asked, key, where) for key, where in recipe.search.space.items()}
        if number == len(log.trials):
            log.run(settings)
        elif log.trials[number]["settings"] != settings:
            raise ValueError(f"{log.path} was written by another search; choose another --out.")
        score = log.trials[number]["mean"]
        study.tell(asked, score, state=None if score is not None else optuna.trial.TrialState.FAIL)
    return dict(best_trial(recipe, log.trials)["settings"])


def choose_objectives(recipe: Recipe, directory: Path, run_trial: RunTrial) -> SettingValue:
    """The assignment of `assignments` with the best mean validation score over the search's seeds.

    Args:
        recipe: a variant whose objectives are "auto".
        directory: where trials are kept; those that `trials.jsonl` holds are not run again.
        run_trial: runs one trial with one seed.

    Returns:
        A plan string, for `plan.objectives`; of equals the one with fewest encoders.

    Raises:
        ValueError: every trial diverged.
    """
    log = _Log(recipe, directory, run_trial)
    for objectives in assignments(len(recipe.plan.cuts) + 1)[len(log.trials) :]:
        log.run({"plan.objectives": objectives})
    return best_trial(recipe, log.trials)["settings"]["plan.objectives"]


def best_trial(recipe: Recipe, trials: Sequence[AnyTrial]) -> AnyTrial:
    """The trial with the highest mean of the search's metric, or the lowest of an error; of equals the first.

    Raises:
        ValueError: every trial diverged.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> trials = [{"trial": n, "settings": {}, "scores": {}, "mean": mean} for n, mean in enumerate((0.5, 0.75))]
        >>> best_trial(find_recipe("demo"), trials)["mean"]
        0.75
    """
    finished = {number: trial["mean"] for number, trial in enumerate(trials) if trial["mean"] is not None}
    if not finished:
        raise ValueError(f"{recipe.name} {recipe.variant}: every one of {len(trials)} trials diverged.")
    best = min if direction_of(recipe) == "minimize" else max
    return trials[best(finished, key=lambda number: finished[number])]


def direction_of(recipe: Recipe) -> Literal["minimize", "maximize"]:
    """What a search does with its metric: an error is minimised, everything else maximised."""
    return "minimize" if recipe.search.metric.endswith("_mae") else "maximize"


def suggest(trial: Any, key: str, where: SearchRange) -> Scalar:
    """What the sampler of a study suggests for one setting.

    Args:
        trial: asked of a study of Optuna.
        key: the dotted setting.
        where: its range.
    """
    if where.values is not None:
        return trial.suggest_categorical(key, where.values)
    if where.whole:
        return trial.suggest_int(key, where.low, where.high, log=where.log)
    return trial.suggest_float(key, where.low, where.high, log=where.log)


def score_settings(
    recipe: Recipe, settings: Mapping[str, SettingValue], directory: Path, run_trial: RunTrial
) -> tuple[dict[str, float | None], float | None]:
    """Run settings with every seed of the search, in `directory/seed-<seed>`; validation samples are held out.

    Returns:
        Seed -> validation score, None where the run diverged; and their mean, None if any did: one diverged seed rules
        the settings out, as they are not safe.
    """
    changed = change(recipe, {**_during(recipe), **settings, "tune": False, "data.train_on_validation": False})
    scores = {
        str(seed): json_values(run_trial(changed, directory / f"seed-{seed}", seed).get(recipe.search.metric))
        for seed in recipe.search.seeds
    }
    known = [score for score in scores.values() if score is not None]
    return scores, statistics.fmean(known) if len(known) == len(scores) else None


class _Log:
    """The trials of one search, as trials.jsonl has them, and what runs the next."""

    def __init__(self, recipe: Recipe, directory: Path, run_trial: RunTrial) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "trials.jsonl"
        self.trials = _read(self.path)
        self._recipe, self._run_trial = recipe, run_trial

    def run(self, settings: Mapping[str, SettingValue]) -> None:
        """Run one trial with every seed of the search, and write it down."""
        number = len(self.trials)
        directory = self.path.parent / f"trial-{number:03d}"
        scores, mean = score_settings(self._recipe, settings, directory, self._run_trial)
        self.trials.append({"trial": number, "settings": dict(settings), "scores": scores, "mean": mean})
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.trials[-1]) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _during(recipe: Recipe) -> dict[str, PlainValue]:
    """The settings of trials alone; no number of them exceeds the variant's own, which may have been cut by hand."""
    content = recipe.model_dump()
    own = {key: functools.reduce(dict.__getitem__, key.split("."), content) for key in recipe.search.during}
    return {key: value for key, value in recipe.search.during.items() if not _exceeds(value, own[key])}


def _exceeds(value: object, own: object) -> bool:
    numbers = [number for number in (value, own) if isinstance(number, int | float) and not isinstance(number, bool)]
    return len(numbers) == 2 and numbers[0] > numbers[1]


def _read(log: Path) -> list[Trial]:
    """The trials that have been run; a line that a crash cut short goes from the file, and its trial is run again."""
    check_own(log)
    text = read_regular(log) or b""
    if text and not text.endswith(b"\n"):
        os.truncate(log, text.rfind(b"\n") + 1)
    again = "cut the file off before it, and the trials from there on are run again"
    try:
        trials = parse_json_lines(text, where=log)
    except ValueError as error:
        raise ValueError(f"{str(error).rstrip('.')}; {again}.") from error
    found: list[Trial] = []
    for number, trial in enumerate(trials):
        if not _is_trial(trial, number):
            raise ValueError(f"{log}, line {number + 1}, is damaged: it is not trial {number}; {again}.")
        found.append(Trial(**trial))
    return found


def _is_trial(line: dict[str, Any], number: int) -> bool:
    """Whether a line has what a search and its reader take from it."""
    if set(line) != {"trial", "settings", "scores", "mean"} or line["trial"] != number:
        return False
    scores = line["scores"].values() if isinstance(line["scores"], dict) else ["none"]
    return isinstance(line["settings"], dict) and all(isinstance(n, float | None) for n in [line["mean"], *scores])
