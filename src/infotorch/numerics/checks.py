"""Input checks: refuse at the public edge, in one wording, naming the place, the rule and the value."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_tensor(values: Any, *, where: str, name: str) -> Tensor:
    """A tensor that shares memory with the caller's tensor or array.

    Raises:
        TypeError: values is neither a tensor nor something numpy reads as numbers.
    """
    if isinstance(values, Tensor):
        tensor = values
    else:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{where}: {name} must hold real numbers, got dtype {array.dtype}.")
        # A read-only or negatively strided array cannot be shared with torch.
        tensor = torch.from_numpy(array if array.flags.writeable and array.flags.c_contiguous else array.copy())
    if tensor.is_complex():
        raise TypeError(f"{where}: {name} must hold real numbers, got dtype {tensor.dtype}.")
    return tensor


def as_rows(values: Any, *, where: str, name: str) -> Tensor:
    """Rows of samples, shape (n, d): `(n,)` becomes `(n, 1)`, trailing axes are flattened; float16 becomes float32.

    Raises:
        TypeError: not real numbers.
        ValueError: no rows, no columns, or NaN or infinite values.
    """
    tensor = as_tensor(values, where=where, name=name)
    if tensor.ndim == 0:
        raise ValueError(f"{where}: {name} must have rows of samples, got a single number.")
    if tensor.numel() == 0:
        raise ValueError(f"{where}: {name} is empty, shape {tuple(tensor.shape)}.")
    if tensor.is_floating_point() and not torch.isfinite(tensor.detach()).all():
        bad = int((~torch.isfinite(tensor.detach())).sum())
        raise ValueError(f"{where}: {name} must be finite, got {bad} NaN or infinite values.")
    if tensor.dtype in {torch.float16, torch.bfloat16}:
        tensor = tensor.float()
    return tensor.reshape(len(tensor), -1)


def is_discrete(values: Tensor) -> bool:
    """Discrete means integer (or boolean) dtype."""
    return not values.is_floating_point()


def check_paired(x: Tensor, y: Tensor, *, where: str) -> None:
    """Refuse x and y with different numbers of rows.

    Raises:
        ValueError: they differ.
    """
    if len(x) != len(y):
        raise ValueError(f"{where}: x and y must be paired row by row, got {len(x)} and {len(y)} rows.")


def check_positive(value: float, *, where: str, name: str) -> None:
    """Refuse what is not a finite number above 0.

    Raises:
        TypeError: not a number.
        ValueError: zero, negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{where}: {name} must be a number, got {type(value).__name__}.")
    if not 0 < value < float("inf"):
        raise ValueError(f"{where}: {name} must be positive and finite, got {value}.")


def check_rows(values: Tensor, *, where: str, name: str, at_least: int) -> None:
    """Raise ValueError unless values has at least so many rows."""
    if len(values) < at_least:
        raise ValueError(f"{where}: {name} must have at least {at_least} rows, got {len(values)}.")


def check_noise_std(noise_std: float | Tensor, *, where: str) -> None:
    """Raise TypeError or ValueError unless noise_std is a positive number or a positive 0-d tensor."""
    if isinstance(noise_std, Tensor):
        if noise_std.ndim != 0:
            raise ValueError(
                f"{where}: noise_std must be a number or a 0-d tensor, got shape {tuple(noise_std.shape)}."
            )
        noise_std = float(noise_std.detach())
    check_positive(noise_std, where=where, name="noise_std")


def check_choice(value: str, choices: tuple[str, ...], *, where: str, name: str) -> None:
    """Refuse a value outside choices.

    Raises:
        ValueError: value is not one of them.
    """
    if value not in choices:
        raise ValueError(f"{where}: {name} must be one of {', '.join(choices)}, got {value!r}.")


def require(extra: str, package: str, purpose: str) -> ModuleType:
    """Import an optional package.

    Raises:
        ModuleNotFoundError: it is not installed; the message holds the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] != package.split(".")[0]:
            raise  # the package is there and one of its own needs is not: that message is the useful one
        raise ModuleNotFoundError(f"{purpose} needs {package}: pip install 'infotorch[{extra}]'.") from error
