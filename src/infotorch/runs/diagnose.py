"""Diagnose the network of a run, after training, or of a recipe, before it: what stands behind `infotorch diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from infotorch.data.splits import stratified_samples
from infotorch.diagnostics.comparison import NetworkComparison, compare_networks
from infotorch.diagnostics.diagnosis import diagnose
from infotorch.numerics.seeds import seed_streams
from infotorch.recipes.recipe import Recipe
from infotorch.records.files import write_json
from infotorch.records.run_record import RunRecord
from infotorch.runs.saved_state import naming_checkpoint, saved_state
from infotorch.runs.setup import Setup, with_objectives
from infotorch.training.plan import evaluating

#: Samples of the validation split that are looked at: choices may follow from a diagnosis; test samples see no choice.
NUM_SAMPLES = 1000


def diagnose_run(
    directory: Path, *, layers: Sequence[str] | None = None, device: str = "auto", seed: int = 0
) -> dict[str, Any]:
    """Diagnose the network that a run has left, on validation samples, and keep it in the run's diagnosis.json.

    Args:
        directory: a run directory with a checkpoint.
        layers: see `diagnose`.
        device: see `launch`.
        seed: of the diagnosis; the run has its own.

    Returns:
        What diagnosis.json holds: `Diagnosis.as_dict`, and recipe, variant, seed, split and weights (in words).

    Raises:
        FileNotFoundError: the directory holds no checkpoint.
        ValueError: it holds no run, or one of another version or on graphs; see also `diagnose`.
    """
    setup, run_seed = _as_it_was_left(directory, device)
    outcome = RunRecord(directory).outcome()
    when = "after training" if outcome is not None and outcome.status == "completed" else "in the midst of training"
    with evaluating(setup.plan):  # of averaged weights the averages
        found = _diagnosed(setup, layers, seed)
    found = {**_about(setup.recipe, run_seed, when), **found}
    write_json(directory / "diagnosis.json", found)
    return found


def compare_runs(
    directory: Path, other: Path, *, layers: Sequence[str] | None = None, device: str = "auto", seed: int = 0
) -> NetworkComparison:
    """The networks that two runs have left, beside each other on validation samples of the first; nothing is kept.

    Args:
        directory: a run directory with a checkpoint.
        other: another one, of the same data.
        layers: of both networks, see `diagnose`.
        device: see `launch`.
        seed: of the samples and all draws.

    Raises:
        FileNotFoundError: a directory holds no checkpoint.
        ValueError: as `diagnose_run`; or the runs are of different data.
    """
    first, second = (_as_it_was_left(one, device)[0] for one in (directory, other))
    if first.recipe.data != second.recipe.data:
        raise ValueError(
            f"{other} must be of the same data as {directory}, got {second.recipe.data} and {first.recipe.data}."
        )
    with evaluating(first.plan), evaluating(second.plan):
        return compare_networks(
            first.model,
            second.model,
            _samples(first, seed),
            layers=layers,
            other_layers=layers,
            num_samples=NUM_SAMPLES,
            seed=seed,
        )


def _as_it_was_left(directory: Path, device: str) -> tuple[Setup, int]:
    """A run's network with its weights, and its seed."""
    record = RunRecord(directory)
    if not record.exists():
        raise ValueError(f"{directory} holds no run: there is no recipe.json in it.")
    content = record.recipe()
    run_seed = content.pop("seed", None) or 0
    state = saved_state(record, seed=run_seed)
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        wrong = ".".join(map(str, error.errors()[0]["loc"]))
        raise ValueError(f"{directory} is a run of another version: its setting {wrong} is not known.") from error
    setup = Setup(recipe, run_seed, device)
    _check_rows(setup)
    setup.prepare()
    with naming_checkpoint(record):
        setup.plan.load_state_dict(state["plan"])
    return setup, run_seed


def diagnose_recipe(
    recipe: Recipe, *, layers: Sequence[str] | None = None, device: str = "auto", seed: int = 0
) -> dict[str, Any]:
    """Diagnose a recipe's network as it is initialised, on validation samples; nothing is trained and nothing is kept.

    Args:
        recipe: the variant.
        layers: see `diagnose`.
        device: see `launch`.
        seed: decides the samples, the weights and the diagnosis.

    Returns:
        As `diagnose_run`.

    Raises:
        ValueError: a network on graphs; see also `diagnose`.

    Example:
        >>> from infotorch.recipes.changes import change
        >>> from infotorch.recipes.registry import find_recipe
        >>> found = diagnose_recipe(change(find_recipe("demo"), {"data.limit": 100}), device="cpu")
        >>> found["weights"], found["layers"][-1]["verdict"]
        ('as initialised', 'saturated')
    """
    setup = Setup(with_objectives(recipe), seed, device)
    _check_rows(setup)
    found = _diagnosed(setup, layers, seed)
    return {**_about(recipe, seed, "as initialised"), **found}


def _check_rows(setup: Setup) -> None:
    if setup.dataset.kind in {"graph", "graphs"}:
        raise ValueError(
            f"{setup.recipe.name}: its network reads graphs, and diagnose looks at networks that read one tensor."
        )


def _about(recipe: Recipe, seed: int, weights: str) -> dict[str, Any]:
    return {"recipe": recipe.name, "variant": recipe.variant, "seed": seed, "weights": weights, "split": "validation"}


def _samples(setup: Setup, seed: int) -> tuple[Tensor, Tensor | None]:
    """Validation inputs, and their classes if they have any."""
    held_out = setup.dataset.validation
    x, classes = held_out.x, None if setup.dataset.num_classes is None else held_out.y
    if not isinstance(x, Tensor):  # pictures that stay on disk
        y = held_out.y
        kept = stratified_samples(y.cpu(), min(NUM_SAMPLES, len(y)), seed_streams(seed).generator("diagnosed pictures"))
        x, classes = x[kept], y[kept]
    return x, classes


def _diagnosed(setup: Setup, layers: Sequence[str] | None, seed: int) -> dict[str, Any]:
    samples = _samples(setup, seed)
    try:
        return diagnose(setup.model, samples, layers=layers, num_samples=NUM_SAMPLES, seed=seed).as_dict()
    except ValueError as error:
        raise ValueError(f"{setup.recipe.name}: {error}") from error
