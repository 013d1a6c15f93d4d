"""The plain update: one backward, one step of any torch optimiser, one step of its schedule; and which of these fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from infotorch.numerics.ranks import Ranks
from infotorch.numerics.states import check_keys, check_optimizer_state, check_state

#: Makes an optimiser of a list of parameters, such as `lambda p: torch.optim.Adam(p, lr=1e-3)`.
OptimizerFactory: TypeAlias = Callable[[list[nn.Parameter]], Optimizer]
#: Makes the schedule of an optimiser for a number of steps; it is stepped after every update.
SchedulerFactory: TypeAlias = Callable[[Optimizer, int], LRScheduler]
#: Whether what comes next sees the weights from before a step or from after it.
Handoff = Literal["before", "after"]


_NEEDS = {
    **dict.fromkeys(
        ("lbfgs", "sam", "gsam", "wsam", "bsam", "looksam", "friendlysam", "alig"),
        "a closure that computes the loss again",
    ),
    **dict.fromkeys(("adahessian", "sophiah"), "gradients that can be differentiated again (create_graph)"),
}


def check_steps_by_gradients(optimizer: Optimizer, *, where: str, step: str = "a step") -> None:
    """Refuse an optimiser whose step asks for more than gradients: some fail in it when half the network has moved.

    Raises:
        ValueError: it does.
    """
    # By name where the signature does not tell.
    kind = next((_NEEDS[c.__name__.lower()] for c in type(optimizer).__mro__ if c.__name__.lower() in _NEEDS), None)
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if kind is None and closure is not None and closure.default is inspect.Parameter.empty:
        kind = _NEEDS["lbfgs"]
    if kind is not None:
        raise ValueError(
            f"{where} {type(optimizer).__name__} needs {kind}, and {step} has the gradients alone; take one that needs "
            "no more, such as SGD or Adam."
        )


def _check_parameters(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> None:
    # Running statistics may stand beside weights, as in the groups of `LookaheadSGD`.
    held = {id(p) for group in optimizer.param_groups for p in group["params"] if p.requires_grad}
    own = {id(p) for p in parameters}
    if held - own:
        raise ValueError(
            f"optimizer: {len(held - own)} of its {len(held)} parameters are not of the list that it was to be made "
            "of; make it of that list, as `lambda parameters: torch.optim.Adam(parameters)` does."
        )
    if own - held:
        raise ValueError(
            f"optimizer: it holds {len(held)} of the {len(own)} parameters that it was to be made of, and the others "
            "would stay as they are; make it of the whole list, and give requires_grad=False to what is to stay."
        )


def check_steps_alone(scheduler: LRScheduler) -> None:
    """Refuse a schedule whose step asks for a value, as `ReduceLROnPlateau` does.

    Raises:
        ValueError: it does.
    """
    asked = inspect.signature(scheduler.step).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if needed := [one.name for one in asked if one.kind in kinds and one.default is inspect.Parameter.empty]:
        raise ValueError(
            f"scheduler: the step of {type(scheduler).__name__} needs {', '.join(needed)}, and a schedule is stepped "
            "after every update without any; take one that goes by steps, such as OneCycleLR, or step yours yourself."
        )


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
        _check_parameters(self.optimizer, trainable)
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
