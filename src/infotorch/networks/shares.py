"""A forward pass that several processes share: each runs the layers on its rows, and all have the whole output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from infotorch.networks.norm_of_all import NormOfAll
from infotorch.networks.same_draws import SameDraws
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.nested import map_tensors, tensors_in
from infotorch.numerics.ranks import Ranks

#: A share of fewer rows has no spread of its own, and is not worth a message: every process then runs all rows.
_LEAST = 2


@dataclass(frozen=True)
class Share:
    """One process's rows of a batch."""

    ranks: Ranks
    whole: int

    def of(self, value: Any) -> Any:
        """This process's rows of an input, or of a structure of tensors."""
        if isinstance(value, Part):
            return value.rows
        counts = self.ranks.counts(self.whole)
        if isinstance(value, NamedTensors):
            return value[self.ranks.rows(self.whole)]

        def taken(tensor: Tensor) -> Tensor:
            times = len(tensor) // self.whole
            return self.ranks.take(tensor, [times * count for count in counts])

        return map_tensors(value, taken)

    def gathered(self, value: Any) -> Any:
        """The rows of all processes, of what this one's rows gave.

        Raises:
            ValueError: a tensor without a row, or a number of rows, for each sample.
        """
        counts = self.ranks.counts(self.whole)
        own = counts[self.ranks.rank]

        def whole(tensor: Tensor) -> Tensor:
            if not tensor.ndim or len(tensor) % own:
                raise ValueError(
                    f"several processes: an output must have a row for each of a process's {own} samples, or as many "
                    f"rows for each, got shape {tuple(tensor.shape)}."
                )
            times = len(tensor) // own
            return self.ranks.gather(tensor, [times * count for count in counts])

        return map_tensors(value, whole)


@dataclass(frozen=True)
class Part:
    """This process's rows of an output that no process has needed whole."""

    rows: Any
    _share: Share

    def whole(self) -> Any:
        """The rows of all processes."""
        return self._share.gathered(self.rows)

    def detach(self) -> Part:
        """The same rows without their history."""
        return Part(self.rows.detach(), self._share)

    def __getitem__(self, number: int) -> Part:
        """One of several outputs."""
        return Part(self.rows[number], self._share)


def whole(value: Any) -> Any:
    """All rows of an output, whether they were together or not."""
    return value.whole() if isinstance(value, Part) else value


_SHARE: ContextVar[Share | None] = ContextVar("share", default=None)


def run_shared(ranks: Ranks, call: Callable[..., Any], *inputs: Any) -> Any:
    """`call(*inputs)` with each process's rows, and the whole output in every process.

    See `run_apart`.
    """
    return whole(run_apart(ranks, call, *inputs))


def run_apart(ranks: Ranks, call: Callable[..., Any], *inputs: Any) -> Any:
    """`call(*inputs)` with each process's rows: a `Part`, or the output of a batch that all of them run whole.

    Random numbers and the statistics of batch norm are those of the whole batch. Graphs, whose nodes look at one
    another, and a batch with fewer than two rows for each process are run by all of them whole.

    Args:
        ranks: the processes; all of them call this, with the same inputs.
        call: layers that treat every row alone, but for batch norm.
        inputs: graphs, tensors, named tensors, structures of tensors, or parts of them; the last is whole, with a row
            for each sample, and the others have one or more.

    Raises:
        ValueError: an output that has not as many rows for each sample.
    """
    last = inputs[-1]
    tensors = [last] if isinstance(last, NamedTensors) else [*tensors_in(last)]
    rows = len(tensors[0]) if tensors else 0  # a graph is no structure of tensors
    if rows < _LEAST * ranks.size:
        return call(*inputs)
    share = Share(ranks, rows)
    with sharing(share):
        return Part(call(*(share.of(value) for value in inputs)), share)


def current_share() -> Share | None:
    """Which rows a layer that runs now has; None: all of them."""
    return _SHARE.get()


@contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """A context in which layers that have a share of the rows draw and norm as those of the whole batch.

    What runs again in the backward pass enters it anew.
    """
    if share is None:
        yield
        return
    rows = share.ranks.rows(share.whole)
    with _entered(share), NormOfAll(share.ranks), SameDraws(rows, share.whole, gather=share.gathered):
        yield


def whole_rows(value: Any) -> Any:
    """What a layer took or gave, with the rows of all processes: the value itself where one process has them all."""
    share = _SHARE.get()
    if share is None:
        return value
    with _entered(None):
        return share.gathered(value)


@contextmanager
def _entered(share: Share | None) -> Iterator[None]:
    token = _SHARE.set(share)
    try:
        yield
    finally:
        _SHARE.reset(token)
