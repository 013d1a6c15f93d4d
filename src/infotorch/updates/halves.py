"""The halves of a split network: their step sizes, and the optimisers that move their weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infotorch.numerics.checks import check_positive, shown
from infotorch.updates.gradient import OptimizerFactory, check_steps_by_gradients


def step_sizes_of(given: Any, bottlenecks: int) -> tuple[float, ...]:
    """One step size for each bottleneck, of one number for all or of as many numbers.

    Raises:
        TypeError: neither a number nor a sequence of numbers.
        ValueError: one that is not positive and finite, or another number of them.

    Example:
        >>> step_sizes_of(0.5, 2)
        (0.5, 0.5)
    """
    where = "ProximalSplit"
    if isinstance(given, str) or not isinstance(given, Real | Iterable):
        raise TypeError(f"{where}: step_size must be a number, or one for each bottleneck, got {shown(given)}.")
    if isinstance(given, Real) or (isinstance(given, Tensor) and given.ndim == 0):
        given = [given] * bottlenecks
    steps: list[Any] = [step.item() if isinstance(step, Tensor) and step.ndim == 0 else step for step in given]
    if not bottlenecks or len(steps) != bottlenecks:
        raise ValueError(f"{where}: {bottlenecks} bottlenecks need as many step sizes, got {len(steps)}.")
    for step in steps:
        check_positive(step, where=where, name="step_size")
    return tuple(float(step) for step in steps)


def modules_of(forward: Any, backward: Any) -> tuple[nn.Module, ...]:
    """The modules before each bottleneck: of one module, or of a sequence of them.

    Raises:
        TypeError: what is given for a half is no module, or no sequence of modules.
        ValueError: an empty sequence.

    Example:
        >>> len(modules_of([nn.Linear(2, 3), nn.Tanh()], nn.Linear(3, 1)))
        2
    """
    # A module of the user's own may be iterable, or a ModuleList with a forward.
    chain = type(forward) is nn.ModuleList or (isinstance(forward, Iterable) and not isinstance(forward, nn.Module))
    modules: tuple[Any, ...] = tuple(forward) if chain else (forward,)
    if not modules:
        raise ValueError("ProximalSplit: forward must hold one module or more, got none.")
    for name, module in (*(("forward", module) for module in modules), ("backward", backward)):
        if not isinstance(module, nn.Module):
            got = type(module).__name__
            what = "a module or a sequence of them" if name == "forward" else "a module"
            raise TypeError(f"ProximalSplit: {name} must be {what}, got {got}.")
    return modules


def names_of(layers: Any, model: Any) -> tuple[str, ...]:
    """The names of layers of a model: of one name, or of a sequence of them.

    Raises:
        TypeError: neither, or no module.
        ValueError: no name.

    Example:
        >>> names_of("2", nn.Sequential()), names_of(["2", "4"], nn.Sequential())
        (('2',), ('2', '4'))
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"ProximalSplit.at: model must be a module, got {type(model).__name__}.")
    names = tuple(layers) if isinstance(layers, Iterable) and not isinstance(layers, str) else (layers,)
    if not names:
        raise ValueError("ProximalSplit.at: layers must name one layer or more, got none.")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"ProximalSplit.at: layers must be names of layers, got {type(name).__name__}.")
    return names


def optimizers_of(
    forwards: Sequence[nn.Module],
    backward: nn.Module,
    forward_optimizer: Optimizer | OptimizerFactory,
    backward_optimizer: Optimizer | OptimizerFactory,
) -> tuple[Optimizer, Optimizer]:
    """The optimisers of both halves: that of `forwards` holds their weights alone, that of `backward` may hold more.

    Raises:
        TypeError: an optimiser that is none, and makes none.
        ValueError: a half without weights to train, an optimiser that does not hold all of its half's, one that holds
            the other half's, or one whose step asks for more than gradients.
    """
    first = _optimizer("forward", forward_optimizer, forwards)
    second = _optimizer("backward", backward_optimizer, [backward])
    own = trained(forwards)
    twice = _names(own, _ids(parameters_of(second)))
    if twice:
        raise ValueError(f"ProximalSplit: backward_optimizer holds {_few(twice)} of forward, which would move twice.")
    if _ids(parameters_of(first)) - _ids(parameter for _, parameter in own):
        raise ValueError("ProximalSplit: forward_optimizer holds parameters that are not forward's.")
    return first, second


def trained(modules: Sequence[nn.Module]) -> list[tuple[str, nn.Parameter]]:
    """Names and values of the trainable parameters; a layer of a `Segment` has its name in the network.

    Example:
        >>> [name for name, _ in trained([nn.Linear(2, 3)])]
        ['weight', 'bias']
    """
    return [
        (name.removeprefix("training_graph."), parameter)
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    ]


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """What the optimiser moves."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


def add_gradients(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    """Add to each parameter's gradient; None adds nothing.

    Example:
        >>> weight = nn.Parameter(torch.ones(1))
        >>> add_gradients([weight, weight], [torch.ones(1), None])
        >>> weight.grad
        tensor([1.])
    """
    held: set[int] = set()
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            own = _own(gradient, parameter, held)
            parameter.grad = own if parameter.grad is None else parameter.grad + own


def _own(gradient: Tensor, parameter: Tensor, held: set[int]) -> Tensor:
    """The gradient laid out as its weight, in memory that no other has, as `backward` leaves it.

    What autograd hands out may be one tensor for two weights, or one number for many entries: clipping would scale it
    twice or fail, and fused optimisers would read beyond it.
    """
    if gradient.layout != torch.strided:
        return gradient
    place = gradient.untyped_storage().data_ptr()
    if place in held or gradient.stride() != parameter.stride():
        return torch.empty_like(parameter, dtype=gradient.dtype).copy_(gradient)
    held.add(place)
    return gradient


def check_reached(
    name: str,
    modules: Sequence[nn.Module],
    parameters: Sequence[nn.Parameter],
    gradients: Sequence[Tensor | None],
) -> None:
    """Refuse weights that no gradient reaches: they would keep their values, and weight decay alone would move them.

    Args:
        name: of the half.
        modules: its modules.
        parameters: their trainable weights, and maybe others.
        gradients: of these weights; None where the loss does not depend on one.

    Raises:
        ValueError: naming them.
    """
    reached = _ids(p for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None)
    unused = [key for key, parameter in trained(modules) if id(parameter) not in reached]
    if unused:
        raise ValueError(
            f"ProximalSplit: the loss does not depend on {_few(unused)} of {name}; "
            "freeze them (requires_grad_(False)) or take them out."
        )


def putting_back(optimizer: Optimizer) -> Callable[[], None]:
    """What undoes the optimiser's next step: its weights, state and settings are as they are now.

    Example:
        >>> weight = nn.Parameter(torch.ones(1))
        >>> optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
        >>> put_back, weight.grad = putting_back(optimizer), torch.ones(1)
        >>> optimizer.step()
        >>> put_back()
        >>> weight.item(), len(optimizer.state)
        (1.0, 0)
    """
    weights = [(parameter, parameter.detach().clone()) for parameter in parameters_of(optimizer)]
    state = {key: copy.deepcopy(values) for key, values in optimizer.state.items()}
    settings = [{k: copy.deepcopy(v) for k, v in group.items() if k != "params"} for group in optimizer.param_groups]

    def put_back() -> None:
        with torch.no_grad():
            for parameter, value in weights:
                parameter.copy_(value)
        optimizer.state.clear()
        optimizer.state.update(state)
        for group, kept in zip(optimizer.param_groups, settings, strict=True):
            group.update(kept)
        torch.clear_autocast_cache()

    return put_back


def _optimizer(name: str, given: Optimizer | OptimizerFactory, modules: Sequence[nn.Module]) -> Optimizer:
    own = trained(modules)
    if not own:
        raise ValueError(f"ProximalSplit: {name} has no parameter to train.")
    optimizer: Any = given
    of_another_kind = isinstance(given, type) and not issubclass(given, Optimizer)
    if not isinstance(given, Optimizer) and callable(given) and not of_another_kind:
        optimizer = optimizer([parameter for _, parameter in own])
    if not isinstance(optimizer, Optimizer):
        got = type(optimizer).__name__
        raise TypeError(f"ProximalSplit: {name}_optimizer must be or make a torch optimiser, got {got}.")
    missing = _names(own, _ids(p for _, p in own) - _ids(parameters_of(optimizer)))
    if missing:
        raise ValueError(f"ProximalSplit: {name}_optimizer does not hold {_few(missing)} of {name}.")
    check_steps_by_gradients(optimizer, where=f"ProximalSplit: {name}_optimizer", step="a split step")
    return optimizer


def _ids(parameters: Iterable[nn.Parameter]) -> set[int]:
    return {id(parameter) for parameter in parameters}


def _names(named: Sequence[tuple[str, nn.Parameter]], ids: set[int]) -> list[str]:
    return [name for name, parameter in named if id(parameter) in ids]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3])
