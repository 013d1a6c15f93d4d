"""Every module's state in every process: each process hands out those that it trains."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.utils._pytree import tree_map_only

from infotorch.numerics.nested import tensors_in
from infotorch.numerics.ranks import Ranks
from infotorch.training.messages import as_bytes
from infotorch.training.plan import Plan


@dataclass(frozen=True)
class _Place:
    """Where a tensor was in a structure that travels without it."""

    shape: torch.Size
    dtype: torch.dtype
    on_cpu: bool


def gather_modules(
    plan: Plan, parts: Sequence[range], ranks: Ranks, group: Any, device: torch.device, wait: Callable[[Any], None]
) -> None:
    """Give every process the weights, objective, optimisers and schedules of every trained module.

    Args:
        plan: prepared; the modules of a process's own part are the newest there are.
        parts: the modules of each process.
        ranks: the processes; all of them call this.
        group: of torch.distributed, by gloo.
        device: of the weights.
        wait: is given a collective that has begun, and returns when it has ended.
    """
    for owner, part in enumerate(parts):
        for module in (plan[number] for number in part):
            if module.update is None:
                continue
            mine = owner == ranks.rank
            state = handed_out(module.state_dict() if mine else None, owner, ranks, group, device, wait)
            if not mine:
                module.load_state_dict(state)


def handed_out(
    value: Any, source: int, ranks: Ranks, group: Any, device: torch.device, wait: Callable[[Any], None]
) -> Any:
    """A structure of tensors and plain values that one process has, in every process.

    Args:
        value: what the process `source` has; of the others it is not read.
        source: the number of that process.
        ranks: see `gather_modules`.
        group: see `gather_modules`.
        device: where tensors go that are not on the CPU there.
        wait: see `gather_modules`.
    """
    mine = ranks.rank == source
    tensors = list(tensors_in(value)) if mine else []

    def told(own: Tensor) -> Tensor:
        wait(dist.broadcast(own, source, group=group, async_op=True))
        return own

    packed = torch.empty(0, dtype=torch.uint8)
    if mine:
        places = tree_map_only(Tensor, lambda tensor: _Place(tensor.shape, tensor.dtype, tensor.is_cpu), value)
        packed = torch.frombuffer(bytearray(pickle.dumps(places)), dtype=torch.uint8)
    length = int(told(torch.tensor([len(packed)])))
    packed = told(packed if mine else torch.empty(length, dtype=torch.uint8))
    sizes: list[int] = []

    def count(place: _Place) -> _Place:
        sizes.append(place.shape.numel() * place.dtype.itemsize)
        return place

    outline = tree_map_only(_Place, count, pickle.loads(packed.numpy().tobytes()))
    flat = (
        torch.cat([as_bytes(tensor) for tensor in tensors] or [torch.empty(0, dtype=torch.uint8)])
        if mine
        else torch.empty(sum(sizes), dtype=torch.uint8)
    )
    if len(flat):
        told(flat)
    if mine:
        return value
    pieces = iter(flat.split(sizes))

    def fill(place: _Place) -> Tensor:
        # A copy stands where any type may: a piece begins at any byte.
        tensor = next(pieces).clone().view(place.dtype).reshape(place.shape)
        return tensor if place.on_cpu else tensor.to(device)

    return tree_map_only(_Place, fill, outline)


class WeightsBefore:
    """Weights and buffers of the modules before a part, as one tensor of each type, to be sent beside activations.

    Objectives that pass other inputs through the network, such as views of the samples, need them as they were behind
    the same step.

    Args:
        plan: whose modules they are.
        numbers: of the trained modules.
    """

    def __init__(self, plan: Plan, numbers: Sequence[int]) -> None:
        bodies = [plan[number].body for number in numbers]
        held = [tensor for body in bodies for tensor in (*body.parameters(), *body.buffers())]
        self._held = {tensor.dtype: [other for other in held if other.dtype == tensor.dtype] for tensor in held}

    def flat(self) -> list[Tensor]:
        """All values of a type in a row, for each type."""
        return [torch.cat([tensor.detach().reshape(-1) for tensor in alike]) for alike in self._held.values()]

    @torch.no_grad()
    def take(self, flat: Sequence[Tensor]) -> None:
        """Go on with what `flat` gave in another process."""
        for values, alike in zip(flat, self._held.values(), strict=True):
            for tensor, piece in zip(alike, values.split([tensor.numel() for tensor in alike]), strict=True):
                tensor.copy_(piece.view_as(tensor))
