"""What a module of ours takes: the check that begins a forward pass; it looks at kinds and never at values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, fx

from infotorch.numerics.checks import shown


def module_input(
    x: Tensor, *, where: str, name: str = "x", weight: Tensor | None = None, columns: int | None = None
) -> Tensor:
    """Rows of real numbers, as they came; of an inference tensor a copy, which may meet weights that are trained.

    Args:
        x: what the caller gave.
        where: named in the error.
        name: the argument's.
        weight: what meets it: of the same type, unless autocast is on, and on the same device.
        columns: entries of a row.

    Raises:
        TypeError: no dense tensor, or of another type than real numbers or the weight.
        ValueError: no rows, or rows of other than `columns` entries.

    Example:
        >>> module_input(torch.ones(2, 3), where="example", columns=3).shape
        torch.Size([2, 3])
    """
    if isinstance(x, fx.Proxy):  # a forward pass that is being traced
        return x
    check_tensor(x, where=where, name=name)
    if not x.is_floating_point() or x.element_size() < 2:
        raise TypeError(f"{where}: {name} must be real-valued, got {x.dtype}; convert it with .float().")
    if x.ndim == 0:
        raise ValueError(f"{where}: {name} must have rows, got a single number.")
    if weight is not None:
        _check_meets(x, weight, where=where, name=name)
    if columns is not None and x.shape[1:].numel() != columns:
        raise ValueError(f"{where}: {name} must have rows of {columns} entries, got shape {tuple(x.shape)}.")
    return x.clone() if x.is_inference() and not torch.is_inference_mode_enabled() else x


def rows_of_units(x: Tensor, *, where: str, name: str) -> Tensor:
    """`module_input` of two axes or more.

    Raises:
        TypeError: no dense tensor of real numbers.
        ValueError: fewer axes.
    """
    x = module_input(x, where=where, name=name)
    if x.ndim < 2:
        raise ValueError(f"{where}: {name} must have shape (b, ...), got {tuple(x.shape)}.")
    return x


def check_tensor(x: object, *, where: str, name: str) -> None:
    """Refuse what is no dense tensor; one on the meta device is.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{where}: {name} must be a tensor, got {shown(x)}; torch.as_tensor makes one of an array.")
    if x.layout != torch.strided or x.is_nested or x.is_quantized:
        kind = "nested" if x.is_nested else "quantized" if x.is_quantized else str(x.layout)
        raise TypeError(f"{where}: {name} must be a dense tensor, got a {kind} one.")


def _check_meets(x: Tensor, weight: Tensor, *, where: str, name: str) -> None:
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise TypeError(
            f"{where}: {name} must have the weights' type, {weight.dtype}, got {x.dtype}; convert it with "
            f".to({weight.dtype})."
        )
    if x.device != weight.device:
        raise ValueError(f"{where}: {name} must be on the weights' device, {weight.device}, got {x.device}.")


@contextmanager
def explaining(what: Callable[[], str]) -> Iterator[None]:
    """A context in which torch's words for a wrong shape, type or device become one line that says what was given.

    Args:
        what: begins the line: "Parallel: the branches cannot take x of shape (3, 2)". Called after an error alone.

    Raises:
        ValueError: where torch raises a RuntimeError, an IndexError or such of no kind of their own.
        Exception: any other, such as a full device's or the caller's; it passes as it is.

    Example:
        >>> with explaining(lambda: "example: cannot add"):
        ...     torch.ones(2) + torch.ones(3)
        Traceback (most recent call last):
            ...
        ValueError: example: cannot add: The size of tensor a (2) must match ... at non-singleton dimension 0
    """
    try:
        yield
    except Exception as error:
        plain = type(error) in {RuntimeError, IndexError, NotImplementedError}
        if not plain and not (type(error) in {ValueError, TypeError} and _of_torch(error)):
            raise
        raise ValueError(f"{what()}: {str(error).partition(chr(10))[0]}") from error


def _of_torch(error: Exception) -> bool:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_globals.get("__name__", "").startswith("torch.")


def described(x: Tensor) -> str:
    """Shape and type in a message.

    Example:
        >>> described(torch.ones(2, 3))
        'float32 of shape (2, 3)'
    """
    return f"{str(x.dtype).removeprefix('torch.')} of shape {tuple(x.shape)}"
