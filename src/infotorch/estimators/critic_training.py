"""Training a critic, or anything else with a loss on batches of samples, until it gets no better on other samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

#: "diverged": the validation loss was not finite; "nothing to train": no parameter requires a gradient
Ending = Literal["patience", "max_steps", "diverged", "nothing to train"]

#: steps between two looks at the validation samples: often enough to stop in time, seldom enough to cost little
CHECK_EVERY = 50


@dataclass(frozen=True)
class TrainingOutcome:
    """How a training ended: the module holds the weights of `best_step`.

    Args:
        steps: steps taken.
        best_step: the step whose weights were kept.
        best_loss: the validation loss there; infinity when no finite one was ever seen.
        ended: what ended it.
    """

    steps: int
    best_step: int
    best_loss: float
    ended: Ending


def train_until_no_better(
    module: nn.Module,
    loss: Callable[..., Tensor],
    tensors: Sequence[Tensor],
    validation_loss: Callable[[], float],
    *,
    batch_size: int,
    max_steps: int,
    lr: float,
    patience: int,
    generator: torch.Generator,
    on_check: Callable[[int, float], None] | None = None,
) -> TrainingOutcome:
    """Minimise a loss by Adam, stop when the validation loss gets no better, and keep the best weights seen.

    Nothing is read back from the device within a step: a loss that is not finite shows at the next check, which ends
    the training. Dropout and the like draw from the global generator: the caller fixes that.

    Args:
        module: what is trained; its parameters that require a gradient, and its whole state is what is kept.
        loss: from a batch, one slice of every tensor, to a 0-d loss.
        tensors: the training data, paired row by row, all on one device.
        validation_loss: to be minimised too, called without gradient and in evaluation mode every 50 steps.
        batch_size: rows per step; fewer when there are fewer.
        max_steps: most steps taken.
        lr: Adam's learning rate.
        patience: checks without improvement after which training stops.
        generator: orders the samples, anew in every pass.
        on_check: called with the step and the validation loss at every check.

    Example:
        >>> line, x = nn.Linear(1, 1), torch.linspace(-1, 1, 64)[:, None]
        >>> def loss(x):
        ...     return (line(x) - 3 * x).square().mean()
        >>> outcome = train_until_no_better(
        ...     line, loss, [x], lambda: loss(x).item(), batch_size=32, max_steps=400, lr=0.05, patience=3,
        ...     generator=torch.Generator().manual_seed(0),
        ... )
        >>> round(line.weight.item(), 2)
        3.0
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        return TrainingOutcome(steps=0, best_step=0, best_loss=_look(module, validation_loss), ended="nothing to train")
    optimizer = torch.optim.Adam(parameters, lr=lr, fused=all(p.device.type in {"cpu", "cuda"} for p in parameters))
    batches = shuffled_batches(tensors, batch_size, generator)
    best = _Best(module)
    # The untrained module is a candidate too: where the samples are too few to learn from, nothing is better.
    start = _look(module, validation_loss)
    if math.isfinite(start):
        best.offer(0, start)
    step: int = 0
    ended: Ending = "max_steps"
    while step < max_steps:
        module.train()
        for _ in range(min(CHECK_EVERY, max_steps - step)):
            for parameter in parameters:
                parameter.grad = None
            loss(*next(batches)).backward()
            optimizer.step()
            step += 1
        seen = _look(module, validation_loss)
        if on_check is not None:
            on_check(step, seen)
        if not math.isfinite(seen):
            ended = "diverged"
            break
        if best.offer(step, seen) >= patience:
            ended = "patience"
            break
    best.restore()
    return TrainingOutcome(steps=step, best_step=best.step, best_loss=best.loss, ended=ended)


@contextmanager
def trainable(device: torch.device) -> Iterator[None]:
    """Code inside trains in full precision, whatever the caller's mode: no_grad, inference_mode or autocast.

    Example:
        >>> with torch.no_grad(), trainable(torch.device("cpu")):
        ...     torch.is_grad_enabled()
        True
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        yield


def shuffled_batches(tensors: Sequence[Tensor], batch_size: int, generator: torch.Generator) -> Iterator[list[Tensor]]:
    """Batches without end: in every pass a new order, rows that do not fill a batch wait for the next pass.

    A whole pass is gathered at once: slices of it cost nothing.

    Example:
        >>> batches = shuffled_batches([torch.arange(4)], 2, torch.Generator().manual_seed(0))
        >>> sorted(torch.cat(next(batches) + next(batches)).tolist())
        [0, 1, 2, 3]
    """
    n = len(tensors[0])
    size = int(min(batch_size, n))
    while True:
        order = torch.randperm(n, generator=generator, device=generator.device)[: n // size * size]
        gathered = [tensor.index_select(0, order.to(tensor.device)).split(size) for tensor in tensors]
        for batch in zip(*gathered, strict=True):
            yield list(batch)


class _Best:
    """The best weights so far, and for how many checks there have been no better ones."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.step, self.loss, self.checks_since = 0, math.inf, 0
        self.keep()

    def keep(self) -> None:
        self.state = {name: value.detach().clone() for name, value in self.module.state_dict().items()}

    def offer(self, step: int, loss: float) -> int:
        self.checks_since += 1
        if loss < self.loss:
            self.step, self.loss, self.checks_since = step, loss, 0
            self.keep()
        return self.checks_since

    def restore(self) -> None:
        self.module.load_state_dict(self.state)
        self.module.eval()


@torch.no_grad()
def _look(module: nn.Module, validation_loss: Callable[[], float]) -> float:
    module.eval()
    return validation_loss()
