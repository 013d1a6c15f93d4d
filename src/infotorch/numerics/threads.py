"""Small work takes one thread: more would spend their time waiting for each other.

torch divides a step of a tiny network among all cores. Alone on two of them this gains nothing below some ten million
operations; beside one other busy process it takes two to six times as long, because each of its many parts ends when
the last thread does, and that one has to share its core (benchmarks/threads.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

#: Operations of one forward pass below which it is small. Measured by benchmarks/threads.py.
SMALL = 2.5e7
_CHOSEN_BY_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def threads_are_chosen() -> bool:
    """Whether the environment says how many threads there are to be.

    Example:
        >>> threads_are_chosen() == any(os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"))
        True
    """
    return any(map(os.environ.get, _CHOSEN_BY_USER))


def take_threads(threads: int) -> None:
    """Give this process so many threads for good, where nobody has chosen: what its pool has set does not count."""
    for name in _CHOSEN_BY_USER:
        os.environ.pop(name, None)
    torch.set_num_threads(threads)


class OperationCount(TorchDispatchMode):
    """A context that counts the floating-point operations of products of matrices and convolutions inside it.

    `largest` is the size in bytes of the largest tensor that was made; a view of another is none.

    `torch.utils.flop_counter` counts the same, by hooks on every module of the process, of which compiled ones warn.

    Example:
        >>> layer, x = torch.nn.Linear(4, 3), torch.ones(2, 4)
        >>> with OperationCount() as count:
        ...     _ = layer(x)
        >>> count.total, count.largest
        (48, 24)
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = self.largest = 0

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.total += int(formula(*args, **kwargs, out_val=out))
        if all(value.alias_info is None for value in func._schema.returns):
            made = [one for one in (out if isinstance(out, list | tuple) else [out]) if isinstance(one, Tensor)]
            self.largest = max([self.largest, *(one.numel() * one.element_size() for one in made)])
        return out


@contextmanager
def threads_for(operations: float | None) -> Iterator[None]:
    """A context in which torch uses one thread, where the work is small and the user has not chosen otherwise.

    The number of threads belongs to the process, so this is for code that `alone` guards, as every step is. With the
    environment variable OMP_NUM_THREADS or MKL_NUM_THREADS set, nothing is changed.

    Args:
        operations: floating-point operations of one forward pass; None where they are not known, which is not small.

    Example:
        >>> before = torch.get_num_threads()
        >>> with threads_for(1e3):
        ...     pass
        >>> torch.get_num_threads() == before
        True
    """
    before = torch.get_num_threads()
    if operations is None or operations >= SMALL or before == 1 or threads_are_chosen():
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
