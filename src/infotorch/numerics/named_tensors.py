"""Samples of a network with several inputs: tensors by the names of forward's arguments, paired row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import EllipsisType
from typing import Any, overload

import torch
from torch import Tensor

from infotorch.numerics.checks import as_tensor, check_dense, shown


class NamedTensors:
    """Tensors with a row for each sample, as `forward(**inputs)` takes them. The first is the main input.

    Args:
        tensors: argument of forward -> tensor or array, (n, ...) each.
        where: for messages.

    Raises:
        TypeError: a name that is no string, or a value of no numbers.
        ValueError: nothing, a single number, other rows than the first, or NaN.

    Example:
        >>> inputs = NamedTensors({"input_ids": [[5, 7], [9, 0]], "attention_mask": [[1, 1], [1, 0]]})
        >>> len(inputs), inputs[1:]["input_ids"].tolist(), list(inputs.keys())
        (2, [[9, 0]], ['input_ids', 'attention_mask'])
    """

    def __init__(self, tensors: Mapping[str, Any], *, where: str = "NamedTensors") -> None:
        held = {name: _rows(value, name, where=where) for name, value in tensors.items()}
        if not held:
            raise ValueError(f"{where}: x must hold one input or more, got an empty dict.")
        first, *others = held
        for name in others:
            if len(held[name]) != len(held[first]):
                raise ValueError(
                    f"{where}: the inputs of x must be paired row by row, got {len(held[first])} rows of {first!r} and "
                    f"{len(held[name])} of {name!r}."
                )
        self._tensors = held

    @overload
    def __getitem__(self, key: str) -> Tensor: ...

    @overload
    def __getitem__(self, key: slice | Tensor | EllipsisType) -> NamedTensors: ...

    def __getitem__(self, key: str | slice | Tensor | EllipsisType) -> Tensor | NamedTensors:
        if isinstance(key, str):
            return self._tensors[key]
        return self._mapped(lambda tensor: tensor[key])

    def keys(self) -> list[str]:
        """The names of the inputs."""
        return list(self._tensors)

    def values(self) -> list[Tensor]:
        """The inputs."""
        return list(self._tensors.values())

    def __len__(self) -> int:
        return len(self.main)

    def __iter__(self) -> Iterator[NamedTensors]:
        return (self[row : row + 1] for row in range(len(self)))

    def __repr__(self) -> str:
        held = ", ".join(f"{name}={tuple(value.shape)}" for name, value in self._tensors.items())
        return f"NamedTensors({held})"

    @property
    def main(self) -> Tensor:
        """The first input: what an objective knows as X."""
        return next(iter(self._tensors.values()))

    @property
    def device(self) -> torch.device:
        """Where the inputs are."""
        return self.main.device

    def with_main(self, main: Tensor) -> NamedTensors:
        """The inputs with another first one, of k n rows; the others are repeated k times.

        Raises:
            ValueError: rows that are no multiple.
        """
        count, rest = divmod(len(main), len(self))
        if rest or not count:
            raise ValueError(f"the main input must have {len(self)} rows, or several times as many, got {len(main)}.")
        first, *others = self._tensors
        repeated = {name: self[name] if count == 1 else torch.cat([self[name]] * count) for name in others}
        return _of({first: main, **repeated})

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> NamedTensors:
        """The inputs on a device; the real ones in a precision."""
        return self._mapped(lambda tensor: tensor.to(device, dtype if tensor.is_floating_point() else None))

    def clone(self) -> NamedTensors:
        """The same in memory of its own."""
        return self._mapped(torch.clone)

    def ordered(self, names: Sequence[str]) -> NamedTensors:
        """The inputs in the order of these names, and then the others."""
        first = [name for name in names if name in self._tensors]
        return _of({name: self[name] for name in dict.fromkeys([*first, *self._tensors])})

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> NamedTensors:
        return _of({name: function(tensor) for name, tensor in self._tensors.items()})


def _of(tensors: dict[str, Tensor]) -> NamedTensors:
    made = object.__new__(NamedTensors)
    made._tensors = tensors
    return made


def _rows(value: Any, name: object, *, where: str) -> Tensor:
    if not isinstance(name, str):
        raise TypeError(f"{where}: the inputs of x must have the names of forward's arguments, got {shown(name)}.")
    tensor = as_tensor(value, where=where, name=name)
    check_dense(tensor, where=where, name=name)
    if tensor.ndim == 0:
        raise ValueError(f"{where}: {name} must have rows of samples, got a single number.")
    if tensor.is_floating_point() and bool(torch.isnan(tensor).any()):
        raise ValueError(f"{where}: {name} must not hold NaN.")
    return tensor


def joined(parts: Sequence[Any]) -> Any:
    """Tensors, or inputs of the same names, one after the other.

    Raises:
        ValueError: other names than the first.

    Example:
        >>> joined([NamedTensors({"a": [1]}), NamedTensors({"a": [2]})])["a"].tolist()
        [1, 2]
    """
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    names = parts[0].keys()
    for part in parts:
        if part.keys() != names:
            raise ValueError(f"all batches must have the inputs {', '.join(names)}, got {', '.join(part.keys())}.")
    return _of({name: torch.cat([part[name] for part in parts]) for name in names})
