"""A local module whose halves, before and behind a bottleneck, a `ProximalSplit` moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from infotorch.numerics.ranks import Ranks
from infotorch.numerics.states import check_keys
from infotorch.objectives.base import Objective
from infotorch.training.checks import check_makes_optimizers
from infotorch.training.local_module import LocalModule, refuse_to_make
from infotorch.updates.gradient import OptimizerFactory, SchedulerFactory, check_schedules, check_steps_alone
from infotorch.updates.proximal import ProximalSplit
from infotorch.updates.proximal_info import ProximalInfo
from infotorch.updates.stall import check_split_state


class ProximalUpdate:
    """A `ProximalSplit` and the schedules of its two optimisers.

    Args:
        split: what moves the halves.
        scheduler: makes a schedule of (optimiser, number of steps); None for constant rates.
        num_steps: how many steps the schedules span.

    Attributes:
        scheduler: the backward half's schedule, which keeps step with the forward half's.
    """

    def __init__(self, split: ProximalSplit, scheduler: SchedulerFactory | None, num_steps: int) -> None:
        self.split = split
        optimizers = (split.backward_optimizer, split.forward_optimizer)
        self.schedulers: list[LRScheduler] = (
            [] if scheduler is None else [scheduler(optimizer, num_steps) for optimizer in optimizers]
        )
        for one in self.schedulers:
            check_steps_alone(one)
        self.scheduler = self.schedulers[0] if self.schedulers else None

    def step(self, x: Any, loss_fn: Callable[[Any], Tensor], *, ranks: Ranks | None = None) -> ProximalInfo:
        """See `ProximalSplit.step`; the schedules move by one step after it. `ranks` share the batch."""
        self.split.ranks = ranks
        info = self.split.step(x, loss_fn)
        for scheduler in self.schedulers if info.finite else ():
            scheduler.step()
        return info

    @property
    def learning_rate(self) -> float:
        """The backward half's current rate."""
        return float(self.split.backward_optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {"split": self.split.state_dict(), "schedulers": [one.state_dict() for one in self.schedulers]}

    def check_state(self, state: Any, *, where: str) -> None:
        """Refuse a state that another split or other schedules have made.

        Raises:
            ValueError: they have.
        """
        check_keys(state, ("split", "schedulers"), where=where)
        check_split_state(state["split"], self.split.stateful(), where=f"{where}.split")
        if not isinstance(state["schedulers"], list):
            raise ValueError(f"{where}.schedulers must be a list.")
        check_schedules(self.schedulers, state["schedulers"], where=f"{where}.schedulers")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.split.load_state_dict(state["split"])
        for scheduler, kept in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(kept)


class SplitModule(LocalModule):
    """Some layers with a bottleneck between them.

    Args:
        name: see `LocalModule`.
        body: all the layers.
        objective: what they minimise.
        halves: the same layers before and behind each bottleneck.
        optimizer: makes the backward half's optimiser.
        forward_optimizer: makes the forward half's; None: as `optimizer`.
        scheduler: see `LocalModule`.
        make_split: `ProximalSplit` with its options; it is given the halves and their optimisers.

    Raises:
        TypeError: forward_optimizer is no function.
        ValueError: there is no objective. One with critics, which have no half to move with, is refused in `prepare`.
    """

    def __init__(
        self,
        name: str,
        body: nn.Module,
        objective: Objective | None,
        *,
        halves: Sequence[nn.Module],
        optimizer: OptimizerFactory,
        forward_optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        make_split: Callable[..., ProximalSplit],
    ) -> None:
        if objective is None:
            raise ValueError("Plan.proximal: the network needs an objective.")
        super().__init__(name, body, objective, optimizer=optimizer, scheduler=scheduler)
        if forward_optimizer is not None:
            check_makes_optimizers(forward_optimizer, where="Plan.proximal", name="forward_optimizer")
        self.halves = tuple(halves)
        self.forward_optimizer = forward_optimizer or optimizer
        self.make_split = make_split

    def without_optimizers(self) -> LocalModule:
        """See `LocalModule`."""
        module = super().without_optimizers()
        assert isinstance(module, SplitModule)
        module.forward_optimizer = refuse_to_make
        return module

    def _make_update(self, num_steps: int) -> ProximalUpdate:
        assert self.objective is not None
        if self.critic_parameters():
            raise ValueError(f"Plan.proximal: {type(self.objective).__name__} has critics; choose another objective.")
        *forwards, backward = self.halves
        # What the objective reads its loss with cooperates with the layers, as in any other module.
        behind = [p for part in (backward, self.objective) for p in part.parameters() if p.requires_grad]
        split = self.make_split(
            forwards, backward, forward_optimizer=self.forward_optimizer, backward_optimizer=self.optimizer(behind)
        )
        return ProximalUpdate(split, self.scheduler, num_steps)
