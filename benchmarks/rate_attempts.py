"""What the information earns: named attempts at a rule for the rate, each beside controls that have none.

`best` looks at training rows (when to begin the line down) and at validation rows (when to go back, and slower). The
attempts leave one of them out, look layer by layer, or change how far a fall may go; the controls are the recipe's own,
which knows the clock alone, and one with all of best's powers whose signal is the loss of validation rows in place of
their information. `network`, the paper's rule, is measured on 500, 1000 and 2000 rows. Three seeds; test scores are
told and choose nothing. Runs that are in the result already are not made again.
Run: OMP_NUM_THREADS=1 python benchmarks/rate_attempts.py milr-temperature [--epochs N]
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe
from infotorch.records import RunRecord
from infotorch.session import Session

SEEDS = 3
#: Name -> (variant, settings).
ATTEMPTS: dict[str, tuple[str, dict[str, Any]]] = {
    "best": ("best", {}),
    "control: the clock alone": ("control", {}),
    "best, training rows alone": ("best", {"schedule.tolerance": None}),
    "best, a fall of 5 %": ("best", {"schedule.tolerance": 0.05}),
    "best, layer by layer": ("best", {"schedule.layerwise": True}),
    "best, the line put off by 3 epochs": ("best", {"schedule.patience": 3}),
    "network, n = 500": ("network", {"schedule.n": 500}),
    "network, n = 1000": ("network", {}),
    "network, n = 2000": ("network", {"schedule.n": 2000}),
}
BY_LOSS = "control: loss of validation rows in place of their information"


class LossSignal:
    """Minus the logarithm of validation rows' loss, with the scale of an information: what a control looks at."""

    def __init__(self, session: Session) -> None:
        self.session, self.ceiling = session, session.pace.held_out.ceiling

    def __call__(self) -> float:
        """Now; for real targets half of it, as the information of a Gaussian error."""
        network, rows = self.session.network, self.session.dataset.validation
        with torch.no_grad():
            output = network.eval()(rows.x)
        if rows.y.is_floating_point():
            return -0.5 * rows.y.shape[1] * math.log(float((output - rows.y).square().mean()))
        return -float(torch.nn.functional.cross_entropy(output, rows.y))


def attempt(name: str, recipe_name: str, epochs: int | None, seed: int) -> dict[str, float]:
    """One run's scores and length."""
    variant, settings = ATTEMPTS.get(name, ("best", {}))
    shorter = {} if epochs is None else {"epochs": epochs}
    recipe = change(find_recipe(recipe_name, variant), {**settings, **shorter, "embedding_rows": 0})
    assert isinstance(recipe, Recipe)
    with tempfile.TemporaryDirectory() as directory:
        record = RunRecord(Path(directory) / "run")
        session = Session(recipe, record, seed, "cpu", None, 1e9)
        if name == BY_LOSS:
            session.pace.held_out = LossSignal(session)  # pyright: ignore[reportAttributeAccessIssue]
        outcome = session.run(resume=False)
    if outcome.status != "completed":
        raise RuntimeError(f"{name}, seed {seed}: {outcome.message}")
    kept = {key: value for key, value in outcome.metrics.items() if key.startswith(("test_", "validation_"))}
    return {**kept, "epochs": session.position.steps // len(session.batches)}


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--only", action="append", help="an attempt's name; may be given more than once")
    asked = parser.parse_args()
    result = Path(__file__).parent / "results" / f"rate_attempts_{asked.recipe}.json"
    begun = json.loads(result.read_text()) if result.exists() else {"epochs": asked.epochs, "runs": {}}
    if begun["epochs"] != asked.epochs:
        raise SystemExit(f"{result} has runs of {begun['epochs']} epochs; move it away first.")
    begun["machine"] = {"torch": torch.__version__, "python": platform.python_version()}
    for seed in range(SEEDS):
        for name in asked.only or [*ATTEMPTS, BY_LOSS]:
            runs = begun["runs"].setdefault(name, {})
            if str(seed) not in runs:
                runs[str(seed)] = attempt(name, asked.recipe, asked.epochs, seed)
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
