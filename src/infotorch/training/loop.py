"""The loop: a generator that trains a plan and yields what happened in each step.

The caller's `for` loop logs, watches, saves and stops. A step is a function of (plan, seed, position) alone: batches
are keyed by (seed, epoch, step), noise and dropout by the position, so a run that goes on from a checkpoint repeats
the uninterrupted one bit for bit on a CPU with the same number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from infotorch.data.batches import Batch
from infotorch.data.graphs import NodeSamples
from infotorch.data.loaders import check_start
from infotorch.data.targets import Targets
from infotorch.networks.shares import run_shared, whole
from infotorch.numerics.checks import check_choice, check_count
from infotorch.numerics.ranks import Ranks
from infotorch.numerics.seeds import SeedStreams, seed_streams
from infotorch.numerics.threads import threads_for
from infotorch.objectives.base import LocalBatch, Loss
from infotorch.objectives.layer_hook import hooks_paused
from infotorch.training.cache import CacheKind, OutputCache
from infotorch.training.checks import (
    check_cache,
    check_gradient,
    check_micro_batches,
    check_position,
    explaining_a_lone_sample,
)
from infotorch.training.graph_caches import without_graph_caches
from infotorch.training.inputs import device_of, local_batch
from infotorch.training.local_module import LocalModule
from infotorch.training.memory import track_saved_activations
from infotorch.training.micro_batches import mean_loss, parts_of_batch
from infotorch.training.plan import Batches, Plan
from infotorch.training.position import Position, StepInfo
from infotorch.training.processes import begin_alike, check_batch, check_processes, loss_of_rows
from infotorch.training.reading import TrainingData, as_batches
from infotorch.training.split_module import ProximalUpdate, SplitModule
from infotorch.updates.gradient import GradientUpdate, Handoff
from infotorch.updates.replay import keeping_statistics

if TYPE_CHECKING:
    from lightning_fabric import Fabric


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
) -> Iterator[StepInfo]:
    """Train `plan` on `batches`, yielding after every step.

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
            compute a share of every batch; they end with the weights that one process gives, but for rounding.
        micro_batches: parts of a batch that a module sees one after another before its step, by the mean of their
            gradients: less memory. Batch norm and bounds on a batch see a part at a time. Not where gradients cross.

    Returns:
        A generator of one `StepInfo` a step; after a non-finite loss the last one says `diverged`.

    Raises:
        TypeError: epochs is not an integer; or plan, batches, start or fabric is of another kind.
        ValueError: epochs below 1, a start outside the run, or within an epoch of a `DataLoader`, a cache for batches
            that serve no single samples or are augmented, samples that do not pair or are not finite, a plan whose
            schedules have run or were prepared for another number of steps; several processes that
            torch.distributed has joined, and no fabric of them, or that read other batches than each other, or graphs.

    Example:
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
        begin_alike(plan, ranks)
    if plan.num_steps is None:
        plan.prepare(batches, epochs=epochs, seed=seed)
    if start is None and plan.schedules_have_moved():
        raise ValueError("train: the plan's schedules have run; prepare the plan again, or say where to start.")
    if plan.num_steps != epochs * len(batches) and plan.has_schedules():
        raise ValueError(
            f"train: the plan was prepared for {plan.num_steps} steps a stage, got {epochs * len(batches)}."
        )
    run = _Run(plan, seed_streams(seed), handoff == "after", fabric, micro_batches, ranks)
    return _steps(run, batches, epochs, start or Position(), cache)


@dataclass
class _Run:
    """What all stages of a run have in common."""

    plan: Plan
    streams: SeedStreams
    hand_on_after: bool
    fabric: Fabric | None
    micro_batches: int
    ranks: Ranks | None


def _steps(run: _Run, batches: Batches, epochs: int, start: Position, cache: CacheKind | None) -> Iterator[StepInfo]:
    steps, stages = start.steps, run.plan.stages()
    for number in range(start.stage, len(stages)):
        first = start if number == start.stage else Position(number)
        stage = _Stage(**vars(run), numbers=stages[number])
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


@dataclass
class _Stage(_Run):
    """The modules that one stage trains, behind the frozen ones before them."""

    numbers: list[int]
    cached: OutputCache | None = None
    measured: bool = False
    modes: list[tuple[nn.Module, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        trained = {self.plan[number] for number in self.numbers}
        self.modes = [(layer, module in trained) for module in self.plan for layer in module.body.modules()]
        self.modes += [(part, True) for module in trained if module.objective for part in module.objective.modules()]

    def batches_to_learn_from(self, batches: Batches) -> Batches:
        """The labelled samples alone, where every objective of the stage needs labels and the batches can tell them."""
        objectives = [self.plan[number].objective for number in self.numbers]
        needs = all(objective is not None and objective.needs_labels for objective in objectives)
        labelled = getattr(batches, "labelled", None)
        return labelled() if needs and labelled is not None else batches

    def fill_cache(self, batches: Batches, kind: CacheKind) -> None:
        """Compute the frozen modules' outputs for all samples, once."""
        if self.numbers[0] > 0:
            self._set_modes()
            x, size = batches.x, getattr(batches, "batch_size", len(batches.x))  # pyright: ignore[reportAttributeAccessIssue]
            if isinstance(x, NodeSamples):
                self.cached = OutputCache(lambda _: self._frozen_output(x.graph), x.numbers, batch_size=size, kind=kind)
            else:
                self.cached = OutputCache(self._frozen_output, x, batch_size=size, kind=kind)

    def step(self, batch: Batch, position: Position, following: Position, ends_epoch: bool) -> StepInfo:
        """One update of every module of the stage."""
        self._set_modes()
        if self.ranks is not None and not self.measured:
            check_batch(batch, self.ranks, where="train")
        rates = {self.plan[n].name: update.learning_rate for n in self.numbers if (update := self.plan[n].update)}
        key = (position.stage, position.epoch, position.step)
        take = self._take_isolated if self.plan.isolated else self._take_joint
        peak = None
        draws = self.streams.as_global("dropout", *key, device=device_of(batch.x))
        with draws, threads_for(self.plan.operations):
            if self.measured:
                losses, diverged = take(batch, key)
            else:
                parameters = [p for module in self.plan for p in module.parameters()]
                with track_saved_activations(parameters) as saved:
                    losses, diverged = take(batch, key)
                peak, self.measured = saved.peak_bytes, True
        ends_stage = following.stage > position.stage
        if ends_stage and diverged is None:
            diverged = self._spoiled()
        return StepInfo(position, following, losses, rates, ends_epoch, ends_stage, diverged, peak)

    def _take_isolated(self, batch: Batch, key: tuple[int, ...]) -> tuple[dict[str, Loss], str | None]:
        """Module after module: forward, loss, and backward at once, so that one module's graph is all there is."""
        losses: dict[str, Loss] = {}
        hidden = self._first_input(batch)
        for number in range(self.numbers[0], self.numbers[-1] + 1):
            module = self.plan[number]
            if module.update is None:
                hidden = self._forward_frozen(module, hidden, batch.x)
                continue
            if isinstance(module, SplitModule):
                output, loss = self._step_halves(module, hidden, batch, key)
            elif self.micro_batches > 1:
                output, loss = self._add_gradients(module, hidden, batch, key)
            else:
                output, loss = self._local_loss(module, hidden, batch, key)
            losses[module.name] = Loss(loss.total.detach(), loss.terms)
            if not math.isfinite(loss.total.item()):
                return losses, module.name
            if isinstance(module.update, GradientUpdate):
                if self.micro_batches > 1:
                    module.update.apply(ranks=self.ranks)
                else:
                    module.update.step(loss.total, ranks=self.ranks)
            if number < self.numbers[-1]:
                hidden = self._forward_again(module, hidden, batch.x) if self.hand_on_after else output.detach()
        return losses, None

    def _take_joint(self, batch: Batch, key: tuple[int, ...]) -> tuple[dict[str, Loss], str | None]:
        """Deep supervision: the local losses are summed and their gradients cross the modules."""
        losses: dict[str, Loss] = {}
        totals: list[Tensor] = []
        hidden = self._first_input(batch)
        for module in self.plan.modules[self.numbers[0] : self.numbers[-1] + 1]:
            if module.update is None:
                with self._autocast():
                    hidden = self._forward(module, hidden, batch.x)
                continue
            hidden, loss = self._local_loss(module, hidden, batch, key)
            totals.append(loss.total)
            losses[module.name] = Loss(loss.total.detach(), loss.terms)
            if not math.isfinite(loss.total.item()):
                return losses, module.name
        updates = [update for n in self.numbers if isinstance(update := self.plan[n].update, GradientUpdate)]
        for update in updates:
            update.clear()
        # Gradients pass through a frozen module between two others, and stay out of its weights.
        trained = [
            parameter for n in self.numbers for parameter in self.plan[n].parameters() if parameter.requires_grad
        ]
        torch.stack(totals).sum().backward(inputs=trained)
        for update in updates:
            update.apply(ranks=self.ranks)
        return losses, None

    def _spoiled(self) -> str | None:
        """A module whose last update made a weight non-finite: no later loss of the stage would tell."""
        for number in self.numbers:
            if not all(torch.isfinite(parameter).all() for parameter in self.plan[number].body.parameters()):
                return self.plan[number].name
        return None

    def _local_loss(self, module: LocalModule, hidden: Any, batch: Batch, key: tuple[int, ...]) -> tuple[Tensor, Loss]:
        assert module.objective is not None
        number = self.plan.modules.index(module)
        with self._autocast():
            if self.ranks is not None and module.objective._reads_rows:
                return loss_of_rows(module, hidden, batch, self.ranks)
            hidden = whole(hidden)
            output = self._forward(module, hidden, batch.x)
        check_gradient(output, name=module.name)
        local = local_batch(batch.x, hidden, output, batch.y, self.streams, (*key, number), self._encoder(number))
        self._train_critics(module, local)
        with self._autocast():
            return output, module.objective(local)

    def _add_gradients(
        self, module: LocalModule, hidden: Any, batch: Batch, key: tuple[int, ...]
    ) -> tuple[Tensor, Loss]:
        """The mean gradient of a batch's parts, and what the module gave for them; no step is taken."""
        assert isinstance(module.update, GradientUpdate)
        module.update.clear()
        outputs: list[Tensor] = []
        losses: list[tuple[Loss, float]] = []
        for place, (part, seen, share) in enumerate(parts_of_batch(batch, whole(hidden), self.micro_batches)):
            output, loss = self._local_loss(module, seen, part, (*key, place))
            (share * loss.total).backward(inputs=module.update.moving())
            outputs.append(whole(output.detach()))
            losses.append((loss, share))
        return torch.cat(outputs), mean_loss(losses)

    def _step_halves(self, module: SplitModule, hidden: Any, batch: Batch, key: tuple[int, ...]) -> tuple[Tensor, Loss]:
        """The step of a module that is split at a bottleneck, and what it saw before; no step for a non-finite loss."""
        number = self.plan.modules.index(module)
        seen: list[Loss] = []

        def loss_fn(output: Tensor) -> Tensor:
            assert module.objective is not None
            streams, place = self.streams, (*key, number)
            local = local_batch(batch.x, hidden, output, batch.y, streams, place, self._encoder(number))
            seen.append(module.objective(local))
            return seen[-1].total

        assert isinstance(module.update, ProximalUpdate)
        with self._autocast(), explaining_a_lone_sample(module.name):
            info = module.update.step(hidden, loss_fn, ranks=self.ranks)
        stalled = info.loss.new_full((), float(info.stalled))
        terms = {**seen[0].terms, "gradient_norm": info.gradient_norm, "stalled": stalled}
        if info.curvatures:
            terms["curvature"] = torch.stack(info.curvatures).mean()
        # A gradient that is not finite ends the run as such a loss does.
        return info.output, Loss(info.loss if info.finite else torch.full_like(info.loss, math.nan), terms)

    def _train_critics(self, module: LocalModule, local: LocalBatch) -> None:
        """The steps of the objective's critics, on the output as it is before the module's step."""
        if module.critic_update is None or module.objective is None:
            return
        seen = module.objective.sees(replace(local, output=local.output.detach()))
        for number in range(module.objective.critic_steps):
            # Every step casts anew: until its outermost block ends, autocast reads the weights as it first cast them.
            with self._autocast():
                loss = module.objective.critic_loss(replace(seen, position=(*local.position, number)))
            module.critic_update.step(loss, ranks=self.ranks)

    def _encoder(self, number: int) -> Callable[[Any], Tensor]:
        """Raw inputs -> the output of module `number`, with a gradient where its output in the step has one."""

        def encode(x: Any) -> Tensor:
            before = [self.plan[n].body for n in range(number + 1)]
            with self._autocast(), keeping_statistics(before), without_graph_caches(before), hooks_paused():
                hidden = x
                for earlier, module in enumerate(self.plan.modules[:number]):
                    crossing = not self.plan.isolated and earlier >= self.numbers[0]
                    hidden = self._forward(module, hidden, x) if crossing else self._forward_frozen(module, hidden, x)
                return self._forward(self.plan[number], hidden, x)

        return encode

    def _first_input(self, batch: Batch) -> Any:
        if self.cached is None:
            return self._frozen_output(batch.x)
        assert batch.rows is not None  # a cache is filled from samples that have numbers
        return self.cached[batch.rows]

    def _frozen_output(self, x: Any) -> Any:
        hidden = x
        for number in range(self.numbers[0]):
            hidden = self._forward_frozen(self.plan[number], hidden, x)
        return hidden

    def _forward_frozen(self, module: LocalModule, hidden: Any, x: Any) -> Tensor:
        with torch.no_grad(), self._autocast():
            return self._forward(module, hidden, x)

    def _forward(self, module: LocalModule, hidden: Any, x: Any) -> Tensor:
        """The module's output for all rows, of which each process computes a share."""
        return module(hidden, x) if self.ranks is None else run_shared(self.ranks, module, hidden, x)

    def _forward_again(self, module: LocalModule, hidden: Any, x: Any) -> Tensor:
        """The moved module's output; batch norm has counted this batch once already."""
        with keeping_statistics([module.body]):
            return self._forward_frozen(module, hidden, x)

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self.fabric is None else self.fabric.autocast()

    def _set_modes(self) -> None:
        # Every step anew: between two steps the caller may have evaluated the network in another mode.
        for layer, training in self.modes:
            if layer.training is not training:
                layer.training = training
