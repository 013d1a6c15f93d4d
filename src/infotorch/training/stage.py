"""A stage of a plan: the modules that are trained together, and one step of all or some of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infotorch.data.batches import Batch
from infotorch.data.graphs import NodeSamples
from infotorch.networks.shares import run_shared, whole
from infotorch.numerics.finite import all_finite
from infotorch.numerics.ranks import Ranks
from infotorch.numerics.seeds import SeedStreams, global_states, set_global_states
from infotorch.numerics.threads import threads_for
from infotorch.objectives.base import LocalBatch, Loss
from infotorch.objectives.layer_hook import hooks_paused
from infotorch.training.cache import CacheKind, OutputCache
from infotorch.training.checks import check_gradient, explaining_a_lone_sample
from infotorch.training.graph_caches import without_graph_caches
from infotorch.training.inputs import device_of, local_batch
from infotorch.training.local_module import LocalModule
from infotorch.training.memory import track_saved_activations
from infotorch.training.micro_batches import mean_loss, parts_of_batch
from infotorch.training.modes import StageModes
from infotorch.training.plan import Batches, Plan
from infotorch.training.position import Position, StepInfo
from infotorch.training.processes import check_same_batch, loss_of_rows
from infotorch.training.split_module import ProximalUpdate, SplitModule
from infotorch.updates.gradient import GradientUpdate
from infotorch.updates.replay import keeping_statistics

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Handed:
    """What some modules of a step hand on to those behind them.

    Args:
        output: of the last one, without its history.
        states: of torch's global generators, from which those behind draw on.
    """

    output: Any
    states: Sequence[Tensor]


@dataclass(frozen=True)
class Taken:
    """What came of a step of all modules of a stage, or of some.

    Args:
        losses: module name -> its loss before the update.
        learning_rates: module name -> the rate of this step.
        diverged: name of the module whose loss was not finite, behind which no module took a step; or None.
        peak_bytes: what autograd kept at its highest, where it was measured.
        handed: for the modules behind; None where one diverged or there is none.
    """

    losses: dict[str, Loss]
    learning_rates: dict[str, float]
    diverged: str | None
    peak_bytes: int | None
    handed: Handed | None


@dataclass
class Stage:
    """The modules that one stage trains, behind the frozen ones before them.

    Args:
        plan: whose modules they are.
        streams: the run's random streams.
        hand_on_after: whether the next module sees the output of the moved one.
        fabric: precision and processes, or None.
        micro_batches: parts of a batch that a module sees one after another.
        ranks: the processes that share every batch; None: this one sees all of it.
        numbers: of the modules that are trained.
        looked_back: numbers of the modules whose objective has passed other inputs through the modules before.
    """

    plan: Plan
    streams: SeedStreams
    hand_on_after: bool
    fabric: Fabric | None
    micro_batches: int
    ranks: Ranks | None
    numbers: list[int]
    looked_back: set[int] = field(default_factory=set)
    cached: OutputCache | None = None
    measured: bool = False
    modes: StageModes = field(init=False)

    def __post_init__(self) -> None:
        self.modes = StageModes(self.plan, {self.plan[number] for number in self.numbers})

    def batches_to_learn_from(self, batches: Batches) -> Batches:
        """The labelled samples alone, where every objective of the stage needs labels and the batches can tell them."""
        objectives = [self.plan[number].objective for number in self.numbers]
        needs = all(objective is not None and objective.needs_labels for objective in objectives)
        labelled = getattr(batches, "labelled", None)
        return labelled() if needs and labelled is not None else batches

    def fill_cache(self, batches: Batches, kind: CacheKind) -> None:
        """Compute the frozen modules' outputs for all samples, once."""
        if self.numbers[0] > 0:
            self.modes.set()
            x, size = batches.x, getattr(batches, "batch_size", len(batches.x))  # pyright: ignore[reportAttributeAccessIssue]
            if isinstance(x, NodeSamples):
                self.cached = OutputCache(lambda _: self._frozen_output(x.graph), x.numbers, batch_size=size, kind=kind)
            else:
                self.cached = OutputCache(self._frozen_output, x, batch_size=size, kind=kind)

    def step(self, batch: Batch, position: Position, following: Position, ends_epoch: bool) -> StepInfo:
        """One update of every module of the stage."""
        if self.ranks is not None and not self.measured:
            check_same_batch(batch, where="train")
        taken = self.take(batch, position)
        ends_stage, diverged = following.stage > position.stage, taken.diverged
        if ends_stage and diverged is None:
            diverged = self.spoiled(self.numbers)
        return StepInfo(
            position,
            following,
            taken.losses,
            taken.learning_rates,
            ends_epoch,
            ends_stage,
            diverged,
            taken.peak_bytes,
        )

    @property
    def span(self) -> range:
        """The numbers of the modules from the first to the last that is trained."""
        return range(self.numbers[0], self.numbers[-1] + 1)

    def take(
        self, batch: Batch, position: Position, *, part: range | None = None, handed: Handed | None = None
    ) -> Taken:
        """One update of every module, or of those of a `part` on what the modules before it have handed on."""
        self.modes.set()
        part = self.span if part is None else part
        rates = self.learning_rates(part)
        key, device, peak = (position.stage, position.epoch, position.step), device_of(batch.x), None
        with self.streams.as_global("dropout", *key, device=device), threads_for(self.plan.operations):
            if handed is not None:
                set_global_states(handed.states, device)
            if self.measured:
                losses, output, diverged = self._take(batch, key, part, handed)
            else:
                parameters = [p for module in self.plan for p in module.parameters()]
                with track_saved_activations(parameters) as saved:
                    losses, output, diverged = self._take(batch, key, part, handed)
                peak, self.measured = saved.peak_bytes, True
            goes_on = diverged is None and part[-1] < self.numbers[-1]
            left = Handed(output, global_states(device)) if goes_on else None
        return Taken(losses, rates, diverged, peak, left)

    def learning_rates(self, part: range) -> dict[str, float]:
        """Module name -> its rate, of those of a part that are trained."""
        modules = [self.plan[number] for number in self.numbers if number in part]
        return {module.name: module.update.learning_rate for module in modules if module.update is not None}

    def _take(
        self, batch: Batch, key: tuple[int, ...], part: range, handed: Handed | None
    ) -> tuple[dict[str, Loss], Any, str | None]:
        """The losses, the last module's output where others are behind it, and who diverged."""
        hidden = self._first_input(batch) if handed is None else handed.output
        if self.plan.isolated:
            return self._take_isolated(batch, key, part, hidden)
        losses, diverged = self._take_joint(batch, key, hidden)
        return losses, None, diverged

    def _take_isolated(
        self, batch: Batch, key: tuple[int, ...], part: range, hidden: Any
    ) -> tuple[dict[str, Loss], Any, str | None]:
        """Module after module: forward, loss, and backward at once, so that one module's graph is all there is."""
        losses: dict[str, Loss] = {}
        for number in part:
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
                return losses, None, module.name
            if isinstance(module.update, GradientUpdate):
                if self.micro_batches > 1:
                    module.update.apply(ranks=self.ranks)
                else:
                    module.update.step(loss.total, ranks=self.ranks)
            if number < self.numbers[-1]:
                hidden = self._forward_again(module, hidden, batch.x) if self.hand_on_after else output.detach()
        return losses, hidden, None

    def _take_joint(self, batch: Batch, key: tuple[int, ...], hidden: Any) -> tuple[dict[str, Loss], str | None]:
        """Deep supervision: the local losses are summed and their gradients cross the modules."""
        losses: dict[str, Loss] = {}
        totals: list[Tensor] = []
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

    def spoiled(self, numbers: Sequence[int]) -> str | None:
        """A module whose last update made a weight non-finite: no later loss of the stage would tell."""
        for number in numbers:
            if not all_finite(self.plan[number].body.parameters()):
                return self.plan[number].name
        return None

    def _local_loss(self, module: LocalModule, hidden: Any, batch: Batch, key: tuple[int, ...]) -> tuple[Tensor, Loss]:
        assert module.objective is not None
        number = self.plan.modules.index(module)
        with self._autocast():
            if self.ranks is not None and module.objective._reads_rows:
                self.modes.enter(module)
                return loss_of_rows(module, hidden, batch, self.ranks)
            hidden = whole(hidden)
            output = self._forward(module, hidden, batch.x)
        check_gradient(output, name=module.name)
        local = local_batch(batch.x, hidden, output, batch.y, self.streams, (*key, number), self._encoder(number))
        self._train_critics(module, local)
        with self._autocast():
            return output, module.loss(local)

    def _add_gradients(
        self, module: LocalModule, hidden: Any, batch: Batch, key: tuple[int, ...]
    ) -> tuple[Tensor, Loss]:
        """The mean gradient of a batch's parts, and what the module gave for them; no step is taken."""
        assert isinstance(module.update, GradientUpdate)
        module.update.clear()
        outputs: list[Tensor] = []
        losses: list[tuple[Loss, float]] = []
        by_labels = module.objective is not None and module.objective.needs_labels
        parts = parts_of_batch(batch, whole(hidden), self.micro_batches, by_labels=by_labels)
        for place, (part, seen, share) in enumerate(parts):
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
            streams, place = self.streams, (*key, number)
            local = local_batch(batch.x, hidden, output, batch.y, streams, place, self._encoder(number))
            seen.append(module.loss(local))
            return seen[-1].total

        assert isinstance(module.update, ProximalUpdate)
        self.modes.enter(module)
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
            self.looked_back.add(number)
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
        self.modes.enter(module)
        return module(hidden, x) if self.ranks is None else run_shared(self.ranks, module, hidden, x)

    def _forward_again(self, module: LocalModule, hidden: Any, x: Any) -> Tensor:
        """The moved module's output; batch norm has counted this batch once already."""
        with keeping_statistics([module.body]):
            return self._forward_frozen(module, hidden, x)

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self.fabric is None else self.fabric.autocast()
