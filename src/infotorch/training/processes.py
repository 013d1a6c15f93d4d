"""Several processes that train one plan: each computes a share of every batch, and their gradients meet here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from zlib import crc32

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_iter

from infotorch.data.batches import Batch
from infotorch.data.graphs import tensors_of
from infotorch.networks.norm_of_all import know_places
from infotorch.networks.shares import run_apart, whole
from infotorch.numerics.ranks import Ranks, leave_at_exit, lost_another
from infotorch.objectives.base import Loss
from infotorch.training.checks import check_gradient

if TYPE_CHECKING:
    from infotorch.training.local_module import LocalModule
    from infotorch.training.plan import Plan

_BY_ITSELF: ContextVar[bool] = ContextVar("by_itself", default=False)


def check_processes(fabric: Any = None, *, where: str) -> Ranks | None:
    """The processes of a fabric; None where this one trains alone.

    Args:
        fabric: what gives device, precision and processes, or None.
        where: for messages.

    Raises:
        TypeError: fabric is no Fabric.
        ValueError: the fabric computes in float16, whose gradients vanish without a scaler; it has several processes
            that are not joined yet, or torch.distributed has joined this process to others and there is no fabric of
            them: whether they train one model together, nobody said.

    Example:
        >>> check_processes(where="train")
    """
    if fabric is not None and not (hasattr(fabric, "world_size") and callable(getattr(fabric, "autocast", None))):
        raise TypeError(f"{where}: fabric must be a lightning_fabric.Fabric or None, got {type(fabric).__name__}.")
    if fabric is not None:
        _check_precision(fabric, where=where)
    joined = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    if _BY_ITSELF.get():
        return None
    asked = 1 if fabric is None else fabric.world_size
    if asked == joined == 1:
        return None
    if asked == joined:
        leave_at_exit()
        return Ranks(dist.get_rank(), joined)
    if asked > 1:
        raise ValueError(
            f"{where}: the fabric has {asked} processes, and {joined} of them {'is' if joined == 1 else 'are'} joined; "
            "call fabric.launch() before."
        )
    raise ValueError(
        f"{where}: training is of one process, got {joined} that torch.distributed has joined; for one model in all of "
        f"them give fabric=Fabric(devices={joined}), launched; else train before init_process_group, or after "
        "destroy_process_group."
    )


def _check_precision(fabric: Any, *, where: str) -> None:
    kind = torch.device(getattr(fabric, "device", "cpu")).type
    with fabric.autocast():
        if torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16:
            raise ValueError(
                f"{where}: the fabric's precision must not be float16, whose small gradients vanish: each module's own "
                "backward pass would need a scaler. Take 'bf16-mixed'."
            )


@contextmanager
def by_itself() -> Iterator[None]:
    """A context in which a process that is joined to others trains without them, as each of them may."""
    token = _BY_ITSELF.set(True)
    try:
        yield
    finally:
        _BY_ITSELF.reset(token)


@contextmanager
def telling_of_the_lost(*, where: str) -> Iterator[None]:
    """A context in which a connection to another process that has broken is told as what it means.

    Raises:
        RuntimeError: it has.

    Example:
        >>> with telling_of_the_lost(where="train"):
        ...     raise RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection closed by peer")
        Traceback (most recent call last):
        RuntimeError: train: another process has ended or failed, and its own output says why; this one cannot go on ...
    """
    try:
        yield
    except Exception as error:
        if not lost_another(error):
            raise
        raise RuntimeError(
            f"{where}: another process has ended or failed, and its own output says why; this one cannot go on without "
            "it."
        ) from error


def begin_alike(plan: Plan, *, where: str, **settings: int) -> None:
    """Give every process the weights and buffers of the first one, where all of them are to train alike.

    Args:
        plan: prepared or not; where it is, optimisers and schedules must be alike already.
        where: for messages.
        settings: what the training goes by, such as the seed.

    Raises:
        ValueError: they are to train otherwise, which would end in the midst, or with other weights in each; in every
            process.
    """
    parts = [part for module in plan for part in (module.body, module.objective) if part is not None]
    held = [tensor for part in parts for tensor in (*part.parameters(), *part.buffers())]
    device = held[0].device
    know_places(held)
    # A lazy weight is drawn by the seed.
    held = [tensor for tensor in held if not is_lazy(tensor) and tensor.layout == torch.strided and tensor.numel()]
    updates = [update.state_dict() for m in plan for update in (m.update, m.critic_update) if update is not None]
    counts = {
        "order": crc32(plan.order.encode()),
        "staleness": plan.staleness,
        "steps prepared for": plan.num_steps or 0,
        "size of network": sum(tensor.nbytes for tensor in held),
    }
    told = {name.replace("_", " "): float(number % 2**52) for name, number in (settings | counts).items()}
    told["optimisers and schedules"] = _digest(updates)
    differ = _differing(torch.tensor([*told.values()], dtype=torch.float64, device=device))
    if wrong := [name for name, one in zip(told, differ.tolist(), strict=True) if one]:
        raise ValueError(
            f"{where}: the processes differ in {', '.join(wrong)}; give each the same plan, samples, epochs and seed, "
            "and load a checkpoint in each."
        )
    with torch.no_grad():
        for tensor in held:
            own = tensor.contiguous().reshape(-1).view(torch.uint8)  # of types that gloo does not know, too
            first = own.clone()
            dist.broadcast(first, 0)
            if not torch.equal(own, first):
                tensor.copy_(first.view(tensor.dtype).view(tensor.shape))


def _digest(state: object) -> float:
    """A number that changes with the numbers in a structure, or with their order."""
    total = 0.0
    for place, value in enumerate(tree_iter(state), start=1):
        if isinstance(value, Tensor) and value.numel():
            total += place * _weighed(value.reshape(-1, 1)).item()
        elif isinstance(value, int | float):
            total += place * value
    return total


def _differing(mine: Tensor) -> Tensor:
    """Which of some numbers are not the same in every process."""
    most, least = mine.clone(), mine.clone()
    dist.all_reduce(most, dist.ReduceOp.MAX)
    dist.all_reduce(least, dist.ReduceOp.MIN)
    return most != least


def check_same_batch(batch: Batch, *, where: str) -> None:
    """Refuse a batch that is another one in another process.

    Raises:
        ValueError: it is; in every process.
    """
    tensors = tensors_of(batch.x) + ([] if batch.y is None else [batch.y])
    # Sums and sizes: other rows, another order of the classes or another number of them would show.
    told = [value for tensor in tensors for value in (tensor.double().nan_to_num().sum(), _weighed(tensor))]
    mine = torch.stack([*told, told[0].new_tensor(len(batch.x))])
    if _differing(mine).any():
        raise ValueError(
            f"{where}: the processes read different batches; give each the whole training data and one seed, and no "
            "DistributedSampler, as fabric.setup_dataloaders makes one: which part of the work is a process's own is "
            "decided here."
        )


def _weighed(tensor: Tensor) -> Tensor:
    rows = tensor.double().nan_to_num().reshape(len(tensor), -1).sum(1)
    return (rows * torch.arange(1, len(rows) + 1, device=rows.device)).sum()


def loss_of_rows(module: LocalModule, hidden: Any, batch: Batch, ranks: Ranks) -> tuple[Any, Loss]:
    """The loss of an objective that `_reads_rows`, and the module's output, of which each process keeps its rows."""
    objective = module.objective
    assert objective is not None

    def run(module_input: Any, x: Any) -> tuple[Tensor, Any]:
        output = module(module_input, x)
        check_gradient(output, name=module.name)
        return output, objective._read_rows(output)

    found = run_apart(ranks, run, hidden, batch.x)
    return found[0], objective._judge_rows(whole(found[1]), batch.y)
