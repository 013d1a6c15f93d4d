"""The CPU's random numbers on a GPU: its own generators would draw others, and no loss could be compared.

An operation that draws does so on the CPU, from the CPU's global generator or from one seeded as the device's was, and
what it drew is moved.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

_DRAWS = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "bernoulli_",
    "normal", "normal_", "uniform_", "exponential_", "poisson", "multinomial", "random_", "native_dropout",
    "rrelu_with_noise",
}  # fmt: skip


class CpuDraws(TorchDispatchMode):
    """Operations that draw numbers for a kind of device, drawn on the CPU.

    Args:
        kind: the device's type; of "cpu" itself everything stays as it is.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        #: By address: the device's generator, which is held so that no other one comes to lie there, and the CPU's.
        self._generators: dict[int, tuple[torch.Generator, torch.Generator]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func._schema.name.split("::")[1]
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        asked = kwargs.get("device")
        places = [one.device for one in tensors] + ([] if asked is None else [torch.device(asked)])
        there = [place for place in places if place.type == self.kind]
        if name not in _DRAWS or not there:
            return func(*args, **kwargs)
        if name == "native_dropout":  # a GPU's own; the CPU draws, then divides
            rows, share, _ = args
            kept = torch.empty(rows.shape, dtype=rows.dtype).bernoulli_(1 - share)
            return rows * (kept / (1 - share)).to(rows.device), kept.bool().to(rows.device)
        here, named = tree_map_only(Tensor, lambda one: one.cpu(), (args, kwargs))
        named |= {"generator": self._like(generator)} if (generator := kwargs.get("generator")) is not None else {}
        named |= {} if asked is None else {"device": torch.device("cpu")}
        drawn = func(*here, **named)
        if name.endswith("_"):
            return args[0].copy_(drawn)
        return tree_map_only(Tensor, lambda one: one.to(there[0]), drawn)

    def _like(self, generator: torch.Generator) -> torch.Generator:
        if generator.device.type == "cpu":
            return generator
        if generator._cdata not in self._generators:
            like = torch.Generator().manual_seed(generator.initial_seed())
            self._generators[generator._cdata] = (generator, like)
        return self._generators[generator._cdata][1]
