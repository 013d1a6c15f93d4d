"""The locality audit of a run: are its modules isolated, as its recipe says?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from infotorch.data.graphs import NodeSamples, select_samples
from infotorch.data.sets import Dataset, Split
from infotorch.data.splits import stratified_samples
from infotorch.diagnostics.isolation import audit_step
from infotorch.diagnostics.isolation_plan import parts_of_plan, step_of_plan
from infotorch.numerics.seeds import seed_streams
from infotorch.recipes.recipe import Recipe
from infotorch.runs.setup import Setup
from infotorch.training.inputs import batches_of
from infotorch.training.plan import Batches
from infotorch.training.processes import by_itself

#: Enough for several samples of each of ten classes; a step of the audit takes next to no time.
_SAMPLES = 32


def audit_run(recipe: Recipe, seed: int, device: str, dataset: Dataset) -> str:
    """What `audit_isolation` finds of a run's plan on a few training samples: "certified", or "not certified: ...".

    Model and plan are built anew, as the run begins, so that nothing of the run is touched.

    Args:
        recipe: of the run.
        seed: of the run.
        device: see `launch`.
        dataset: of the run.

    Example:
        >>> from infotorch.recipes.changes import change
        >>> from infotorch.recipes.registry import find_recipe
        >>> recipe = change(find_recipe("demo"), {"data.limit": 100})
        >>> audit_run(recipe, 0, "cpu", Setup(recipe, 0, "cpu").dataset)
        'certified'
    """
    try:
        setup = Setup(recipe, seed, device, dataset=replace(dataset, train=_few(dataset.train, seed)))
        setup.prepare()
        train = setup.dataset.train
        step = step_of_plan(
            setup.plan, train.x, train.y, read=_as_one_batch, handoff=recipe.plan.handoff, fabric=setup.fabric
        )
        # Every process makes all of the audit: where it fails in one, no other waits for it.
        with by_itself():
            return audit_step(step, parts_of_plan(setup.plan), train.x, train.y).summary
    except Exception as error:  # what cannot be audited is not certified, and trains all the same
        return f"not certified: the audit failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _few(split: Split, seed: int) -> Split:
    """Some samples of every class; of the nodes of one graph all, as in a step."""
    if isinstance(split.x, NodeSamples) or len(split) <= _SAMPLES:
        return split
    generator, y = seed_streams(seed).generator("isolation"), split.y
    if y.ndim == 1 and not y.is_floating_point():
        rows = stratified_samples(y.cpu(), _SAMPLES, generator)
    else:
        rows = torch.randperm(len(split), generator=generator)[:_SAMPLES]
    return Split(*select_samples(split.x, y, rows.to(y.device)))


def _as_one_batch(x: Any, y: Any) -> Batches:
    return batches_of(x, y, batch_size=len(x))
