"""Random numbers for some rows of a batch that are those which the whole batch would have drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from infotorch.networks.no_rerun import check_no_rerun

#: Functions that draw as many numbers as their values ask for: the other rows' values must be there.
_BY_VALUE = {
    *("aten::poisson", "aten::binomial", "aten::multinomial", "aten::_standard_gamma", "aten::_sample_dirichlet"),
    *("aten::rrelu_with_noise", "aten::rrelu_with_noise_"),
}


class SameDraws(TorchDispatchMode):
    """A context in which a layer draws for all rows of a batch and keeps the numbers of some.

    What has a multiple of these rows, one after the other for each sample, is taken to be of the samples; whatever has
    other rows, as the noise of a weight, is drawn as it is.

    Args:
        rows: which rows are there.
        whole: how many the batch has.
        gather: rows -> the rows of the whole batch.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> whole = torch.rand(5, 2)
        >>> _ = torch.manual_seed(0)
        >>> with SameDraws(slice(3, 5), 5, gather=lambda rows: rows):
        ...     torch.equal(torch.rand(2, 2), whole[3:])
        True
    """

    def __init__(self, rows: slice, whole: int, *, gather: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._start, self._count, self._whole, self._gather = rows.start, rows.stop - rows.start, whole, gather

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one of torch's functions; those that draw, for the whole batch."""
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        by_value = func._schema.name in _BY_VALUE
        grown = [self._grown(one, by_value) for one in args]
        if all(larger is one for larger, one in zip(grown, args, strict=True)):
            return func(*args, **kwargs)
        check_no_rerun("dropout or noise")
        found = func(*grown, **kwargs)
        for declared, one, larger in zip(func._schema.arguments, args, grown, strict=False):
            if declared.alias_info is not None and declared.alias_info.is_write and larger is not one:
                one.copy_(self._kept(larger))  # drawn in place
                if found is larger:
                    return one
        return tuple(map(self._kept, found)) if isinstance(found, tuple) else self._kept(found)

    def _multiple(self, rows: int) -> int:
        return 0 if rows % self._count else rows // self._count

    def _grown(self, value: Any, by_value: bool) -> Any:
        """A tensor of these rows as one of the whole batch, and a shape likewise."""
        if isinstance(value, Tensor) and value.ndim and self._multiple(len(value)):
            if by_value:
                return self._gather(value)
            times = self._multiple(len(value))
            shape = (times * self._whole, *value.shape[1:])
            # Numbers are drawn in the order of the memory.
            order = sorted(range(value.ndim), key=lambda axis: (-value.stride(axis), axis))
            grown = torch.empty_permuted(shape, order, dtype=value.dtype, device=value.device).zero_()
            grown[times * self._start : times * (self._start + self._count)] = value
            return grown
        if isinstance(value, list) and value and all(isinstance(size, int) for size in value):
            times = self._multiple(value[0])
            return [times * self._whole, *value[1:]] if times else value
        return value

    def _kept(self, found: Tensor) -> Tensor:
        times = len(found) // self._whole
        return found[times * self._start : times * (self._start + self._count)]
