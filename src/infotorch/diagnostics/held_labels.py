"""Labels that a training step holds itself, where other ones in its arguments would change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infotorch.diagnostics.reached_state import same_bits


def relabel(things: Iterable[object], y: Any, other: Any) -> None:
    """Put other labels in the place of these, in place, wherever tensors, arrays or lists hold them.

    Classes are found as integers of any width and one-hot, other targets as a tensor with the same bits.

    Args:
        things: whatever a step holds.
        y: the labels of its batch.
        other: as many others.

    Example:
        >>> held = [torch.tensor([0, 1]), [0, 1], np.eye(2), np.array([1, 0])]
        >>> relabel(held, torch.tensor([0, 1]), torch.tensor([1, 1]))
        >>> held[1], held[2].tolist(), held[3].tolist()
        ([1, 1], [[0.0, 1.0], [0.0, 1.0]], [1, 0])
    """
    classes, new = _classes(y), _classes(other)
    for thing in things:
        if isinstance(thing, Tensor):
            _relabel_tensor(thing, y, other, classes, new)
        elif classes is None or new is None:
            continue
        elif isinstance(thing, np.ndarray) and thing.dtype.kind in "biuf" and thing.flags.writeable:
            instead = _instead(thing, classes, new)
            if instead is not None:
                thing[...] = instead
        elif isinstance(thing, list) and _is_numbers(thing) and thing == classes.tolist():
            thing[:] = new.tolist()


def _relabel_tensor(tensor: Tensor, y: Any, other: Any, classes: np.ndarray | None, new: np.ndarray | None) -> None:
    if torch.nn.parameter.is_lazy(tensor) or tensor.is_inference() or tensor.requires_grad:
        return
    if isinstance(y, Tensor) and tensor.device == y.device and same_bits(tensor, y):
        tensor.copy_(other)
    elif classes is not None and new is not None and tensor.layout == torch.strided and not tensor.is_complex():
        if 1 <= tensor.ndim <= 2 and len(tensor) == len(classes):
            instead = _instead(tensor.detach().double().numpy(force=True), classes, new)
            if instead is not None:
                tensor.copy_(torch.from_numpy(instead))


def _classes(y: Any) -> np.ndarray | None:
    """Labels as int64 (n,), or None of other targets."""
    if isinstance(y, Tensor) and not (y.is_floating_point() or y.is_complex()):
        y = y.numpy(force=True)
    values = np.asarray(y if isinstance(y, np.ndarray) or _is_numbers(y) else [])
    return values.astype(np.int64) if values.ndim == 1 and values.dtype.kind in "biu" and len(values) > 1 else None


def _is_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, int) for value in values)


def _instead(values: np.ndarray, classes: np.ndarray, new: np.ndarray) -> np.ndarray | None:
    """What stands for the new classes in the place of values that stand for the old ones."""
    if values.shape == classes.shape:
        return new if np.array_equal(values, classes) else None
    if values.ndim != 2 or len(values) != len(classes) or not 0 <= classes.min() <= classes.max() < values.shape[1]:
        return None
    return _one_hot(new, values) if np.array_equal(values, _one_hot(classes, values)) else None


def _one_hot(classes: np.ndarray, like: np.ndarray) -> np.ndarray:
    found = np.zeros(like.shape)
    found[np.arange(len(classes)), classes] = 1
    return found
