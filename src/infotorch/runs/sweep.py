"""A sweep: trials of a recipe's settings on its validation samples, shared by any number of processes and machines.

    sweep.json                 what is swept
    journal.log                the trials as Optuna keeps them, unless they are in a database
    tuning/trials.jsonl        one line a trial that has ended, as of every search
    tuning/trial-003/seed-1000/  the runs of one trial, without outcomes of their own
    best.json                  the recipe with the best settings, which `infotorch run` takes

A rerun, or a second process beside the first, goes on until the study has as many trials as it shall have.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infotorch.numerics.extras import require
from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.recipe_file import write_recipe
from infotorch.recipes.search import RunTrial, Trial, best_trial, score_settings
from infotorch.recipes.search_ranges import check_range_of
from infotorch.recipes.settings import SettingValue
from infotorch.records.files import json_values, read_json, write_atomic, write_json
from infotorch.records.lock import is_empty
from infotorch.records.progress import Progress
from infotorch.runs.resume import flat_settings
from infotorch.runs.session import CHECKPOINT_SECONDS, Watch
from infotorch.runs.setup import Setups
from infotorch.runs.study import SharedStudy, patient_writer, without_password
from infotorch.runs.trials import PrunedError, trial_runner

#: Of a recipe, what decides no number of a trial, or may grow.
_BESIDE = {"changed", "title", "description", "source", "search.trials", "tune"}
#: The share of a run that is never pruned: a slow start says little.
_SLOW_START = 0.25
#: Between the epochs of one seed and those of the next, in what trials report: more than any run has.
_SEED_APART = 1_000_000
#: Completed trials without which nothing is said of what mattered: a forest needs some to split.
FEWEST = 4


class SweepTrial(Trial):
    """One line of trials.jsonl: that of a search, and how the trial ended."""

    status: str
    message: str
    seconds: float


@dataclass(frozen=True)
class SweepResult:
    """What a sweep has found so far.

    Args:
        trials: those that have ended, in order.
        best: the one with the best mean validation score; None where none has completed.
        recipe: the recipe with its settings, or None.
        importance: setting -> share of the variance of the scores, highest first; empty where `FEWEST` have not
            completed, or all are alike.
        running: number -> settings of the trials that other processes run: what they find may be better.
    """

    trials: list[SweepTrial]
    best: SweepTrial | None
    recipe: Recipe | None
    importance: dict[str, float]
    running: dict[int, dict[str, SettingValue]]


def check_sweep(recipe: Recipe, directory: Path, storage: str | None = None) -> None:
    """Refuse what cannot be swept, and a directory that holds anything else than this sweep; nothing is written.

    Raises:
        ValueError: there is nothing to search or the recipe searches by itself; a range holds a value that a setting
            does not take; or the directory holds other things, or a sweep of other settings.
    """
    title = f"{recipe.name} {recipe.variant}"
    if recipe.tune or recipe.searches_objectives:
        what = "tune=true" if recipe.tune else "plan.objectives=auto"
        raise ValueError(f"{title}: {what} is a search within each run, and a sweep is one; leave it out.")
    if not recipe.search.space:
        raise ValueError(f"{title}: there is nothing to search; say what by --set-range key=low:high.")
    for key, where in recipe.search.space.items():
        check_range_of(recipe, key, where)
    if directory.exists():
        with patient_writer(directory):  # or what another process has begun would look like other things
            _check_directory(directory, _begun(recipe, storage))


def _check_directory(directory: Path, wanted: Mapping[str, Any]) -> None:
    if is_empty(directory):
        return
    if not (directory / "sweep.json").exists():
        raise ValueError(f"--out {directory} is not empty and holds no sweep; choose another.")
    known, asked = flat_settings(read_json(directory / "sweep.json")), flat_settings(dict(wanted))
    if differing := sorted(key for key in known.keys() | asked.keys() if known.get(key) != asked.get(key)):
        raise ValueError(
            f"--out {directory} holds a sweep of other settings ({', '.join(differing)}); choose another --out."
        )


def sweep(
    recipe: Recipe,
    directory: Path,
    *,
    storage: str | None = None,
    prune: bool = True,
    device: str = "auto",
    progress: Progress | None = None,
    finished: Callable[[SweepTrial], None] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    setups: Setups | None = None,
) -> SweepResult:
    """Run trials of `recipe.search` until the study has as many as it shall have, be they of other processes.

    Nothing is chosen on test samples: a trial's score is the mean of its validation scores over the search's seeds.

    Args:
        recipe: its `search` holds the space, the seeds, the metric and the number of trials in all.
        directory: of this process, or shared by all of them.
        storage: a journal file, or the URL of a database; None for a journal in the directory.
        prune: end a trial whose validation scores are behind the median of the completed trials at the same epoch.
        device: see `launch`.
        progress: told about every step.
        finished: hears of each trial of this process as it ends.
        checkpoint_seconds: at most this much work is lost when the process is killed.
        setups: what was loaded and built before.

    Returns:
        What all processes have found so far.

    Raises:
        ValueError: see `check_sweep`; or the storage cannot be opened.
        ModuleNotFoundError: optuna is not installed (extra `sweep`).
        KeyboardInterrupt: Ctrl-C: the trial is handed back, and whoever goes on takes it up.

    Example:
        >>> import tempfile
        >>> from infotorch.recipes.changes import change
        >>> from infotorch.recipes.registry import find_recipe
        >>> small = {"epochs": 1, "data.limit": 100, "search.trials": 2, "search.seeds": (1000,)}
        >>> found = sweep(change(find_recipe("demo", "bp"), small), Path(tempfile.mkdtemp()), device="cpu")
        >>> [trial["status"] for trial in found.trials]
        ['completed', 'completed']
    """
    recipe = recipe.model_copy(update={"search": recipe.search.model_copy(update={"during": {}})})
    check_sweep(recipe, directory, storage)
    begun = _begun(recipe, storage)
    require("sweep", "optuna", "a sweep")
    with patient_writer(directory):
        _check_directory(directory, begun)
        study = SharedStudy(recipe, begun["study"], storage or str(directory / "journal.log"), prune=prune)
        write_json(directory / "sweep.json", begun)
    work = _Work(
        study, directory, trial_options=(setups or Setups(), device, progress, checkpoint_seconds), prune=prune
    )
    while (asked := study.take()) is not None:
        try:
            row = work.run(asked)
        except KeyboardInterrupt:
            study.hand_back(asked)
            raise
        _keep(study, directory)
        if finished is not None and row is not None:
            finished(row)
    running = {_number(trial): dict(trial.params) for trial in study.running()}  # first: none that ends now is left out
    trials, best = _keep(study, directory)
    for trial in trials:
        running.pop(trial["trial"], None)
    return SweepResult(trials, best, None if best is None else _with(recipe, best), _importance(study), running)


def _begun(recipe: Recipe, storage: str | None) -> dict[str, Any]:
    """The content of sweep.json. The name of the study tells sweeps of other settings apart in one database."""
    content = recipe.model_dump(mode="json", exclude={"search": {"trials", "during"}})
    decides = {key: value for key, value in flat_settings(content).items() if key not in _BESIDE}
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:8]
    return {
        "study": f"{recipe.name}-{recipe.variant}-{digest}",
        "storage": storage and without_password(storage),
        "settings": decides,
    }


class _Work:
    """What runs the trials of this process."""

    def __init__(self, study: SharedStudy, directory: Path, *, trial_options: tuple[Any, ...], prune: bool) -> None:
        self._study, self._directory, self._options, self._prune = study, directory, trial_options, prune

    def run(self, asked: Any) -> SweepTrial | None:
        """Run one trial with every seed and write down how it ended; None where it was no longer ours."""
        study, began = self._study, time.monotonic()
        settings = study.settings(asked)
        folder = self._directory / "tuning" / asked.user_attrs.get("folder", f"trial-{asked.number:03d}")
        known = study.reported(asked)
        watch = (lambda seed: _watch(asked, study.recipe, seed, known)) if self._prune else None
        mean, told = None, {"status": "completed", "message": "", "scores": {}}
        with study.working(asked, folder):
            try:
                runner = _keeping(asked, study.recipe.search.metric, trial_runner(*self._options, watch=watch))
                told["scores"], mean = score_settings(study.recipe, settings, folder, runner)
                if mean is None:
                    told |= {"status": "diverged", "message": "its loss was not finite"}
            except PrunedError as pruned:
                told |= {"status": "pruned", "message": str(pruned)}
            except Exception as error:  # these settings fail, others go on; its traceback is in the run's folder
                told |= {"status": "failed", "message": f"{type(error).__name__}: {error}"}
            told["seconds"] = round(time.monotonic() - began, 3)
            if not study.end(asked, mean, **told):
                return None
        return SweepTrial(trial=_number(asked), settings=settings, mean=mean, **told)


def _keeping(asked: Any, metric: str, runner: RunTrial) -> RunTrial:
    """What runs each seed of a trial once, be it that another process takes the trial over."""
    done: dict[str, float | None] = dict(asked.user_attrs.get("done", {}))

    def run_trial(trial: Recipe, where: Path, seed: int) -> Mapping[str, float]:
        if str(seed) not in done:
            done[str(seed)] = json_values(runner(trial, where, seed).get(metric))
            asked.set_user_attr("done", done)
        score = done[str(seed)]
        return {} if score is None else {metric: score}

    return run_trial


def _watch(asked: Any, recipe: Recipe, seed: int, known: Collection[int]) -> Watch:
    """What reports a run's validation scores that are not known to the study, and prunes it where the study says so."""
    metric, place = recipe.search.metric.removeprefix("validation_"), recipe.search.seeds.index(seed)

    def watch(epoch: int, epochs: int, scores: Mapping[str, float]) -> str | None:
        score = scores.get(metric)
        if score is None or not math.isfinite(score):
            return None
        step = place * _SEED_APART + epoch  # not `epochs`, which may be what is searched
        if step not in known:
            asked.report(score, step)
        if epoch < _SLOW_START * epochs or step < max(known, default=0) or not asked.should_prune():
            return None
        return f"validation {metric} {score:.4g}, its best so far behind the median of the others"

    return watch


def _keep(study: SharedStudy, directory: Path) -> tuple[list[SweepTrial], SweepTrial | None]:
    """Write down what all processes have found so far, and return it: the trials that have ended, and the best."""
    with patient_writer(directory):  # read within, too: another process may have written more in between
        trials = sorted((_row(trial) for trial in study.ended()), key=lambda trial: trial["trial"])
        best = best_trial(study.recipe, trials) if any(trial["mean"] is not None for trial in trials) else None
        lines = "".join(json.dumps(trial, ensure_ascii=False) + "\n" for trial in trials)
        (directory / "tuning").mkdir(exist_ok=True)
        write_atomic(directory / "tuning" / "trials.jsonl", lines.encode())
        if best is not None:
            write_recipe(directory / "best.json", _with(study.recipe, best))
    return trials, best


def _row(trial: Any) -> SweepTrial:
    known = {key: trial.user_attrs[key] for key in ("scores", "status", "message", "seconds")}
    mean = trial.value if known["status"] == "completed" else None
    return SweepTrial(trial=_number(trial), settings=dict(trial.params), mean=mean, **known)


def _number(trial: Any) -> int:
    """That of its folder, as its metrics have it: a trial that takes over from another has a new one in the study."""
    folder = trial.user_attrs.get("folder")
    return trial.number if folder is None else int(folder.removeprefix("trial-"))


def _with(recipe: Recipe, trial: Trial) -> Recipe:
    """The recipe with the settings of a trial: a variant of its own, for a table beside the one that it is from."""
    settings = trial["settings"]
    told = tuple(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in settings.items())
    named = {"variant": f"{recipe.variant}-swept", "changed": (*recipe.changed, *told)}
    return change(recipe, settings).model_copy(update=named)


def _importance(study: SharedStudy) -> dict[str, float]:
    """By functional analysis of variance in a forest, whose seed is fixed."""
    means = [trial.value for trial in study.ended() if trial.user_attrs["status"] == "completed"]
    if len(means) < FEWEST or len(set(means)) == 1:
        return {}
    importance = require("sweep", "optuna.importance", "a sweep")
    found = importance.get_param_importances(study.study, evaluator=importance.FanovaImportanceEvaluator(seed=0))
    return {key: float(value) for key, value in found.items()}
