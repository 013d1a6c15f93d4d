"""Checks of labels and settings that several objectives share."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from infotorch.data.targets import TargetKind, kind_of_targets, known_targets
from infotorch.numerics.checks import check_number, shown
from infotorch.numerics.module_inputs import check_tensor

# Types that torch stores and does not compute with.
_STRANGE = {torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2}


def check_targets(targets: object, *, where: str, name: str) -> None:
    """Refuse what are no targets: a dense tensor of samples of numbers.

    Raises:
        TypeError: no dense tensor, or of complex numbers.
        ValueError: a single number.
    """
    check_tensor(targets, where=where, name=name)
    assert isinstance(targets, Tensor)
    if targets.is_complex() or targets.dtype in _STRANGE:
        raise TypeError(f"{where}: {name} must be integers or real numbers, got {targets.dtype}.")
    if targets.ndim == 0:
        raise ValueError(f"{where}: {name} must have rows, got a single number.")
    if targets.is_meta:
        raise TypeError(f"{where}: {name} must hold numbers, got a meta tensor.")


def check_rows_of_batch(x: Tensor, module_input: Tensor, output: Tensor, y: Tensor | None, *, where: str) -> None:
    """Refuse what a local batch cannot hold; kinds alone are looked at.

    Raises:
        TypeError: no dense tensors, an output that is not real-valued, or some of them on the meta device.
        ValueError: a single number.
    """
    for name, values in (("x", x), ("module_input", module_input), ("output", output)):
        check_tensor(values, where=where, name=name)
        if values.ndim == 0:
            raise ValueError(f"{where}: {name} must have rows, got a single number.")
    for name, values in (("x", x), ("module_input", module_input)):
        if values.is_meta != output.is_meta:
            raise TypeError(f"{where}: {name} and output must both hold numbers, got a meta tensor beside others.")
    if not output.is_floating_point() or output.element_size() < 2:
        raise TypeError(f"{where}: output must be real-valued, got {output.dtype}.")
    if y is not None:
        check_targets(y, where=where, name="y")


#: For each kind of targets, names of objectives that take it: what a refusal suggests.
SUGGESTED: dict[TargetKind, str] = {
    "classes": "Y, Y:infonce or CE",
    "real": "Y, Y:infonce, Y:hsic or, for the last module, MSE",
    "multilabel": "Y, Y:infonce, Y:hsic or, for the last module, CE",
}
_SAID: dict[TargetKind, str] = {"classes": "classes", "real": "real targets", "multilabel": "several labels a sample"}


def check_kind_of_targets(labels: Tensor, kinds: Sequence[TargetKind], *, where: str) -> None:
    """Refuse targets of a kind that an objective does not take, and name those that do.

    Raises:
        TypeError: they are of such a kind.
    """
    kind = kind_of_targets(labels)
    if kind in kinds:
        return
    way_out = "" if kind is None else f"; {_SAID[kind]} are for {SUGGESTED[kind]}"
    if "classes" in kinds and kind == "real":
        way_out += "; targets='classes' of fit and train reads whole numbers as classes"
    alone = tuple(kinds) == ("classes",)
    said = "class labels must be integers of shape (n,)" if alone else f"takes {' or '.join(_SAID[k] for k in kinds)}"
    raise TypeError(f"{where}: {said}, got {labels.dtype} of shape {tuple(labels.shape)}{way_out}.")


def check_known(labels: Tensor, *, where: str) -> Tensor:
    """Real targets or several labels, some of them known.

    Raises:
        ValueError: none is known, a real one is infinite, or a label is none of 0, 1 and -1.
    """
    if labels.is_floating_point():
        if bool(labels.isinf().any()):
            raise ValueError(f"{where}: y must be finite, or NaN where a target is missing, got an infinite value.")
    elif len(labels) and (int(labels.max()) > 1 or int(labels.min()) < -1):
        wrong = labels[(labels > 1) | (labels < -1)][0]
        raise ValueError(f"{where}: labels must be 0 or 1, and -1 where one is missing, got {int(wrong)}.")
    if not bool(known_targets(labels).any()):
        raise ValueError(f"{where}: every target is missing.")
    return labels


#: More classes than this, and than samples, are numbers of something else.
_MOST_CLASSES = 1_000_000


def check_labels(labels: Tensor | None, *, where: str) -> Tensor:
    """The labelled samples' classes.

    Raises:
        TypeError: there are no labels, or they are not integers.
        ValueError: no labels, every sample is unlabelled, or a label lies below -1 or is no number of a class.
    """
    if labels is None:
        raise TypeError(f"{where}: this objective needs class labels, got y=None.")
    check_targets(labels, where=where, name="labels")
    if labels.is_floating_point() or labels.dtype == torch.bool or labels.ndim != 1:
        raise TypeError(
            f"{where}: class labels must be integers of shape (n,), got {labels.dtype} of shape {tuple(labels.shape)}."
        )
    if len(labels) == 0:
        raise ValueError(f"{where}: class labels must have one row or more, got none.")
    lowest = int(labels.min())
    if lowest < -1:
        raise ValueError(f"{where}: classes count from 0 and unlabelled samples are -1, got {lowest}.")
    known = labels[labels >= 0]
    if len(known) == 0:
        raise ValueError(f"{where}: every row is unlabelled (y = -1).")
    if (highest := int(known.max())) >= max(len(labels), _MOST_CLASSES):
        raise ValueError(
            f"{where}: classes count from 0, got {highest}, and a read-out has a column for each; "
            "torch.unique(y, return_inverse=True)[1] numbers classes."
        )
    return known


def check_weight(weight: float, *, where: str, name: str) -> float:
    """The factor of a term, which may be 0.

    Raises:
        TypeError: no number.
        ValueError: negative or not finite.

    Example:
        >>> check_weight(0.5, where="example", name="local_weight")
        0.5
    """
    check_number(weight, where=where, name=name)
    if not 0 <= weight < math.inf or (isinstance(weight, int) and weight > sys.float_info.max):
        raise ValueError(f"{where}: {name} must be at least 0 and finite, got {shown(weight)}.")
    return weight


def check_critic_steps(steps: int, *, where: str) -> int:
    """The number of a critic's own steps before each step of its module, which may be 0.

    Raises:
        TypeError: no integer.
        ValueError: negative.

    Example:
        >>> check_critic_steps(5, where="example")
        5
    """
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise TypeError(f"{where}: critic_steps must be an integer, got {shown(steps)}.")
    if steps < 0:
        raise ValueError(f"{where}: critic_steps must be at least 0, got {steps}.")
    return steps
