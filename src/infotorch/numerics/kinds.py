"""Checks of what kind of thing an argument is, where no numbers are read of it."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from os import PathLike

import numpy as np
from torch import Tensor

from infotorch.numerics.checks import shown


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


def check_path(value: object, *, where: str, name: str) -> None:
    """Refuse what names no file or folder.

    Raises:
        TypeError: it is no text and no Path.
    """
    check_kind(value, (str, PathLike), where=where, name=name, said="a path")


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
