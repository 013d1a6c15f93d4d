"""Input checks: refuse at the public edge, in one wording, naming the place, the rule and the value."""

from __future__ import annotations

import sys
from collections.abc import Sequence, Sized
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.numerics.finite import all_finite

_UNSIGNED = frozenset({torch.uint16, torch.uint32, torch.uint64})  # which torch holds and does not compute with
#: Types of whole numbers that torch computes with.
WHOLE = frozenset({torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64})
#: Up to here float64 holds every whole number.
_EXACT = 2.0**53


def as_tensor(values: object, *, where: str, name: str) -> Tensor:
    """A tensor that shares memory with the caller's tensor or array.

    Raises:
        TypeError: values is neither a dense tensor nor something numpy reads as numbers.
        ValueError: an unsigned integer is too large for 64 bits with a sign, or values are masked.
    """
    if isinstance(values, Tensor):
        tensor = values
        check_dense(tensor, where=where, name=name)
        if tensor.dtype in _UNSIGNED:
            tensor = torch.from_numpy(_shareable(tensor.detach().cpu().numpy(), where=where, name=name)).to(
                tensor.device
            )
    else:
        try:
            array = np.asarray(values)
        except (ValueError, RuntimeError) as error:  # rows of unequal length; a list of tensors with gradient
            raise TypeError(f"{where}: {name} must be a tensor or an array of real numbers: {error}") from error
        if array.dtype.kind == "O" and array.ndim == 0:
            got = type(values).__name__
            raise TypeError(f"{where}: {name} must be a tensor or an array of real numbers, got {got}.")
        if array.dtype.kind not in "fiub":
            advice = "; numpy.unique(names, return_inverse=True)[1] numbers classes" * _is_text(array)
            advice = advice or "; convert numbers with .astype(float)" * (array.dtype.kind == "O")
            raise TypeError(f"{where}: {name} must hold real numbers, got dtype {array.dtype}{advice}.")
        if np.ma.is_masked(values):
            # What lies behind a mask is any number: numpy would hand it over in silence.
            raise ValueError(f"{where}: {name} must have no masked values, got {np.ma.count_masked(values)}.")
        tensor = torch.from_numpy(_shareable(array, where=where, name=name))
    if tensor.is_complex():
        raise TypeError(f"{where}: {name} must hold real numbers, got dtype {tensor.dtype}.")
    return tensor


def check_dense(tensor: Tensor, *, where: str, name: str) -> None:
    """Refuse a tensor that does not hold its numbers one after the other: sparse, nested, quantised or on meta.

    Raises:
        TypeError: it is one of these.
    """
    kinds = {
        "nested": tensor.is_nested,
        "quantized": tensor.is_quantized,
        "meta": tensor.is_meta,
        str(tensor.layout): tensor.layout != torch.strided,
    }
    for kind, there in kinds.items():
        if there:
            raise TypeError(f"{where}: {name} must be a dense tensor of numbers, got a {kind} one.")


def _is_text(array: np.ndarray) -> bool:
    if array.dtype.kind == "O":
        return array.size > 0 and all(isinstance(value, str) for value in array.flat)
    return array.dtype.kind in "UST"


def _shareable(array: np.ndarray, *, where: str, name: str) -> np.ndarray:
    """An array that torch can read: native byte order, a type it can compute with, writeable and contiguous."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        if array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"{where}: {name} must fit 64-bit integers, got {array.max()}.")
        return array.astype(np.int64)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    # Of a single entry numpy calls any stride contiguous, a negative one too.
    usable = array.flags.writeable and array.flags.c_contiguous and min(array.strides, default=0) >= 0
    return array if usable else array.copy()


def as_rows(values: object, *, where: str, name: str) -> Tensor:
    """Rows of samples, shape (n, d): `(n,)` becomes `(n, 1)`, trailing axes are flattened; 16 bits become float32.

    Raises:
        TypeError: not real numbers.
        ValueError: no rows, no columns, or NaN or infinite values.
    """
    tensor = as_tensor(values, where=where, name=name)
    if tensor.ndim == 0:
        raise ValueError(f"{where}: {name} must have rows of samples, got a single number.")
    if tensor.numel() == 0:
        raise ValueError(f"{where}: {name} is empty, shape {tuple(tensor.shape)}.")
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()
    if tensor.is_floating_point() and not all_finite([tensor]):
        bad = int((~torch.isfinite(tensor.detach())).sum())
        raise ValueError(f"{where}: {name} must be finite, got {bad} NaN or infinite values.")
    return tensor.reshape(len(tensor), -1)


def as_samples(values: object, *, where: str, name: str) -> Tensor:
    """Rows of samples as a float64 tensor of shape (n, d) without gradient, a copy unless the caller's are float64.

    Raises:
        TypeError: not real numbers.
        ValueError: no rows, no columns, NaN or infinite values, or whole numbers that are no longer apart in float64.
    """
    rows = as_rows(values, where=where, name=name).detach()
    found = in_float64(rows)
    if rows.dtype == torch.int64 and found.abs().max() >= _EXACT and _fewer_values(found, rows.to(found.device)):
        raise ValueError(
            f"{where}: {name} has whole numbers beyond 2**53 that float64 does not tell apart; subtract the smallest "
            "from each column."
        )
    return found


def _fewer_values(found: Tensor, rows: Tensor) -> bool:
    return any(len(a.unique()) < len(b.unique()) for a, b in zip(found.T, rows.T, strict=True))


def in_float64(values: Tensor) -> Tensor:
    """In float64, on the CPU where the device has none (Apple's GPUs)."""
    return (values.cpu() if values.device.type == "mps" else values).to(torch.float64)


def paired_rows(x: object, y: object, *, where: str) -> tuple[Tensor, Tensor]:
    """`as_rows` of x and y, paired, on the device of x.

    Raises:
        TypeError: not real numbers.
        ValueError: what `as_rows` refuses, or different numbers of rows.
    """
    return _paired(as_rows(x, where=where, name="x"), as_rows(y, where=where, name="y"), where)


def paired_samples(x: object, y: object, *, where: str) -> tuple[Tensor, Tensor]:
    """`as_samples` of x and y, paired, on the device of x.

    Raises:
        TypeError: not real numbers.
        ValueError: what `as_samples` refuses, or different numbers of rows.
    """
    return _paired(as_samples(x, where=where, name="x"), as_samples(y, where=where, name="y"), where)


def _paired(x: Tensor, y: Tensor, where: str) -> tuple[Tensor, Tensor]:
    check_paired(x, y, where=where)
    return x, y.to(x.device)


def check_neighbours(k: int, n: int, *, where: str) -> int:
    """The number of neighbours as a plain int; refuse one that n rows cannot have.

    Raises:
        TypeError: k is not an integer.
        ValueError: k is below 1, or n <= k.
    """
    if isinstance(k, bool) or not isinstance(k, Integral):
        raise TypeError(f"{where}: k must be an integer, got {type(k).__name__}.")
    if k < 1:
        raise ValueError(f"{where}: k must be at least 1, got {k}.")
    if n <= k:
        raise ValueError(f"{where}: needs more samples than neighbours, got {n} samples for k = {k}.")
    return int(k)


def check_count(value: int, *, where: str, name: str) -> None:
    """Refuse what is not a whole number above 0.

    Raises:
        TypeError: not an integer.
        ValueError: below 1.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{where}: {name} must be an integer, got {shown(value)}.")
    if value < 1:
        raise ValueError(f"{where}: {name} must be at least 1, got {value}.")


def check_size(value: int, *, where: str, name: str) -> None:
    """Refuse what is no size of a layer: `check_count`, and no memory holds more than 31 bits count.

    Raises:
        TypeError: not an integer.
        ValueError: below 1, or of more than 31 bits.
    """
    check_count(value, where=where, name=name)
    if value >= 2**31:
        raise ValueError(f"{where}: {name} must be below 2**31, got {shown(value)}.")


def check_depth(value: int, *, where: str, name: str) -> None:
    """Refuse what is no number of layers: `check_count`, and nobody waits for more than 10,000.

    Raises:
        TypeError: not an integer.
        ValueError: below 1, or above 10,000.
    """
    check_count(value, where=where, name=name)
    if value > 10_000:
        raise ValueError(f"{where}: {name} must be at most 10,000, got {shown(value)}.")


def check_widths(widths: Sequence[int], *, where: str, name: str = "hidden", at_least: int = 0) -> tuple[int, ...]:
    """The widths of hidden layers as a tuple.

    Raises:
        TypeError: no sequence, fewer than at_least widths, or one that is no integer.
        ValueError: a width below 1, or of more than 31 bits.

    Example:
        >>> check_widths([64, 32], where="example")
        (64, 32)
    """
    if not isinstance(widths, Sequence) or isinstance(widths, str | bytes) or len(widths) < at_least:
        raise TypeError(f"{where}: {name} must be a sequence of widths such as (64,), got {shown(widths)}.")
    for width in widths:
        check_size(width, where=where, name=f"every width of {name}")
    return tuple(widths)


def is_discrete(values: Tensor) -> bool:
    """Discrete means integer (or boolean) dtype."""
    return not values.is_floating_point()


def check_paired(x: Sized, y: Sized, *, where: str) -> None:
    """Refuse x and y with different numbers of rows.

    Raises:
        ValueError: they differ.
    """
    if len(x) != len(y):
        raise ValueError(f"{where}: x and y must be paired row by row, got {len(x)} and {len(y)} rows.")


def check_number(value: float, *, where: str, name: str) -> None:
    """Refuse what is not a real number.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{where}: {name} must be a number, got {type(value).__name__}.")


def check_positive(value: float, *, where: str, name: str) -> None:
    """Refuse what is not a finite number above 0, as far as a float64 tells without loss of digits.

    Raises:
        TypeError: not a number.
        ValueError: zero, negative or not finite; or below 2.2e-308.
    """
    check_number(value, where=where, name=name)
    if not sys.float_info.min <= value <= sys.float_info.max:
        raise ValueError(f"{where}: {name} must be positive and finite, got {shown(value)}.")


def check_share(value: float, *, where: str, name: str) -> None:
    """Refuse what is not a number of [0, 1).

    Raises:
        TypeError: not a number.
        ValueError: outside.
    """
    check_number(value, where=where, name=name)
    if not 0 <= value < 1:
        raise ValueError(f"{where}: {name} must be at least 0 and below 1, got {shown(value)}.")


def check_rows(values: Sized, *, where: str, name: str, at_least: int) -> None:
    """Refuse too few rows.

    Raises:
        ValueError: values has fewer than at_least.
    """
    if len(values) < at_least:
        raise ValueError(f"{where}: {name} must have at least {at_least} rows, got {len(values)}.")


def check_noise_std(noise_std: float | Tensor, *, where: str) -> None:
    """Refuse a noise_std that is not a positive number or a positive 0-d tensor.

    Raises:
        TypeError: neither a number nor a tensor.
        ValueError: not positive, not finite, or a tensor with more than one entry.
    """
    if isinstance(noise_std, Tensor):
        if noise_std.ndim != 0:
            raise ValueError(
                f"{where}: noise_std must be a number or a 0-d tensor, got shape {tuple(noise_std.shape)}."
            )
        noise_std = float(noise_std.detach())
    check_positive(noise_std, where=where, name="noise_std")


def check_choice(value: object, choices: tuple[object, ...], *, where: str, name: str) -> None:
    """Refuse a value outside choices.

    Raises:
        ValueError: value is not one of them.
    """
    # An array is compared entry by entry: only what can be one of the choices is compared at all.
    if not isinstance(value, str | Real | None) or value not in choices:
        raise ValueError(f"{where}: {name} must be one of {', '.join(map(str, choices))}, got {shown(value)}.")


def check_module(value: object, *, where: str, name: str) -> None:
    """Refuse what is no torch module.

    Raises:
        TypeError: it is none; a class is named as one.
    """
    if not isinstance(value, nn.Module):
        made = f"the class {value.__name__}" if isinstance(value, type) else shown(value)
        raise TypeError(f"{where}: {name} must be a torch.nn.Module, got {made}.")


def check_callable(value: object, *, where: str, name: str) -> None:
    """Refuse what cannot be called.

    Raises:
        TypeError: it cannot.
    """
    if not callable(value):
        raise TypeError(f"{where}: {name} must be a function, got {shown(value)}.")


def shown(value: object) -> str:
    """A value in a message: itself where it takes a few words, else its kind.

    Example:
        >>> shown("cat"), shown(np.zeros((20, 20)))
        ("'cat'", 'ndarray')
    """
    text = repr(value) if isinstance(value, str | bytes | Real | list | tuple | dict | set | None) else ""
    return text if 0 < len(text) <= 60 and "\n" not in text else type(value).__name__
