"""State dicts: whether one that was saved has the form of one's own, before anything of it is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from infotorch.numerics.checks import shown
from infotorch.numerics.module_inputs import described

#: Optimisers that keep scalars and tensors of their parameter's own form; what others keep is their own business.
_KNOWN = ("torch.optim.", "infotorch.")


def check_state(state: Any, own: Any, *, where: str, extra: bool = False) -> None:
    """Refuse a state that has not the form of one's own: its keys, the shape and dtype of its tensors, its kinds.

    Args:
        state: what was saved.
        own: what one's own state is now. Where it holds None or an object, anything may stand there.
        where: the place, for the message.
        extra: whether there may be keys that one's own has not, as a schedule may learn some on its way.

    Raises:
        ValueError: it has another form; the message names the first place.

    Example:
        >>> check_state({"weight": torch.zeros(3)}, {"weight": torch.zeros(2)}, where="fc1")
        Traceback (most recent call last):
            ...
        ValueError: fc1.weight must be float32 of shape (2,), got float32 of shape (3,).
    """
    if isinstance(own, Tensor):
        if not isinstance(state, Tensor) or (state.shape, state.dtype) != (own.shape, own.dtype):
            raise ValueError(f"{where} must be {_said(own)}, got {_said(state)}.")
    elif isinstance(own, Mapping):
        check_keys(state, own, where=where, extra=extra)
        for key, value in own.items():
            check_state(state[key], value, where=f"{where}.{key}", extra=extra)
    elif isinstance(own, bool | str | int | float) and not _alike(state, own):
        raise ValueError(f"{where} must be {'a number' if not isinstance(own, str) else 'a text'}, got {_said(state)}.")
    elif isinstance(own, list | tuple):
        if not isinstance(state, list | tuple):
            raise ValueError(f"{where} must be a list, got {_said(state)}.")
        if own and all(isinstance(value, int | float) for value in own):  # a number a group, or a limit
            if len(own) != len(state) or not all(_alike(value, 0.0) for value in state):
                raise ValueError(f"{where} must be {len(own)} numbers, got {_said(state)}.")


def check_keys(state: Any, own: Mapping[str, Any] | Sequence[str], *, where: str, extra: bool = False) -> None:
    """Refuse a state that is no dict of one's own keys.

    Raises:
        ValueError: a key is missing, or, unless `extra`, unknown.

    Example:
        >>> check_keys({"loss": 1.0}, ("loss", "norm"), where="watch")
        Traceback (most recent call last):
            ...
        ValueError: watch: norm is missing.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"{where}: the state must be a dict, got {_said(state)}.")
    for key in own:
        if key not in state:
            raise ValueError(f"{where}: {key} is missing.")
    if not extra and (unknown := [key for key in state if key not in own]):
        raise ValueError(f"{where}: {unknown[0]} is unknown.")


def check_optimizer_state(state: Any, optimizer: Optimizer, *, where: str) -> None:
    """Refuse a state that an optimiser of the same kind, for the same parameters, has not made.

    Raises:
        ValueError: it has other groups, settings or parameters, or a tensor that does not fit its parameter.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(2))
        >>> sgd, adam = torch.optim.SGD([weight]), torch.optim.Adam([weight])
        >>> check_optimizer_state(sgd.state_dict(), adam, where="optimizer")
        Traceback (most recent call last):
            ...
        ValueError: optimizer.param_groups[0]: betas is missing.
    """
    check_keys(state, ("state", "param_groups"), where=where)
    own, groups = optimizer.state_dict()["param_groups"], state["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(own):
        raise ValueError(f"{where}.param_groups must be a list of {len(own)}, got {_said(groups)}.")
    for number, (group, mine) in enumerate(zip(groups, own, strict=True)):
        at = f"{where}.param_groups[{number}]"
        check_keys(group, mine, where=at, extra=True)
        if group["params"] != mine["params"]:
            raise ValueError(f"{at}: its parameters must be {_said(mine['params'])}, got {_said(group['params'])}.")
        for key, value in mine.items():
            # A rate may be a number in one place and a 0-d tensor in the other.
            if key != "params" and not isinstance(value, Tensor) and not _is_scalar_tensor(group[key]):
                check_state(group[key], value, where=f"{at}.{key}", extra=True)
    _check_moments(state["state"], optimizer, f"{where}.state")


def _check_moments(kept: Any, optimizer: Optimizer, where: str) -> None:
    """What is kept of each parameter: the same keys for those of one kind, tensors that fit it."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not isinstance(kept, Mapping) or not all(type(k) is int and 0 <= k < len(parameters) for k in kept):
        raise ValueError(f"{where} must have numbers of parameters for keys, below {len(parameters)}.")
    known = f"{type(optimizer).__module__}.".startswith(_KNOWN) and not isinstance(optimizer, torch.optim.LBFGS)
    first: dict[bool, Mapping[str, Any]] = {}
    of_tensors: dict[str, bool] = {}
    for number, entry in kept.items():
        at, parameter = f"{where}[{number}]", parameters[number]
        check_keys(entry, (), where=at, extra=True)
        if known:
            check_keys(entry, first.setdefault(parameter.ndim > 1, entry), where=at)
            for key, value in entry.items():
                if isinstance(value, Tensor) and value.numel() != 1:
                    _check_moment(value, parameter, at=f"{at}.{key}")
                # What is a tensor for one parameter is one for all.
                if value is not None and (
                    not isinstance(value, Tensor | int | float)
                    or of_tensors.setdefault(key, isinstance(value, Tensor)) != isinstance(value, Tensor)
                ):
                    raise ValueError(f"{at}.{key} must be of the other parameters' kind, got {_said(value)}.")


def _check_moment(value: Tensor, parameter: Tensor, *, at: str) -> None:
    """Of its parameter's shape, with axes of one element where rows or columns share a value."""
    axes = zip(value.shape, parameter.shape, strict=False)
    fits = value.ndim == parameter.ndim and all(mine in (1, axis) for mine, axis in axes)
    if not fits or value.dtype != parameter.dtype:
        raise ValueError(f"{at} must be {_said(parameter)}, got {_said(value)}.")


def _alike(value: Any, own: Any) -> bool:
    if isinstance(own, str):
        return isinstance(value, str)
    return isinstance(value, int | float) and isinstance(value, bool) == isinstance(own, bool)


def _is_scalar_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1


def _said(value: Any) -> str:
    if isinstance(value, Tensor):
        return described(value)
    return shown(value)
