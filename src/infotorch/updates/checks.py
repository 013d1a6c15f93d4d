"""What an optimiser and a schedule must be for updates that have gradients and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

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


def check_parameters(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> None:
    """Refuse an optimiser that does not move these parameters, all of them and no others.

    Raises:
        ValueError: it does not.
    """
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
