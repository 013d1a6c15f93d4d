"""Notice that a step shrinks the gradient at the bottleneck and not the loss, or cannot follow that gradient at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from infotorch.numerics.states import check_keys, check_optimizer_state, check_state

#: Progress: a window's mean loss is below the best so far by this share of it.
_PROGRESS = 0.005
#: Without progress for this share of the run so far, and for two windows at least, the loss has stopped.
_QUIET, _WINDOWS = 1 / 6, 2
#: Standard errors by which the norm must have fallen, so that the noise of mini-batches is no fall.
_ERRORS = 2.0
#: So many looks in a row without any curvature are no accident of one batch.
_FLAT = 3


@dataclass(frozen=True)
class Window:
    """Means over some steps.

    Args:
        loss: mean loss.
        norm: mean gradient norm.
        error: squared standard error of that mean; 0 for one step.
    """

    loss: float
    norm: float
    error: float


class StallWatch:
    """Compares every `window` steps with those in which the loss last made progress.

    Progress is a mean loss of the window that is 0.5 % below the lowest so far. A loss that stops in a minimum looks
    the same as on a plateau: the two numbers do not tell them apart.

    Args:
        window: steps in a window.

    Attributes:
        stalled: as of the last whole window: for two windows or more, and for a sixth of the run, no progress, and the
            gradient's norm is below that of the last progress by more than two standard errors.
        best: the window of the last progress; None before the first is whole.
        last: the last whole window.

    Example:
        >>> watch = StallWatch(window=2)
        >>> for norm in (1.0, 1.0, 0.9, 0.9, 0.8, 0.8):
        ...     watch.add(torch.tensor(0.69), torch.tensor(norm))
        >>> watch.stalled
        True
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.stalled = False
        self.best: Window | None = None
        self.last: Window | None = None
        self._windows = self._quiet = 0
        self._pairs: list[Tensor] = []

    def add(self, loss: Tensor, gradient_norm: Tensor) -> None:
        """Count one step; the numbers leave their device once a window."""
        self._pairs.append(torch.stack([loss.detach().float(), gradient_norm.detach().float()]))
        if len(self._pairs) < self.window:
            return
        # In float64: a mean of equal numbers is that number.
        pairs = torch.stack(self._pairs).cpu().double()
        (loss_mean, norm_mean), spread = pairs.mean(dim=0).tolist(), pairs[:, 1].var(correction=0).item()
        self._pairs = []
        self._judge(Window(loss_mean, norm_mean, spread / self.window))

    def _judge(self, window: Window) -> None:
        self.last = window
        self._windows, self._quiet = self._windows + 1, self._quiet + 1
        if self.best is None or window.loss < self.best.loss - _PROGRESS * abs(self.best.loss):
            self.best, self._quiet = window, 0
        error = (self.best.error + window.error) ** 0.5
        fallen = window.norm < self.best.norm - _ERRORS * error
        self.stalled = fallen and self._quiet >= max(_WINDOWS, _QUIET * self._windows)

    def message(self) -> str:
        """What a stall of order 2 should say."""
        assert self.best is not None
        assert self.last is not None
        return (
            f"ProximalSplit: the gradient at the bottleneck fell from {self.best.norm:.3g} to {self.last.norm:.3g} and "
            f"the loss did not ({self.best.loss:.4g} to {self.last.loss:.4g}): order 2 follows that gradient alone and "
            "has stalled, unless the loss is as low as it gets; order 1 and 'hybrid' follow the loss."
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next verdict depends on."""
        return {
            "stalled": self.stalled,
            "best": self.best and asdict(self.best),
            "last": self.last and asdict(self.last),
            "counts": (self._windows, self._quiet),
            "pairs": [pair.tolist() for pair in self._pairs],
        }

    def check_state(self, state: Any, *, where: str) -> None:
        """Refuse a state that is no watch's.

        Raises:
            ValueError: it has another form.
        """
        window = {"loss": 0.0, "norm": 0.0, "error": 0.0}
        check_state(state, self.state_dict() | {"best": None, "last": None, "pairs": []}, where=where)
        for key in ("best", "last"):
            if state[key] is not None:
                check_state(state[key], window, where=f"{where}.{key}")
        for pair in state["pairs"]:
            check_state(pair, (0.0, 0.0), where=f"{where}.pairs")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.stalled = state["stalled"]
        self.best, self.last = (None if state[key] is None else Window(**state[key]) for key in ("best", "last"))
        self._windows, self._quiet = state["counts"]
        self._pairs = [torch.tensor(pair) for pair in state["pairs"]]


def check_split_state(state: Any, parts: Mapping[str, Any], *, where: str) -> None:
    """Refuse a state that another split has made.

    Args:
        state: what was saved.
        parts: name -> the optimiser of a half, or the watch.
        where: for the message.

    Raises:
        ValueError: see `check_optimizer_state`; or the watch's part has another form.
    """
    check_keys(state, tuple(parts), where=where)
    for name, part in parts.items():
        if isinstance(part, StallWatch):
            part.check_state(state[name], where=f"{where}.{name}")
        else:
            check_optimizer_state(state[name], part, where=f"{where}.{name}")


#: What order 2 should say of such a loss.
FLAT = (
    "ProximalSplit: the loss has a gradient at the bottleneck and no curvature at all, as that of a piecewise linear "
    "network and loss (ReLU with an absolute error or a hinge): order 2 does not move forward; use order 1 or 'hybrid' "
    "or a smooth activation or loss."
)

#: What order 2 says of a loss whose gradient at the bottleneck is the same everywhere.
LINEAR = (
    "ProximalSplit: the loss is linear in the bottleneck, so that its gradient there does not depend on forward and "
    "order 2 has nothing to follow; use order 1 or 'hybrid'."
)


class FlatWatch:
    """Notices a loss that has slopes and, for three looks in a row, no curvature for order 2 to follow.

    Example:
        >>> watch, slope, product = FlatWatch(), [torch.tensor(1.0)], [torch.tensor(0.0)]
        >>> [watch.add(slope, product) for _ in range(4)]
        [False, False, True, False]
    """

    def __init__(self) -> None:
        self._looks = 0

    def add(self, slopes: Sequence[Tensor], products: Sequence[Tensor]) -> bool:
        """Whether this look, at the slopes and the Hessian's product with a vector along them, is the third; once."""
        if self._looks >= _FLAT:
            return False
        steep, curved = torch.stack([_any(slopes), _any(products)]).tolist()
        self._looks = self._looks + 1 if steep and not curved else 0
        return self._looks == _FLAT


def _any(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack([(tensor != 0).any() for tensor in tensors]).any()
