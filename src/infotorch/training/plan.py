"""The plan: which layers form a module, and which objective and update train it.

A plan owns everything that a step changes (weights, objectives, optimisers, schedules); the loop owns nothing. So
`state_dict()` and a position in the run are all that a checkpoint needs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from numbers import Integral
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.data.graph_checks import is_graph
from infotorch.data.graphs import GraphSamples
from infotorch.data.targets import Targets
from infotorch.networks.composition import check_composition
from infotorch.networks.forward_inputs import FromGraph, takes_graph_tensors
from infotorch.networks.segments import check_no_shared_parameters, split, starting_layers, wrapper_advice
from infotorch.numerics.checks import check_choice
from infotorch.numerics.kinds import check_kind, check_names, check_several
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import seed_streams
from infotorch.numerics.threads import OperationCount
from infotorch.objectives.layer_hook import hooks_paused
from infotorch.objectives.names import ObjectiveLike, parse_objectives
from infotorch.training.checks import check_model, check_output, check_staleness, check_weights
from infotorch.training.graph_caches import refuse_graph_caches, without_graph_caches
from infotorch.training.inputs import device_of, local_batch
from infotorch.training.local_module import LocalModule, place_of
from infotorch.training.reading import Batches, TrainingData, as_batches
from infotorch.training.split_module import SplitModule
from infotorch.updates.gradient import GradientUpdate, Handoff, OptimizerFactory, SchedulerFactory
from infotorch.updates.proximal import ProximalOrder, ProximalSplit
from infotorch.updates.replay import looking
from infotorch.updates.slopes import PenaltyName

if TYPE_CHECKING:
    from infotorch.data.typing import Inputs

#: When the modules are trained: one after the other, each to its end; all in every step; or so, in processes.
Order = Literal["sequential", "simultaneous", "pipelined"]


def _from_one_object(model: nn.Module) -> nn.Module:
    return FromGraph(model) if takes_graph_tensors(model) else model


class Plan:
    """A tuple of local modules and the order in which they are trained.

    Args:
        modules: the local modules, from the input to the output.
        order: "sequential" trains each to its end and freezes it; "simultaneous" trains all in every step; "pipelined"
            does the same with the modules divided among processes (`train(..., fabric=...)`), each at work on a batch
            of its own: the activations of one go forward to the next, and no gradient comes back.
        isolated: False lets the gradients cross the modules: the sum of the local losses is back-propagated through the
            whole network (deep supervision, the comparison row). Simultaneous order only.
        staleness: in pipelined order, how many batches the first process may be ahead of the last. 0: every process
            trains on every batch, with the numbers of simultaneous order. N: each at its own pace; a process that is
            behind leaves out batches, for the newest activations that have come.

    Raises:
        ValueError: no modules, two of one name, a shared parameter or objective, an unknown order, not isolated and
            not simultaneous, or a staleness below 0, or without a pipeline.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> plan = Plan.layerwise(model, objectives="Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-3))
        >>> plan
        Plan, sequential: 0 (Y), 2 (CE)
    """

    def __init__(
        self,
        modules: Sequence[LocalModule],
        *,
        order: Order = "sequential",
        isolated: bool = True,
        staleness: int = 0,
    ) -> None:
        check_choice(order, ("sequential", "simultaneous", "pipelined"), where="Plan", name="order")
        check_several(modules, LocalModule, where="Plan", name="modules", said="LocalModule")
        check_kind(isolated, (bool, np.bool_), where="Plan", name="isolated", said="True or False")
        if not modules:
            raise ValueError("Plan: at least one local module is needed.")
        names = [module.name for module in modules]
        if len(set(names)) != len(names):
            raise ValueError(f"Plan: module names must differ, got {', '.join(names)}.")
        if not isolated and order != "simultaneous":
            raise ValueError("Plan: gradients can cross modules only in simultaneous order.")
        check_staleness(staleness, order, where="Plan")
        objectives = [module.objective for module in modules if module.objective is not None]
        if len(set(objectives)) != len(objectives):
            raise ValueError("Plan: each module needs an objective of its own: its read-out fits one module's output.")
        check_no_shared_parameters([module.body for module in modules])
        self.modules = tuple(modules)
        self.order, self.isolated, self.staleness = order, isolated, staleness
        self.gathering_asked, self.sample_bytes = False, 0  # a sample's part of the largest tensor of a forward pass
        self.num_steps: int | None = None
        self.operations: int | None = None  # of one forward pass of a batch

    @classmethod
    def layerwise(
        cls,
        model: nn.Module,
        cuts: Sequence[str] | None = None,
        objectives: str | Sequence[ObjectiveLike] = "X,Y,CE",
        *,
        options: Mapping[str, Mapping[str, object]] | None = None,
        order: Order = "sequential",
        isolated: bool = True,
        staleness: int = 0,
        optimizer: OptimizerFactory | Sequence[OptimizerFactory],
        scheduler: SchedulerFactory | None = None,
        critic_optimizer: OptimizerFactory | None = None,
    ) -> Plan:
        """Cut `model` at named layers and give every module its objective.

        Args:
            model: any module whose forward takes one tensor, a torch_geometric data object, or a graph's tensors by
                their usual names (x, edge_index, batch, ...); its weights are trained in place.
            cuts: names of the layers that start the second, third, ... module; None: every child with weights
                starts one, see `starting_layers`.
            objectives: one for each module: names such as "X,Y,CE", or a list of names, `Objective`s and losses of
                (output, y) such as `nn.MSELoss()`; None or "frozen" for none.
            options: of objectives that are named: {"Y": {"auxiliary": "convolutions"}}, see `objective_from_name`.
            order: "sequential", "simultaneous" or "pipelined".
            isolated: see `Plan`.
            staleness: see `Plan`.
            optimizer: makes an optimiser of a list of parameters: one for every module, or one for each.
            scheduler: makes a schedule of (optimiser, number of steps).
            critic_optimizer: makes an optimiser of the parameters of an objective's critics; None: as `optimizer`.

        Raises:
            ValueError: as many objectives (and optimizers, where each has its own) as modules are needed; a cut that
                cannot be made (see `split`).
        """
        check_model(model, where="Plan.layerwise")
        cuts = starting_layers(model) if cuts is None else check_names(cuts, where="Plan.layerwise", name="cuts")
        parsed = parse_objectives(objectives, options)
        if len(parsed) != len(cuts) + 1:
            named = ", ".join([*cuts[:8], *["..."] * (len(cuts) > 8)]) or "none"
            advice = wrapper_advice(model) or "or choose the cuts; cuts=() is one module, plain back-propagation"
            raise ValueError(
                f"Plan.layerwise: {len(cuts)} cuts ({named}) make {len(cuts) + 1} modules, and there are "
                f"{len(parsed)} objectives. Give as many objectives as modules, {advice}."
            )
        optimizers = list(optimizer) if isinstance(optimizer, Sequence) else [optimizer] * len(parsed)
        if len(optimizers) != len(parsed):
            raise ValueError(f"Plan.layerwise: {len(parsed)} modules need as many optimizers, got {len(optimizers)}.")
        bodies = split(model, cuts) if cuts else (_from_one_object(model),)
        children = (name for name, child in model.named_children() if next(child.parameters(), None) is not None)
        first = next(children, "network") if cuts else "network"
        first = "input" if first in cuts else first
        modules = [
            LocalModule(
                name, body, objective, optimizer=made_by, scheduler=scheduler, critic_optimizer=critic_optimizer
            )
            for name, body, objective, made_by in zip((first, *cuts), bodies, parsed, optimizers, strict=True)
        ]
        return cls(modules, order=order, isolated=isolated, staleness=staleness)

    @classmethod
    def end_to_end(
        cls,
        model: nn.Module,
        objective: ObjectiveLike = "CE",
        *,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
    ) -> Plan:
        """Ordinary back-propagation: the whole network is one module."""
        check_model(model, where="Plan.end_to_end")
        (parsed,) = parse_objectives([objective])
        return cls([LocalModule("network", _from_one_object(model), parsed, optimizer=optimizer, scheduler=scheduler)])

    @classmethod
    def proximal(
        cls,
        model: nn.Module,
        at: str | Sequence[str],
        objective: ObjectiveLike = "CE",
        *,
        optimizer: OptimizerFactory,
        forward_optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        order: ProximalOrder = 2,
        step_size: float | Sequence[float],
        penalty: PenaltyName = "l2",
        weight: float = 1.0,
        handoff: Handoff = "before",
        max_norm: float | None = None,
        stall_window: int = 50,
    ) -> Plan:
        """The whole network is one module, and a `ProximalSplit` moves its two halves.

        Args:
            model: see `layerwise`.
            at: name of the layer that the backward half starts with; several make a chain of bottlenecks.
            objective: what the network minimises.
            optimizer: makes the backward half's optimiser of a list of parameters.
            forward_optimizer: makes that of the forward half; None: as `optimizer`.
            scheduler: makes the schedule of each of the two, of (optimiser, number of steps).
            order: see `ProximalSplit`.
            step_size: one, or one for each bottleneck.
            penalty: see `ProximalSplit`.
            weight: factor of the penalty.
            handoff: see `ProximalSplit`.
            max_norm: of each half's gradient; None for no clipping.
            stall_window: steps that are averaged before a stall is judged.

        Raises:
            ValueError: a split that cannot be made, see `ProximalSplit`, or an objective with critics.
        """
        check_model(model, where="Plan.proximal")
        (parsed,) = parse_objectives([objective])
        cuts = (at,) if isinstance(at, str) else check_names(at, where="Plan.proximal", name="at")
        body, halves = _from_one_object(model), split(model, cuts)
        module = SplitModule(
            "network",
            body,
            parsed,
            halves=halves,
            optimizer=optimizer,
            forward_optimizer=forward_optimizer,
            scheduler=scheduler,
            make_split=partial(
                ProximalSplit,
                order=order,
                step_size=step_size,
                penalty=penalty,
                weight=weight,
                handoff=handoff,
                max_norm=max_norm,
                stall_window=stall_window,
            ),
        )
        return cls([module])

    def __len__(self) -> int:
        return len(self.modules)

    def __iter__(self) -> Iterator[LocalModule]:
        return iter(self.modules)

    def __getitem__(self, number: int) -> LocalModule:
        check_kind(number, (Integral, slice), where="Plan", name="the number of a module", said="an integer")
        if isinstance(number, Integral) and not -len(self) <= number < len(self):
            raise IndexError(f"Plan: the number of a module must be below {len(self)}, got {number}.")
        return self.modules[number]

    def __repr__(self) -> str:
        how = self.order if self.isolated else f"{self.order}, not isolated"
        return f"Plan, {how}: {', '.join(map(str, self.modules))}"

    def stages(self) -> list[list[int]]:
        """The numbers of the modules that each stage trains."""
        trained = [number for number, module in enumerate(self.modules) if module.objective is not None]
        return [[number] for number in trained] if self.order == "sequential" else [trained]

    def gather_soon(self) -> None:
        """Ask a pipeline of processes for a step behind which each holds all modules (`StepInfo.gathered`), soon."""
        self.gathering_asked = True

    def outputs(self, x: Inputs, *, stop: int | None = None) -> list[Tensor]:
        """Every module's output for the raw input x, up to module `stop`."""
        check_kind(stop, (Integral, NoneType), where="Plan.outputs", name="stop", said="an integer or None")
        outputs: list[Tensor] = []
        x = NamedTensors(x, where="Plan.outputs") if isinstance(x, Mapping) else x
        for module in self.modules[:stop]:
            outputs.append(module(outputs[-1] if outputs else x, x))
        return outputs

    def encoder(self, number: int) -> Callable[[Inputs], Tensor]:
        """Raw inputs -> the output of module `number` for them."""
        check_kind(number, Integral, where="Plan.encoder", name="number", said="an integer")

        def encode(x: Inputs) -> Tensor:
            with without_graph_caches(module.body for module in self.modules):
                return self.outputs(x, stop=number + 1)[-1]

        return encode

    def prepare(
        self,
        batches: Batches | TrainingData,
        *,
        epochs: int,
        seed: int,
        batch_size: int = 128,
        targets: Targets = "auto",
    ) -> None:
        """Give every objective its shapes and every module its update; `train` calls this when nobody has.

        Args:
            batches: the training data as in `train`; its first batch gives the shapes.
            epochs: epochs of each stage, which schedules span.
            seed: decides the initial read-outs.
            batch_size: samples a step, where `batches` are samples.
            targets: what y of samples is, as in `fit`.

        Raises:
            TypeError: batches are not keyed by epoch, or epochs or seed is not an integer.
            ValueError: nothing is left to train, the model cannot take x or gives other values than its parts, or one
                of its layers keeps the edges of one graph (cached=True) where there are many.
            OutOfMemoryError: the first batch does not fit the device.
        """
        check_kind(epochs, Integral, where="Plan.prepare", name="epochs", said="an integer")
        bodies, where = nn.ModuleList(module.body for module in self.modules), "Plan.prepare"
        batches = as_batches(batches, bodies, batch_size=batch_size, seed=seed, where=where, targets=targets)
        if not self.stages() or not self.stages()[0]:
            raise ValueError("Plan: every module is frozen, nothing is left to train.")
        if isinstance(getattr(batches, "x", None), GraphSamples):
            refuse_graph_caches(bodies)
        batch = next(iter(batches.epoch(0)))
        streams = seed_streams(seed)
        check_weights(bodies, where="Plan")
        # A lazy layer draws its weights in its first forward pass.
        lazy = streams.as_global("lazy", device=device_of(batch.x))
        with torch.no_grad(), evaluating(self), lazy, looking(bodies), OperationCount() as count:
            outputs = self.outputs(batch.x)
        with hooks_paused():
            check_composition([*bodies], batch.x)
        self.operations, self.sample_bytes = count.total, 0 if is_graph(batch.x) else count.largest // len(batch.x)
        self.num_steps = epochs * len(batches)
        for number, (module, output) in enumerate(zip(self.modules, outputs, strict=True)):
            if module.objective is None:
                continue
            check_output(output, name=module.name, rows=None if is_graph(batch.x) else len(batch.x))
            module_input = outputs[number - 1] if number else batch.x
            encode = self.encoder(number)
            example = local_batch(batch.x, module_input, output, batch.y, streams, (number,), encode)
            module.objective.stand_at(place_of(self.modules, number, output))
            module.prepare(example, batches.y, streams, self.num_steps)

    def has_schedules(self) -> bool:
        """Whether any module's rate follows a schedule."""
        return any(module.update is not None and module.update.scheduler is not None for module in self.modules)

    def schedules_have_moved(self) -> bool:
        """Whether a schedule stands elsewhere than at its beginning."""
        schedules = [module.update.scheduler for module in self.modules if module.update is not None]
        return any(schedule is not None and schedule.last_epoch > 0 for schedule in schedules)

    def without_optimizers(self) -> Plan:
        """The same trained modules without what makes and what moves: a plan that evaluates, and can be pickled."""
        plan = copy.copy(self)
        plan.modules, plan.num_steps = tuple(module.without_optimizers() for module in self.modules), None
        return plan

    def state_dict(self) -> dict[str, Any]:
        """Weights, objectives, optimisers and schedules of every module."""
        return {module.name: module.state_dict() for module in self.modules}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`: all of it, or nothing where it does not fit.

        Raises:
            ValueError: the state belongs to other modules, or a key, shape, dtype or kind differs from the plan's.
        """
        if not isinstance(state, Mapping) or set(state) != {module.name for module in self.modules}:
            held = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(f"Plan: the state holds the modules {held}, the plan {', '.join(m.name for m in self)}.")
        for module in self.modules:
            module.check_state(state[module.name])
        for module in self.modules:
            module.load_state_dict(state[module.name])


class evaluating:
    """A context in which a plan's layers and objectives are in evaluation mode; their own modes come back after it.

    Where an optimiser averages weights, they are the averaged ones, and its own come back as well.
    """

    def __init__(self, plan: Plan) -> None:
        self._updates = [module.update for module in plan if isinstance(module.update, GradientUpdate)]
        self._averages = ExitStack()
        parts = [part for module in plan for part in (module.body, module.objective) if part is not None]
        self._layers = [layer for part in parts for layer in part.modules()]

    def __enter__(self) -> None:
        self._modes = [layer.training for layer in self._layers]
        for layer in self._layers:
            layer.training = False
        for update in self._updates:
            self._averages.enter_context(update.using_averaged_weights())

    def __exit__(self, *_: object) -> None:
        self._averages.close()
        for layer, mode in zip(self._layers, self._modes, strict=True):
            layer.training = mode
