"""A plan as the one optimizer that Lightning sees: it counts its steps and keeps its state in checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

from infotorch.training.plan import Plan
from infotorch.training.split_module import ProximalUpdate
from infotorch.updates.gradient import GradientUpdate


class PlanOptimizer(Optimizer):
    """The parameter groups of a plan's optimizers, for those who read rates, and the plan's state without its weights.

    Args:
        plan: prepared.

    Example:
        >>> import torch
        >>> plan = Plan.end_to_end(torch.nn.Linear(2, 2), optimizer=torch.optim.SGD)
        >>> plan.prepare((torch.eye(2), [0, 1]), epochs=1, seed=0)
        >>> PlanOptimizer(plan).param_groups[0]["lr"], PlanOptimizer(plan).step(lambda: 0.5)
        (0.001, 0.5)
    """

    def __init__(self, plan: Plan) -> None:
        optimizers: list[Optimizer] = []
        for module in plan:
            if isinstance(module.update, GradientUpdate):
                optimizers.append(module.update.optimizer)
            if isinstance(module.update, ProximalUpdate):
                optimizers += [module.update.split.backward_optimizer, module.update.split.forward_optimizer]
        super().__init__([weight for one in optimizers for group in one.param_groups for weight in group["params"]], {})
        # The optimizers' own dictionaries, so that a rate is read as it is.
        self.param_groups = [group for one in optimizers for group in one.param_groups]
        self.plan = plan

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whatever closure does: the plan's modules have their own optimizers."""
        return None if closure is None else closure()

    def state_dict(self) -> dict[str, Any]:
        """Read-outs, optimizers and schedules of every module; the weights are in the trainer's checkpoint already."""
        state = self.plan.state_dict()
        return {name: {key: kept for key, kept in of.items() if key != "body"} for name, of in state.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, by the weights that the plan has now.

        Raises:
            ValueError: it is of other modules, see `Plan.load_state_dict`.
        """
        weights = {module.name: module.body.state_dict() for module in self.plan}
        self.plan.load_state_dict({name: {"body": weights.get(name), **of} for name, of in state_dict.items()})
