"""Which modules of a plan each process of a pipeline trains: as equal shares of the work as measured costs allow."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed as dist
from torch import nn

from infotorch.data.batches import Batch
from infotorch.networks.model_state import ModelState
from infotorch.numerics.checks import check_count
from infotorch.numerics.ranks import Ranks
from infotorch.numerics.seeds import seed_streams
from infotorch.training.local_module import LocalModule
from infotorch.training.plan import Plan
from infotorch.training.position import Position
from infotorch.training.reading import Batches
from infotorch.training.stage import Handed, Stage

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Steps of every module that are timed, of which the fastest counts: the first one allocates.
_ROUNDS = 3
#: Costs within this factor are alike: timed once more, the order of the two may be the other.
_ALIKE = 1.1


@dataclass(frozen=True)
class Division:
    """How many of a plan's trained modules each process has, in the order of the modules.

    Args:
        counts: one for each process.

    Raises:
        TypeError: a count that is no integer.
        ValueError: a count below 1.

    Example:
        >>> plan = Plan.layerwise(
        ...     nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2)),
        ...     objectives="X,Y,CE",
        ...     order="pipelined",
        ...     optimizer=torch.optim.SGD,
        ... )
        >>> Division((2, 1)).names(plan)
        [['0', '1'], ['2']]
    """

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        for count in self.counts:
            check_count(count, where="Division", name="each of counts")

    def parts(self, numbers: Sequence[int]) -> list[range]:
        """The modules that each process passes through, of a stage that trains these: frozen ones before them too."""
        ends = [sum(self.counts[:process]) for process in range(1, len(self.counts) + 1)]
        last = [numbers[end - 1] + 1 for end in ends]
        return [range(first, end) for first, end in zip([numbers[0], *last[:-1]], last, strict=True)]

    def names(self, plan: Plan) -> list[list[str]]:
        """The names of the modules that each process trains."""
        (numbers,) = plan.stages()
        return [[plan[n].name for n in part if n in numbers] for part in self.parts(numbers)]


def check_division(division: Division | None, plan: Plan, ranks: Ranks, *, where: str) -> None:
    """Refuse a plan that these processes cannot divide, or not as was asked.

    Raises:
        TypeError: division is something else.
        ValueError: fewer trained modules than processes, or counts of others.
    """
    if not isinstance(division, Division | None):
        raise TypeError(f"{where}: division must be a Division, such as Division((2, 2)), or None.")
    trained = len(plan.stages()[0])
    if trained < ranks.size:
        raise ValueError(
            f"{where}: in pipelined order every process trains a module, and {ranks.size} processes have "
            f"{trained} to train; use {trained}."
        )
    if division is not None and (len(division.counts), sum(division.counts)) != (ranks.size, trained):
        raise ValueError(
            f"{where}: division must give each of {ranks.size} processes some of {trained} trained modules, got "
            f"{division.counts}."
        )


def measured_division(
    plan: Plan, batches: Batches, ranks: Ranks, *, seed: int = 0, fabric: Fabric | None = None, micro_batches: int = 1
) -> Division:
    """The division of a prepared plan in which the process with the most work has as little as can be.

    At its own pace a process passes over batches that come faster than it trains: of such a plan no process has more
    work than the first, as far as can be.

    All processes time forward pass, loss, backward pass and step of every module on the first batch at once, and go by
    the first one's seconds. Weights, statistics, optimisers and schedules are then what they were.

    Args:
        plan: prepared.
        batches: of the training samples.
        ranks: the processes; all of them call this.
        seed: decides what is drawn.
        fabric: precision.
        micro_batches: as in `train`.

    Raises:
        ValueError: fewer trained modules than processes.
    """
    check_division(None, plan, ranks, where="train")
    stage = Stage(plan, seed_streams(seed), False, fabric, micro_batches, None, plan.stages()[0], measured=True)
    told = [_costs(stage, next(iter(stage.batches_to_learn_from(batches).epoch(0))))]
    dist.broadcast_object_list(told, 0)
    return Division((front_heavy if plan.staleness else balanced)(told[0], ranks.size))


def looks_back(stage: Stage, batch: Batch, position: Position) -> frozenset[int]:
    """The numbers of the modules whose objective passes other inputs through the modules before them."""
    trial = replace(stage, measured=True, looked_back=set())
    with unmoved(stage.plan):
        trial.take(batch, position)
    return frozenset(trial.looked_back)


def balanced(costs: Sequence[float], count: int) -> tuple[int, ...]:
    """How many of them each of `count` neighbours takes, so that the highest sum is as low as can be.

    Args:
        costs: of the modules, in their order.
        count: of the processes, at most as many.

    Example:
        >>> balanced([4.0, 1.0, 1.0, 1.0, 3.0], 2)
        (2, 3)
        >>> balanced([4.0, 1.0, 1.0, 1.0, 3.0], 3)
        (1, 3, 1)
    """

    @cache
    def best(first: int, processes: int) -> tuple[float, tuple[int, ...]]:
        if processes == 1:
            return sum(costs[first:]), (len(costs) - first,)
        found = []
        for taken in range(1, len(costs) - first - processes + 2):
            highest, others = best(first + taken, processes - 1)
            found.append((max(sum(costs[first : first + taken]), highest), (taken, *others)))
        return min(found)

    return best(0, count)[1]


def front_heavy(costs: Sequence[float], count: int) -> tuple[int, ...]:
    """As `balanced`, of the divisions in which no process has more than the first one, but for what clocks tell apart.

    Where there is none, the first process takes all modules that the others can spare.

    Args:
        costs: of the modules, in their order.
        count: of the processes, at most as many.

    Example:
        >>> costs = [1.0, 1.1, 0.5, 0.4]
        >>> balanced(costs, 2), front_heavy(costs, 2)
        ((1, 3), (2, 2))
    """
    if count == 1:
        return (len(costs),)
    counts: tuple[int, ...] = ()
    for taken in range(1, len(costs) - count + 2):
        counts = (taken, *balanced(costs[taken:], count - 1))
        first, *others = (sum(costs[end - own : end]) for end, own in zip(accumulate(counts), counts, strict=True))
        if max(others) <= _ALIKE * first:
            break
    return counts


def _costs(stage: Stage, batch: Batch) -> list[float]:
    """Seconds of a step of each trained module, with the frozen ones before it."""
    ends = [stage.numbers[0], *(number + 1 for number in stage.numbers)]
    parts = [range(first, end) for first, end in pairwise(ends)]
    seconds = [float("inf")] * len(parts)
    with unmoved(stage.plan):
        for _ in range(_ROUNDS):
            handed: Handed | None = None
            for number, part in enumerate(parts):
                began = time.perf_counter()
                taken = stage.take(batch, Position(), part=part, handed=handed)
                _wait_for_device()
                seconds[number] = min(seconds[number], time.perf_counter() - began)
                handed = taken.handed
                if handed is None:
                    break
    # Behind a module that diverges at once there is nothing to measure, and nothing to train.
    return [second if second < float("inf") else 0.0 for second in seconds]


def _wait_for_device() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


@contextmanager
def unmoved(plan: Plan) -> Iterator[None]:
    """A context after which all that a step moves is what it was; schedules rest in it."""
    parts = nn.ModuleList(part for module in plan for part in (module.body, module.objective) if part is not None)
    others = ModelState(parts)
    weights = [(weight, weight.detach().clone()) for weight in parts.parameters()]
    updates = [update for module in plan for update in _updates(module)]
    states = [copy.deepcopy(update.state_dict()) for update in updates]
    schedules = [{name: vars(update)[name] for name in _SCHEDULES & vars(update).keys()} for update in updates]
    for update, held in zip(updates, schedules, strict=True):
        vars(update).update({name: [] if name == "schedulers" else None for name in held})
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in weights:
                weight.copy_(value)
                weight.grad = None
        others.restore()
        for update, held, state in zip(updates, schedules, states, strict=True):
            vars(update).update(held)
            update.load_state_dict(state)


_SCHEDULES = {"scheduler", "schedulers"}


def _updates(module: LocalModule) -> list[Any]:
    return [update for update in (module.update, module.critic_update) if update is not None]
