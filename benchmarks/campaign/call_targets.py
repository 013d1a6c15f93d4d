"""What generated calls call: every public function, class and method, with valid arguments to depart from."""

from __future__ import annotations

import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

import infotorch
from campaign.call_examples import EXAMPLES
from campaign.call_makers import batch_of
from infotorch.objectives.base import Objective

# What a class of these draws comes from torch's global generator, as initial weights and dropout of torch do.
DRAWING = ("networks.", "Critic", "objectives.", "InformationBottleneck", "Objective")
# Torch's own protocol; names that only print, and what waits for other machines.
LEFT_OUT = {"extra_repr", "to", "sees", "critics", "batch_of"}
# Without a definition of one's own there is nothing to call; segments come from `split`.
ABSTRACT = {
    infotorch.distributions.JointLaw,
    infotorch.estimators.Critic,
    infotorch.Objective,
    infotorch.networks.Segment,
}
# Others call what stands there, a Trainer and the base class of all metrics: tests/lightning and tests/torchmetrics do.
NOT_CALLED = {"lightning", "torchmetrics"}


@dataclass(frozen=True)
class Target:
    """One thing to call.

    Args:
        name: as it is written, without "infotorch.".
        call: takes the arguments by name; several of one `*parameter` as a tuple of that name.
        examples: parameter -> a maker of a valid value; others keep their default.
        parameters: all parameters.
        draws: may move torch's global generator, as `nn.Linear` and `nn.Dropout` do.
    """

    name: str
    call: Callable[..., object]
    examples: dict[str, Callable[[], Any]] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    draws: bool = False


def targets() -> list[Target]:
    """All of them, in the order of their names."""
    found: dict[int, list[Target]] = {}
    for package in ("", *(name for name in infotorch.PACKAGES if name not in NOT_CALLED)):
        module = importlib.import_module(f"infotorch.{package}" if package else "infotorch")
        for name in module.HOMES:
            value, full = getattr(module, name), f"{package}.{name}".lstrip(".")
            if inspect.isfunction(value):
                found.setdefault(id(value), [_target(full, name, value)])
            elif inspect.isclass(value) and not issubclass(value, BaseException):
                found.setdefault(id(value), list(_of_class(full, name, value)))
    return sorted((target for each in found.values() for target in each), key=lambda target: target.name)


def _of_class(full: str, name: str, cls: type) -> Iterator[Target]:
    if cls in ABSTRACT:
        return
    make = _target(full, name, cls)
    if not getattr(cls, "__abstractmethods__", None):
        yield Target(full, _used(make.call, name), make.examples, make.parameters, make.draws)

    def instance() -> Any:
        if f"{name}()" in EXAMPLES:
            return EXAMPLES[f"{name}()"]()
        made = make.call(**{key: value() for key, value in make.examples.items()})
        return _prepared(made, name)

    for key, held in _methods(cls).items():
        if isinstance(held, classmethod | staticmethod):
            yield _target(f"{full}.{key}", f"{name}.{key}", getattr(cls, key))
        elif inspect.isfunction(held):
            target = _target(f"{full}.{key}", f"{name}.{key}", held, bound=True)
            call = functools.partial(_on, instance, target.call)
            yield Target(target.name, call, target.examples, target.parameters, make.draws)


def _on(instance: Callable[[], Any], call: Callable[..., object], **arguments: Any) -> object:
    return call(instance(), **arguments)


def _methods(cls: type) -> dict[str, Any]:
    """Public methods that our classes define; a module is called, not its forward, and what nobody defines is not."""
    ours = [base for base in reversed(cls.__mro__) if base.__module__.startswith("infotorch")]
    if issubclass(cls, Objective):
        ours = [base for base in ours if base is not Objective]
    held = {key: value for base in ours for key, value in vars(base).items() if _is_public(key)}
    if issubclass(cls, nn.Module) and held.pop("forward", None) is not None:
        held["__call__"] = vars(Objective)["__call__"] if issubclass(cls, Objective) else cls.forward
    return held


def _is_public(name: str) -> bool:
    return name not in LEFT_OUT and (not name.startswith("_") or name in {"__call__", "__len__", "__getitem__"})


def _target(full: str, short: str, function: Callable[..., Any], *, bound: bool = False) -> Target:
    try:
        signature = inspect.signature(function)
    except ValueError:
        return Target(full, function)
    parameters = list(signature.parameters.values())[1 if bound else 0 :]
    hints = _hints(function)
    examples: dict[str, Callable[[], Any]] = {}
    for one in parameters:
        if one.kind is inspect.Parameter.VAR_KEYWORD or (one.name == "args" and one.kind is one.VAR_POSITIONAL):
            continue
        owner = short.partition(".")[0]
        maker = EXAMPLES.get(f"{short}.{one.name}") or EXAMPLES.get(f"{owner}.{one.name}")
        if one.name in {"batch", "example"}:
            maker = functools.partial(batch_of, owner)
        if maker is None and (one.default is one.empty or one.name in EXAMPLES["small"]):
            maker = EXAMPLES.get(one.name) or _of_hint(hints.get(one.name))
        if maker is not None:
            examples[one.name] = maker
    starred = next((one.name for one in parameters if one.kind is one.VAR_POSITIONAL and one.name != "args"), None)
    positional = [one.name for one in parameters if one.kind is one.POSITIONAL_ONLY]

    def call(*first: Any, **arguments: Any) -> object:
        more = list(arguments.pop(starred, ())) if starred else []
        return function(*first, *(arguments.pop(name) for name in positional), *more, **arguments)

    names = tuple(one.name for one in parameters if one.kind is not one.VAR_KEYWORD and one.name != "args")
    return Target(full, call, examples, names, any(part in full for part in DRAWING))


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    held = function.__init__ if inspect.isclass(function) and not is_dataclass(function) else function
    try:
        return typing.get_type_hints(held)
    except (NameError, TypeError):
        return {}


def _of_hint(hint: Any) -> Callable[[], Any]:
    """A valid value of a plain type: what records are made of."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return lambda: inside[0]
    if origin in (typing.Union, types.UnionType):
        return _of_hint(inside[0])
    plain = {bool: False, int: 3, float: 0.5, str: "name"}
    if hint in plain:
        return lambda: plain[hint]
    if hint is Tensor:
        return lambda: torch.ones(3)
    if origin is tuple:
        return lambda: tuple(_of_hint(each)() for each in inside if each is not ...)
    if origin is dict:
        return lambda: {_of_hint(inside[0])(): _of_hint(inside[1])()}
    if inspect.isclass(hint) and is_dataclass(hint):
        own = typing.get_type_hints(hint)
        return lambda: hint(**{key: _of_hint(own[key])() for key in hint.__dataclass_fields__ if key in own})
    return lambda: None


def _prepared(made: Any, name: str) -> Any:
    """An objective built on a batch of its kind; others as they are."""
    if isinstance(made, Objective):
        batch = batch_of(name)
        made.build(made.sees(batch), batch.y)
    return made


def _used(make: Callable[..., Any], name: str) -> Callable[..., object]:
    """A constructor whose object is used at once, so that a setting that is no setting cannot wait in it."""

    def call(**arguments: Any) -> object:
        made = make(**arguments)
        if isinstance(made, Objective) and type(made) is not Objective:
            batch = batch_of(name)
            made.build(made.sees(batch), batch.y)
            return made(batch)
        if isinstance(made, infotorch.distributions.JointLaw):
            return made.sample(5, torch.Generator().manual_seed(0)), made.mutual_information()
        if isinstance(made, nn.Module | BaseEstimator) and f"use {name}" in EXAMPLES:
            return EXAMPLES[f"use {name}"](made)
        return made

    return call
