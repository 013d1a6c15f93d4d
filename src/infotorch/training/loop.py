"""The loop: a generator that trains a plan and yields what happened in each step.

The caller's `for` loop logs, watches, saves and stops. A step is a function of (plan, seed, position) alone: batches
are keyed by (seed, epoch, step), noise and dropout by the position, so a run that goes on from a checkpoint repeats
the uninterrupted one bit for bit on a CPU with the same number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from infotorch.data.loaders import check_start
from infotorch.data.targets import Targets
from infotorch.numerics.checks import check_choice, check_count
from infotorch.numerics.seeds import seed_streams
from infotorch.training.cache import CacheKind
from infotorch.training.checks import (
    check_cache,
    check_micro_batches,
    check_position,
)
from infotorch.training.plan import Batches, Plan
from infotorch.training.position import Position, StepInfo
from infotorch.training.processes import begin_alike, check_processes, telling_of_the_lost
from infotorch.training.reading import TrainingData, as_batches
from infotorch.training.stage import Stage
from infotorch.updates.gradient import Handoff

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from infotorch.training.division import Division


def train(
    plan: Plan,
    batches: Batches | TrainingData,
    *,
    epochs: int,
    batch_size: int = 128,
    targets: Targets = "auto",
    seed: int = 0,
    start: Position | None = None,
    cache: CacheKind | None = None,
    handoff: Handoff = "before",
    fabric: Fabric | None = None,
    micro_batches: int = 1,
    division: Division | None = None,
) -> Generator[StepInfo, None, None]:
    """Train `plan` on `batches`, yielding after every step.

    Each step sets the layers' modes anew: what it trains is in training mode, and all else in evaluation mode. The last
    step's modes and gradients stay: call `model.train()` or `model.eval()` before you use the model. `fit` leaves modes
    as they were.

    Args:
        plan: what to train; its weights change in place.
        batches: mini-batches keyed by epoch, on the device of the weights, such as `TensorBatches`; or samples as in
            `fit`: a pair (x, y) of arrays, a `Split`, a `DataLoader` or `Dataset` of torch, or torch_geometric graphs.
        epochs: epochs of each stage: of every module in sequential order, of the whole run in simultaneous order.
        batch_size: samples a step, where `batches` are samples; a `DataLoader` has its own.
        targets: what y of samples is, as in `fit`.
        seed: decides read-outs, noise and dropout, and the order of samples; `TensorBatches` have their own.
        start: go on from here; the plan must hold the state that belongs to it. With a `DataLoader` or `Dataset` of
            torch this is the start of an epoch, and the state of the loader's own generator, if any, is yours to keep.
        cache: keep the outputs of frozen modules in "memory" or on "disk" (sequential order, in-memory batches).
        handoff: in simultaneous order, the next module sees the output from "before" this step's update, or a second
            forward pass from "after" it.
        fabric: device, precision (autocast) and processes; None: this one alone, float32 where the tensors are. Several
            processes, started by torchrun or by the fabric, each call `train` with the same plan, batches and seed and
            compute a share of every batch; they end with the weights that one process gives, but for rounding. In
            pipelined order each trains some of the modules, on whole batches.
        micro_batches: parts of a batch that a module sees one after another before its step, by the mean of their
            gradients: less memory. Batch norm and bounds on a batch see a part at a time. Not where gradients cross.
        division: in pipelined order, how many modules each process trains; None: what measured costs make equal.

    Returns:
        A generator of one `StepInfo` a step; after a non-finite loss the last one says `diverged`. In a pipeline of
        processes the modules are together in each of them where it says `gathered`, as at the end of an epoch.

    Raises:
        TypeError: epochs is not an integer; or plan, batches, start or fabric is of another kind.
        ValueError: epochs below 1, a start outside the run, or within an epoch of a `DataLoader`, a cache for batches
            that serve no single samples or are augmented, samples that do not pair or are not finite, a plan whose
            schedules have run or were prepared for another number of steps; several processes that
            torch.distributed has joined, and no fabric of them, or that read other batches than each other; a
            division of other processes or modules.
        RuntimeError: another process has ended or failed.

    Example:
        >>> import torch
        >>> from infotorch.data.batches import TensorBatches
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.randn(64, 4, generator=generator)
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> plan = Plan.layerwise(model, objectives="Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))
        >>> batches = TensorBatches(x, (x[:, 0] > 0).long(), batch_size=32)
        >>> [(info.position.stage, info.position.epoch) for info in train(plan, batches, epochs=2) if info.ends_epoch]
        [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    if not isinstance(plan, Plan):
        raise TypeError(f"train: plan must be a Plan, such as Plan.end_to_end(model, ...), got {type(plan).__name__}.")
    if not isinstance(start, Position | None):
        raise TypeError(f"train: start must be a Position, the `next` of a StepInfo, got {type(start).__name__}.")
    check_count(epochs, where="train", name="epochs")
    check_count(batch_size, where="train", name="batch_size")
    model = nn.ModuleList(module.body for module in plan)
    batches = as_batches(batches, model, batch_size=batch_size, seed=seed, where="train", targets=targets)
    check_choice(handoff, ("before", "after"), where="train", name="handoff")
    check_cache(cache, batches, where="train")
    ranks = check_processes(fabric, where="train")
    check_micro_batches(micro_batches, batches, plan, where="train")
    if start is not None:
        check_position(start, stages=len(plan.stages()), epochs=epochs, steps=len(batches), where="train: start")
        check_start(batches, start.step, where="train: start")
    if ranks is not None:
        with telling_of_the_lost(where="train"):
            begin_alike(
                plan,
                where="train",
                seed=seed_streams(seed).seed,
                epochs=epochs,
                batches_an_epoch=len(batches),
                micro_batches=micro_batches,
                steps_taken=0 if start is None else start.steps,
            )
    if plan.num_steps is None:
        plan.prepare(batches, epochs=epochs, seed=seed)
    if start is None and plan.schedules_have_moved():
        raise ValueError("train: the plan's schedules have run; prepare the plan again, or say where to start.")
    if plan.num_steps != epochs * len(batches) and plan.has_schedules():
        raise ValueError(
            f"train: the plan was prepared for {plan.num_steps} steps a stage, got {epochs * len(batches)}."
        )
    make = partial(Stage, plan, seed_streams(seed), handoff == "after", fabric, micro_batches)
    if ranks is not None and plan.order == "pipelined":
        from infotorch.training.pipeline import pipelined  # no other run has a use for it

        stage = make(None, plan.stages()[0])  # no process shares a batch with others
        with telling_of_the_lost(where="train"):
            return pipelined(stage, ranks, batches, epochs, start or Position(), cache=cache, division=division)
    steps = _steps(partial(make, ranks), plan.stages(), batches, epochs, start or Position(), cache)
    return steps if ranks is None else _until_lost(steps)


def _until_lost(steps: Generator[StepInfo, None, None]) -> Generator[StepInfo, None, None]:
    """The same steps; a broken connection is told as what it means."""
    with telling_of_the_lost(where="train"):
        yield from steps


def _steps(
    make: Callable[[list[int]], Stage],
    stages: list[list[int]],
    batches: Batches,
    epochs: int,
    start: Position,
    cache: CacheKind | None,
) -> Generator[StepInfo, None, None]:
    steps = start.steps
    for number in range(start.stage, len(stages)):
        first = start if number == start.stage else Position(number)
        stage = make(stages[number])
        if first.epoch < epochs and cache is not None:
            stage.fill_cache(batches, cache)
        rows = stage.batches_to_learn_from(batches)
        for epoch in range(first.epoch, epochs):
            skip = first.step if epoch == first.epoch else 0
            # Epochs are numbered through all stages, so that no two stages see one order.
            for step, batch in enumerate(rows.epoch(number * epochs + epoch, start=skip), start=skip):
                position = Position(number, epoch, step, steps)
                steps += 1
                ends_epoch = step + 1 == len(batches)
                info = stage.step(batch, position, position.following(epochs, ends_epoch=ends_epoch), ends_epoch)
                yield info
                if info.diverged is not None:
                    return
