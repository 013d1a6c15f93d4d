"""The plain update: one backward, one step of any torch optimiser, one step of its schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from infotorch.numerics.ranks import Ranks
from infotorch.numerics.states import check_keys, check_optimizer_state, check_state
from infotorch.updates.checks import check_parameters, check_steps_alone, check_steps_by_gradients

#: Makes an optimiser of a list of parameters, such as `lambda p: torch.optim.Adam(p, lr=1e-3)`.
OptimizerFactory: TypeAlias = Callable[[list[nn.Parameter]], Optimizer]
#: Makes the schedule of an optimiser for a number of steps; it is stepped after every update.
SchedulerFactory: TypeAlias = Callable[[Optimizer, int], LRScheduler]
#: Whether what comes next sees the weights from before a step or from after it.
Handoff = Literal["before", "after"]


def check_schedules(schedulers: Sequence[LRScheduler | None], states: Sequence[Any], *, where: str) -> None:
    """Refuse states of schedules that are not as many, and of the same form.

    Raises:
        ValueError: they are not.
    """
    if [one is None for one in schedulers] != [one is None for one in states]:
        raise ValueError(f"{where} must be of a schedule where the plan has one, and only there.")
    for scheduler, state in zip(schedulers, states, strict=True):
        if scheduler is not None:
            check_state(state, scheduler.state_dict(), where=where, extra=True)


def take_step(optimizer: Optimizer) -> None:
    """One step by the gradients that are there.

    Raises:
        ValueError: some of them are sparse, and the optimiser takes only dense ones.
        RuntimeError: whatever else the optimiser cannot do.
    """
    try:
        optimizer.step()
    except RuntimeError as error:
        parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
        if not any(parameter.grad is not None and parameter.grad.is_sparse for parameter in parameters):
            raise
        raise ValueError(
            f"optimizer: {type(optimizer).__name__} takes no sparse gradients; make the embedding with sparse=False, "
            "or choose an optimiser that takes them, such as SGD."
        ) from error


class GradientUpdate:
    """Moves a set of parameters down the gradient of a scalar loss.

    The backward pass runs at once and frees its graph, so that autograd keeps no more than one module's activations.

    Args:
        parameters: what is moved.
        optimizer: makes the optimiser of a list of parameters.
        scheduler: makes the schedule of (optimiser, number of steps), stepped after every update; or None.
        num_steps: how many steps the schedule spans.

    Raises:
        TypeError: what optimizer makes is no optimiser.
        ValueError: there is nothing to move; the optimiser holds other parameters, or not all, or its step asks for
            more than gradients; the schedule's step asks for a value.

    Example:
        >>> import torch
        >>> weight = nn.Parameter(torch.tensor(1.0))
        >>> update = GradientUpdate([weight], lambda p: torch.optim.SGD(p, lr=0.1), None, 1)
        >>> update.step(weight**2)
        >>> round(weight.item(), 4)
        0.8
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None,
        num_steps: int,
    ) -> None:
        trainable = [parameter for parameter in dict.fromkeys(parameters) if parameter.requires_grad]
        if not trainable:
            raise ValueError("GradientUpdate: no parameter to train.")
        self.parameters = trainable
        self.optimizer = optimizer(trainable)
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(f"GradientUpdate: optimizer must make an optimiser, got {type(self.optimizer).__name__}.")
        check_steps_by_gradients(self.optimizer, where="optimizer:")
        check_parameters(self.optimizer, trainable)
        self.scheduler = None if scheduler is None else scheduler(self.optimizer, num_steps)
        if self.scheduler is not None:
            check_steps_alone(self.scheduler)

    def step(self, loss: Tensor, *, ranks: Ranks | None = None) -> None:
        """One step down the gradient of `loss`, which reaches no other parameters than these.

        Args:
            loss: a scalar.
            ranks: the processes that have each computed it from all rows; None: this one alone.
        """
        self.clear()
        loss.backward(inputs=self.moving())
        self.apply(ranks=ranks)

    def moving(self) -> list[nn.Parameter]:
        """The parameters that need a gradient: all but those of groups whose rate has come to its end (`Triangle`)."""
        groups = [group for group in self.optimizer.param_groups if "until" in group and group["lr"] == 0]
        resting = {id(parameter) for group in groups for parameter in group["params"]}
        return [parameter for parameter in self.parameters if id(parameter) not in resting]

    def clear(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def apply(self, *, ranks: Ranks | None = None) -> None:
        """Move the weights by the gradients that are there, of all `ranks`, and the schedule by one step."""
        if ranks is not None:
            means = ranks.average([parameter.grad for parameter in self.parameters], self.parameters)
            for parameter, mean in zip(self.parameters, means, strict=True):
                parameter.grad = mean
        take_step(self.optimizer)
        if self.scheduler is not None:
            self.scheduler.step()

    @property
    def averages_weights(self) -> bool:
        """Whether the optimiser averages weights, and would be judged by those: schedule-free ones."""
        return callable(getattr(self.optimizer, "eval", None)) and callable(getattr(self.optimizer, "train", None))

    @contextmanager
    def using_averaged_weights(self) -> Iterator[None]:
        """A context with the weights that the optimiser averages, where it does; its own come back bit for bit."""
        switch: Any = self.optimizer
        if not self.averages_weights or not switch.param_groups[0].get("train_mode", True):
            yield
            return
        # The optimiser's way back from the averages rounds: looking at them would change the run.
        own = [parameter.detach().clone() for parameter in self.parameters]
        switch.eval()
        try:
            yield
        finally:
            switch.train()
            with torch.no_grad():
                for parameter, value in zip(self.parameters, own, strict=True):
                    parameter.copy_(value)

    @property
    def learning_rate(self) -> float:
        """The current rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        schedule = None if self.scheduler is None else self.scheduler.state_dict()
        return {"optimizer": self.optimizer.state_dict(), "scheduler": schedule}

    def check_state(self, state: Any, *, where: str) -> None:
        """Refuse a state that another optimiser, or one of other parameters, has made.

        Raises:
            ValueError: see `check_optimizer_state`; or only one of the two has a schedule.
        """
        check_keys(state, ("optimizer", "scheduler"), where=where)
        check_optimizer_state(state["optimizer"], self.optimizer, where=f"{where}.optimizer")
        check_schedules([self.scheduler], [state["scheduler"]], where=f"{where}.scheduler")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
