"""What the information earns: named attempts at a rule for the rate, each beside controls that have none.

`best` looks at training rows (when to begin the line down) and at validation rows (when to go back, and slower). The
attempts leave one of them out, look layer by layer, or change how far a fall may go; the controls are the recipe's own,
which knows the clock alone, and one with all of best's powers whose signal is the loss of validation rows in place of
their information. Two attempts do more with the information than `best` does: one freezes layers whose I(T; Y) has
stopped growing, one raises the rate again where no lower one is left. `network`, the paper's rule, is measured on 500,
1000 and 2000 rows. Three seeds; test scores are told and choose nothing. Runs that are in the result already are not
made again.
Run: OMP_NUM_THREADS=1 python benchmarks/rate_attempts.py milr-temperature [--epochs N] [--set KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from infotorch.recipes.changes import change, change_from_text
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe
from infotorch.records.run_record import RunRecord
from infotorch.runs.schedule_control import information_signal
from infotorch.runs.session import Session
from infotorch.runs.setup import Setup
from infotorch.schedules.anneal import InformationAnneal
from infotorch.schedules.signal import layer_groups
from infotorch.training.plan import evaluating
from infotorch.training.position import StepInfo
from infotorch.updates.gradient import GradientUpdate

SEEDS = 3
#: Name -> (variant, settings).
ATTEMPTS: dict[str, tuple[str, dict[str, Any]]] = {
    "best": ("best", {}),
    "control: the clock alone": ("control", {}),
    "best, training rows alone": ("best", {"schedule.tolerance": None}),
    "best, a fall of 5 %": ("best", {"schedule.tolerance": 0.05}),
    "best, layer by layer": ("best", {"schedule.layerwise": True}),
    "best, the line put off by 3 epochs": ("best", {"schedule.patience": 3}),
    "best, the line begun by a gain below 1 %": ("best", {"schedule.threshold": 0.01}),
    "network, n = 500": ("network", {"schedule.num_samples": 500}),
    "network, n = 1000": ("network", {}),
    "network, n = 2000": ("network", {"schedule.num_samples": 2000}),
    "network, epsilon times 0.01": ("network", {}),
}
#: What an attempt's epsilon is multiplied by: the paper's C2 for regression.
EPSILON_TIMES = {"network, epsilon times 0.01": 0.01}
#: A layer that brought a smaller share of what it lacked than this, in one epoch, is done; as for the output.
DONE = 0.05


class LossSignal:
    """Minus the logarithm of validation rows' loss, with the scale of an information: what a control looks at."""

    def __init__(self, session: Session) -> None:
        self.session, self.ceiling = session, session.controller.held_out.ceiling

    def __call__(self) -> float:
        """Now; for real targets half of it, as the information of a Gaussian error."""
        network, rows = self.session.model, self.session.dataset.validation
        with torch.no_grad():
            output = network.eval()(rows.x)
        if rows.y.is_floating_point():
            return -0.5 * rows.y.shape[1] * math.log(float((output - rows.y).square().mean()))
        return -float(torch.nn.functional.cross_entropy(output, rows.y))


class Freezing:
    """Freezes layers that are done, from the input on: their I(T; Y) brought too little in an epoch.

    `session.controller` goes on as it was; what is saved is told by the seconds of an epoch's steps, before and after.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.controller = session, session.controller.after_step
        recipe = session.recipe
        self.signal = information_signal(recipe, session.model, session.dataset.train, session.seed, layerwise=True)
        self.groups = layer_groups(session.model)[:-1]  # the output's layer always learns
        self.best = self._measure()
        self.done, self.begun = 0, time.process_time()
        self.seconds: dict[int, list[float]] = {}
        session.controller.after_step = self.after_step  # pyright: ignore[reportAttributeAccessIssue]

    def after_step(self, info: StepInfo) -> None:
        """In place of the controller's own."""
        if info.ends_epoch:
            self.seconds.setdefault(self.done, []).append(time.process_time() - self.begun)
            self._look()
        self.controller(info)
        if info.ends_epoch:
            self.begun = time.process_time()

    def _measure(self) -> list[float]:
        with evaluating(self.session.plan):
            return [float(value) for value in self.signal()]

    def _look(self) -> None:
        now = self._measure()
        while self.done < len(self.groups) and self._gain(now, self.done) < DONE:
            for weight in self.groups[self.done]["params"]:
                weight.requires_grad_(False)
            self.done += 1
        self.best = [max(new, old) for new, old in zip(now, self.best, strict=True)]
        (module,) = self.session.plan
        assert isinstance(module.update, GradientUpdate)
        module.update.clear()
        module.update.parameters = [weight for weight in module.update.parameters if weight.requires_grad]

    def _gain(self, now: list[float], layer: int) -> float:
        missing = max(self.signal.ceiling, now[layer]) - self.best[layer]
        return (now[layer] - self.best[layer]) / missing if missing > 0 else 0.0

    def told(self) -> dict[str, float]:
        """How many layers were frozen at the end, and how long an epoch took then, as a share of the first."""
        (whole, *_), last = self.seconds[0], self.seconds[max(self.seconds)]
        return {"layers_frozen": self.done, "time_of_an_epoch": fmean(last) / whole}


class Raising:
    """Raises LR_top again once no lower rate is left, from the best weights; at most three times, while it helps."""

    def __init__(self, session: Session) -> None:
        schedule = session.controller.schedule
        assert isinstance(schedule, InformationAnneal)
        self.controller, self.schedule, self.lower = session.controller, schedule, schedule.lower
        self.tops, self.times, self.best = list(schedule.lr_top), 0, -math.inf
        schedule.lower = self.lower_or_raise

    def lower_or_raise(self, factor: float) -> None:
        """In place of the schedule's own `lower`."""
        self.lower(factor)
        assert self.controller.stopping is not None
        best = self.controller.stopping.best
        if self.schedule.finished and self.times < 3 and best > self.best:
            self.schedule.lr_top, self.best, self.times = list(self.tops), best, self.times + 1

    def told(self) -> dict[str, float]:
        """How often."""
        return {"times_raised": self.times}


def by_loss(session: Session) -> None:
    """Look at the loss where `best` looks at the information."""
    session.controller.held_out = LossSignal(session)  # pyright: ignore[reportAttributeAccessIssue]


#: Name -> what is done to a session of `best` before it runs.
CHANGED: dict[str, Callable[[Session], Any]] = {
    "control: loss of validation rows in place of their information": by_loss,
    "best, layers that are done are frozen": Freezing,
    "best, raised again where no lower rate is left": Raising,
}


def attempt(name: str, recipe_name: str, epochs: int | None, changed_for_all: list[str], seed: int) -> dict[str, float]:
    """One run's scores and length."""
    variant, settings = ATTEMPTS.get(name, ("best", {}))
    shorter = {} if epochs is None else {"epochs": epochs}
    recipe = change_from_text(find_recipe(recipe_name, variant), changed_for_all)
    epsilon = {"schedule.threshold": recipe.schedule.threshold * EPSILON_TIMES.get(name, 1.0)}
    recipe = change(recipe, {**epsilon, **settings, **shorter, "embedding_samples": 0})
    assert isinstance(recipe, Recipe)
    with tempfile.TemporaryDirectory() as directory:
        record = RunRecord(Path(directory) / "run")
        session = Session(Setup(recipe, seed, "cpu"), record)
        changed = CHANGED[name](session) if name in CHANGED else None
        outcome = session.run(resume=False)
    if outcome.status != "completed":
        raise RuntimeError(f"{name}, seed {seed}: {outcome.message}")
    kept = {key: value for key, value in outcome.metrics.items() if key.startswith(("test_", "validation_"))}
    told = changed.told() if isinstance(changed, Freezing | Raising) else {}
    return {**kept, "epochs": session.position.steps // len(session.batches), **told}


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE, for all attempts")
    parser.add_argument("--only", action="append", help="an attempt's name; may be given more than once")
    asked = parser.parse_args()
    result = Path(__file__).parent / "results" / f"rate_attempts_{asked.recipe}.json"
    shared = {"epochs": asked.epochs, "set": asked.set}
    begun = json.loads(result.read_text()) if result.exists() else {**shared, "runs": {}}
    known = {"epochs": begun["epochs"], "set": begun.get("set", [])}
    if known != shared:
        raise SystemExit(f"{result} has runs of other settings, {known}; move it away first.")
    begun["machine"] = {"torch": torch.__version__, "python": platform.python_version()}
    for seed in range(SEEDS):
        for name in asked.only or [*ATTEMPTS, *CHANGED]:
            runs = begun["runs"].setdefault(name, {})
            if str(seed) not in runs:
                runs[str(seed)] = attempt(name, asked.recipe, asked.epochs, asked.set, seed)
                result.write_text(json.dumps(begun, indent=2) + "\n")
                print(name, seed, runs[str(seed)], flush=True)
    report(begun["runs"])


def report(runs: dict[str, dict[str, dict[str, float]]]) -> None:
    """Mean and standard error of every score, and how many epochs it took."""
    for name, found in runs.items():
        columns = [f"{name:<64}"]
        for key in next(iter(found.values())):
            values = [one[key] for one in found.values()]
            error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan
            columns.append(f"{key} {fmean(values):.4g} ± {error:.2g}")
        print("  ".join(columns))


if __name__ == "__main__":
    main()
