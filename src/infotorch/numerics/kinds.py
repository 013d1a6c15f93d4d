"""Checks of what kind of thing an argument is, where no numbers are read of it."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from numbers import Integral
from os import PathLike

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.numerics.checks import check_callable, shown


def check_kind(value: object, kind: type | tuple[type, ...], *, where: str, name: str, said: str) -> None:
    """Refuse what is of another kind.

    Args:
        value: what the caller gave.
        kind: its type, or several.
        where: named in the error.
        name: the argument's.
        said: the kind in words, "a LocalBatch".

    Raises:
        TypeError: it is something else.

    Example:
        >>> check_kind("cat", Integral, where="example", name="stop", said="an integer")
        Traceback (most recent call last):
            ...
        TypeError: example: stop must be an integer, got 'cat'.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{where}: {name} must be {said}, got {shown(value)}.")


def check_several(
    values: object, kind: type | tuple[type, ...], *, where: str, name: str, said: str, at_least: int = 0
) -> None:
    """Refuse what is no list or tuple of values of one kind.

    Args:
        values: what the caller gave.
        kind: type of each, or several.
        where: named in the error.
        name: the argument's.
        said: the kind in words, in the plural.
        at_least: how many there must be.

    Raises:
        TypeError: it is none, or one of them is something else.
        ValueError: too few.

    Example:
        >>> check_several([2, "cat"], int, where="example", name="steps", said="integers")
        Traceback (most recent call last):
            ...
        TypeError: example: steps must be a list of integers, got [2, 'cat'].
    """
    if not isinstance(values, list | tuple) or not all(isinstance(value, kind) for value in values):
        raise TypeError(f"{where}: {name} must be a list of {said}, got {shown(values)}.")
    if len(values) < at_least:
        raise ValueError(f"{where}: {name} must be a list of {at_least} {said} or more, got {len(values)}.")


def check_names(names: Iterable[str], *, where: str, name: str) -> tuple[str, ...]:
    """Names as a tuple.

    Raises:
        TypeError: one name alone, or what holds something else.

    Example:
        >>> check_names(["fc1", "fc2"], where="example", name="layers")
        ('fc1', 'fc2')
    """
    several = isinstance(names, Iterable) and not isinstance(names, str | bytes | Tensor | np.ndarray)
    held = tuple(names) if several else ()
    if not several or not all(isinstance(one, str) for one in held):
        raise TypeError(f"{where}: {name} must be a list of names, got {shown(held or names)}.")
    return held


def check_iterable(values: object, *, where: str, name: str, said: str) -> None:
    """Refuse what cannot be gone through.

    Raises:
        TypeError: it cannot, as a tensor or an array of no axes cannot either.
    """
    of_rows = isinstance(values, Iterable) or hasattr(values, "__getitem__")
    if not of_rows or isinstance(values, type) or getattr(values, "ndim", 1) == 0:
        raise TypeError(f"{where}: {name} must be {said}, got {shown(values)}.")


def check_path(value: object, *, where: str, name: str) -> None:
    """Refuse what names no file or folder.

    Raises:
        TypeError: it is no text and no Path.
        ValueError: an empty text.
    """
    check_kind(value, (str, PathLike), where=where, name=name, said="a path")
    if value == "":
        raise ValueError(f"{where}: {name} must be a path, got ''.")


def check_index(value: int, *, where: str, name: str) -> None:
    """Refuse what is not a whole number from 0.

    Raises:
        TypeError: not an integer.
        ValueError: below 0.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{where}: {name} must be an integer, got {shown(value)}.")
    if value < 0:
        raise ValueError(f"{where}: {name} must be at least 0, got {shown(value)}.")


def check_function(value: object, *, where: str, name: str) -> None:
    """Refuse what is no function that gives a result: nothing to call, or a class, which makes an object of its own.

    Raises:
        TypeError: it is one of these.
    """
    check_callable(value, where=where, name=name)
    if isinstance(value, type):
        raise TypeError(f"{where}: {name} must be a function, got the class {value.__name__}.")


def check_called_alone(value: object, *, where: str, name: str) -> None:
    """Refuse what cannot be called without arguments.

    Raises:
        TypeError: it is no function, or needs arguments.

    Example:
        >>> check_called_alone(len, where="example", name="signal")
        Traceback (most recent call last):
            ...
        TypeError: example: signal must be a function without arguments, got builtin_function_or_method.
    """
    try:
        # A module's own __call__ hides what its forward takes.
        signature(value.forward if isinstance(value, nn.Module) else value).bind()  # pyright: ignore[reportArgumentType]
    except TypeError as error:
        raise TypeError(f"{where}: {name} must be a function without arguments, got {shown(value)}.") from error
    except ValueError:
        pass  # some compiled functions do not tell


def as_device(device: torch.device | str, *, where: str) -> torch.device:
    """The device of that name.

    Raises:
        TypeError: no name and no device.
        ValueError: a name of none.

    Example:
        >>> as_device("cpu", where="example")
        device(type='cpu')
    """
    check_kind(device, (str, torch.device), where=where, name="device", said="a torch.device or its name")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"{where}: device must be one such as 'cpu' or 'cuda:0', got {shown(device)}.") from error
