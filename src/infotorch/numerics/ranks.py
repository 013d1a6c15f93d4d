"""Several processes that hold the same rows, each of which computes a share of them: what they tell each other.

What every process computes alike from all rows is *common*; what a process computes from its share is *shared out*.
Gradients of common tensors are true and the same in every process; those of shared-out tensors are `size` times the
true ones of the share's rows, so that the *mean* over the processes of any weight's gradient is its true gradient,
whether the weight was used on shares, in common, or in both. `gather` and `take` lead from the one to the other and
back, `add` sums over all shares; their gradients follow, to any order.
"""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.autograd import Function


def is_first() -> bool:
    """Whether this process keeps the records: it is alone, or the first of several."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def several() -> bool:
    """Whether torch.distributed has joined this process to others."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@cache
def leave_at_exit() -> None:
    """Have this process leave the others before Python ends, where nobody has by then.

    A thread of gloo that still holds a tensor while Python ends aborts the process, now and then, when all its work is
    done; its launcher then takes the whole run for failed.

    Source: https://github.com/pytorch/pytorch/issues/190489
    """
    atexit.register(_leave)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def lost_another(error: BaseException) -> bool:
    """Whether this error, or one that led to it, says that another process is gone: a collective's connection broke.

    Example:
        >>> lost_another(RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection closed by peer"))
        True
    """
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None and cause not in causes:
        causes.append(cause)  # a module's forward pass says what it could not take
    words = ("gloo", "NCCL", "Connection closed by peer")
    # What the meeting place says where the process that kept it is gone.
    stores = (dist.DistNetworkError, dist.DistStoreError) if dist.is_available() else ()
    return any(
        isinstance(one, stores) or (isinstance(one, RuntimeError) and any(word in str(one) for word in words))
        for one in causes
    )


@dataclass(frozen=True)
class Ranks:
    """The processes that train one model together, joined by torch.distributed's default group.

    Args:
        rank: the number of this one.
        size: how many there are.

    Example:
        >>> ranks = Ranks(1, 2)
        >>> ranks.counts(5), ranks.rows(5)
        ([3, 2], slice(3, 5, None))
    """

    rank: int
    size: int
    # Of each weight that has had a gradient in some process: whether that is sparse. The same in all of them.
    _sparse: dict[int, bool] = field(default_factory=dict, compare=False, repr=False)

    def counts(self, rows: int) -> list[int]:
        """How many of so many rows each process has: as equal as can be, the first ones more."""
        return [rows // self.size + (rank < rows % self.size) for rank in range(self.size)]

    def rows(self, rows: int) -> slice:
        """Which of so many rows are this process's."""
        counts = self.counts(rows)
        before = sum(counts[: self.rank])
        return slice(before, before + counts[self.rank])

    def gather(self, share: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows of all processes, common, of this one's share; `counts` has the rows of each."""
        return _Gather.apply(share, tuple(counts), self)  # pyright: ignore[reportReturnType]

    def take(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """This process's share of common rows."""
        return _Take.apply(rows, tuple(counts), self)  # pyright: ignore[reportReturnType]

    def add(self, value: Tensor) -> Tensor:
        """The sum over all processes of what each computed from its share, for use on shares."""
        return _Add.apply(value, self)  # pyright: ignore[reportReturnType]

    def average(self, gradients: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> list[Tensor | None]:
        """Their means over the processes, in place where there are any; None where no process has one.

        A weight that a process's rows have not met, as of one of several experts, has no gradient there, and zeros are
        sent. Those of one type travel together: a message costs more than its bytes.

        Args:
            gradients: one for each parameter; the processes need not have the same ones.
            parameters: what they are of, the same in every process.
        """
        means = list(gradients)
        self._learn_which_are_sparse(gradients, parameters)
        dense: list[int] = []
        for number, gradient in enumerate(gradients):
            if self._sparse.get(id(parameters[number]), False):
                means[number] = self._average_sparse(gradient, parameters[number])
            else:
                dense.append(number)
        for dtype in dict.fromkeys(parameters[number].dtype for number in dense):
            alike = [number for number in dense if parameters[number].dtype == dtype]
            sent = [torch.zeros_like(parameters[n]) if (own := gradients[n]) is None else own for n in alike]
            met = torch.ones(len(alike), dtype=dtype, device=sent[0].device)
            missing = [place for place, number in enumerate(alike) if gradients[number] is None]
            for place in missing:
                met[place] = 0
            flat = torch.cat([*(tensor.detach().reshape(-1) for tensor in sent), met])
            dist.all_reduce(flat)
            flat /= self.size
            *parts, met = flat.split([*(tensor.numel() for tensor in sent), len(alike)])
            for tensor, part in zip(sent, parts, strict=True):
                tensor.copy_(part.view_as(tensor))
            for place in missing:
                means[alike[place]] = sent[place] if met[place].item() else None
        return means

    def _learn_which_are_sparse(self, gradients: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> None:
        """Agree on weights that had no gradient yet: a process whose rows do not meet one cannot know its kind."""
        unknown = [number for number, parameter in enumerate(parameters) if id(parameter) not in self._sparse]
        if not unknown:
            return
        found = [gradients[number] for number in unknown]
        told = [[one is not None for one in found], [one is not None and one.is_sparse for one in found]]
        seen = torch.tensor(told, dtype=torch.float32, device=parameters[0].device)
        dist.all_reduce(seen, dist.ReduceOp.MAX)
        for number, met, sparse in zip(unknown, *seen.tolist(), strict=True):
            if met:
                self._sparse[id(parameters[number])] = bool(sparse)

    def _average_sparse(self, gradient: Tensor | None, parameter: Tensor) -> Tensor | None:
        if gradient is None:
            rows = parameter.new_empty((0, *parameter.shape[1:]))
            numbers = rows.new_empty((1, 0), dtype=torch.long)
            gradient = torch.sparse_coo_tensor(numbers, rows, parameter.shape, check_invariants=False)
        dist.all_reduce(gradient)
        gradient.div_(self.size)
        return gradient if gradient._nnz() else None

    def any(self, value: bool, device: torch.device | str = "cpu") -> bool:
        """Whether it is true in one process or more."""
        seen = torch.tensor(float(value), device=device)
        dist.all_reduce(seen, dist.ReduceOp.MAX)
        return bool(seen.item())


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, share: Tensor, counts: tuple[int, ...], ranks: Ranks) -> Tensor:
        ctx.counts, ctx.ranks = counts, ranks
        most = max(counts)
        # Collectives want equal shapes: the rows that some lack are sent as zeros.
        sent = share.detach().contiguous()
        if len(sent) < most:
            sent = torch.cat([sent, sent.new_zeros((most - len(sent), *sent.shape[1:]))])
        received = [torch.empty_like(sent) for _ in counts]
        dist.all_gather(received, sent)
        return torch.cat([rows[:count] for rows, count in zip(received, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = gradients
        return ctx.ranks.size * ctx.ranks.take(gradient, ctx.counts), None, None


class _Take(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: tuple[int, ...], ranks: Ranks) -> Tensor:
        ctx.counts, ctx.ranks = counts, ranks
        before = sum(counts[: ranks.rank])
        return rows[before : before + counts[ranks.rank]].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = gradients
        return ctx.ranks.gather(gradient, ctx.counts) / ctx.ranks.size, None, None


class _Add(Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        total = value.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = gradients
        return ctx.ranks.add(gradient), None
