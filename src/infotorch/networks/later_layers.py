"""The layers of a network behind a point, one after the other, and fresh copies of some of them.

A unit is a layer with weights and what follows it up to the next such layer: its norm, activation, pooling, and what
forward does in between. Units begin where one value alone crosses, so a residual block stays whole.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import Tensor, fx, nn

from infotorch.networks.crossing import divisible_at, pieces
from infotorch.networks.forward_inputs import FromGraph, main_output
from infotorch.networks.segments import Segment


@dataclass(frozen=True)
class LaterLayer:
    """A unit of the layers behind a point.

    Args:
        layers: the network's own, to be copied and not to be run.
        shape: of a sample that it takes.
    """

    layers: nn.Module
    shape: torch.Size


class _ByMode(nn.Module):
    """Layers whose forward differs between training and evaluation: a graph for each, on the same layers."""

    def __init__(self, trained: nn.Module, evaluated: nn.Module) -> None:
        super().__init__()
        self.trained, self.evaluated = trained, evaluated

    def forward(self, x: Tensor) -> Tensor:
        return self.trained(x) if self.training else self.evaluated(x)


def later_layers(bodies: Sequence[nn.Module], example: Tensor, *, where: str) -> list[LaterLayer]:
    """The units of the layers behind a point; the networks' own modules are left as they are.

    Args:
        bodies: what follows the point, in order: segments or modules of one input.
        example: the tensor at the point.
        where: named in errors.

    Raises:
        ValueError: a unit reads more than the one before it gives, two share a parameter or buffer, or one of them
            cannot be copied.

    Example:
        >>> tail = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> [tuple(unit.shape) for unit in later_layers([tail], torch.ones(5, 4), where="example")]
        [(4,), (3,)]
    """
    units = [unit for body in bodies for unit in _units(body, where)]
    _check_nothing_shared(units, where)
    found: list[LaterLayer] = []
    hidden = example.detach()
    for unit in units:
        found.append(LaterLayer(unit, hidden.shape[1:]))
        with torch.no_grad():
            hidden = _output_of(unit, hidden, where)
    return found


def _output_of(unit: nn.Module, hidden: Tensor, where: str) -> Tensor:
    """Of a copy, in evaluation mode: the layers themselves, and what they count, are left alone."""
    try:
        output = main_output(_copied(unit, where).eval()(hidden))
    except (RuntimeError, TypeError, LookupError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{where}: the layers behind the module must run one after the other on one tensor, and they do not take "
            f"{tuple(hidden.shape)}: {reason}"
        ) from error
    if not isinstance(output, Tensor):
        raise ValueError(f"{where}: the layers behind the module must give one tensor, got {type(output).__name__}.")
    return output


def _units(body: nn.Module, where: str) -> list[nn.Module]:
    if isinstance(body, Segment):
        return _units_of_segment(body, where)
    if isinstance(body, FromGraph):
        raise ValueError(f"{where}: layers that read a graph cannot be copied; use 'message-passing'.")
    if isinstance(body, nn.Sequential):
        starts = [number for number, layer in enumerate(body) if has_weights(layer)][1:]
        return [body[start:stop] for start, stop in pairwise([0, *starts, len(body)])]
    return [body]


def _units_of_segment(segment: Segment, where: str) -> list[nn.Module]:
    trained, evaluated = segment.training_graph, segment.evaluation_graph
    if trained is None or evaluated is None:
        assert segment.layers is not None
        return [layer for layer in segment.layers.values() if has_weights(layer)]
    for graph in (trained, evaluated):
        if sum(node.op == "placeholder" for node in graph.graph.nodes) != 1:
            raise ValueError(
                f"{where}: layers that read the network's raw input, edges or tensors of its own cannot be copied; use "
                "another auxiliary network."
            )
    possible = [_starts(graph) for graph in (trained, evaluated)]
    cuts = [name for name in possible[0] if name in possible[1]]
    return [
        one.graph if one.graph.code == other.graph.code else _ByMode(one.graph, other.graph)
        for one, other in zip(
            pieces(trained, trained.graph, cuts), pieces(evaluated, evaluated.graph, cuts), strict=True
        )
    ]


def _starts(graph: fx.GraphModule) -> list[str]:
    """The layers with weights, but for the first, at which one value alone crosses."""
    called = [str(node.target) for node in graph.graph.nodes if node.op == "call_module"]
    weighted = [name for name in dict.fromkeys(called) if has_weights(graph.get_submodule(name))]
    return divisible_at(graph.graph, weighted[1:])


def has_weights(layer: nn.Module) -> bool:
    """Whether it has parameters of two axes or more: a norm has none.

    Example:
        >>> has_weights(nn.Linear(2, 3)), has_weights(nn.BatchNorm1d(3))
        (True, False)
    """
    return any(parameter.ndim > 1 for parameter in layer.parameters())


def _check_nothing_shared(units: Iterable[nn.Module], where: str) -> None:
    owner: dict[int, tuple[int, str]] = {}
    for number, unit in enumerate(units):
        for name, tensor in chain(unit.named_parameters(), unit.named_buffers()):
            name = name.removeprefix("trained.").removeprefix("evaluated.")
            first, known_as = owner.setdefault(id(tensor), (number, name))
            if first != number:
                raise ValueError(
                    f"{where}: layers that share state cannot be copied one by one, and {known_as!r} and {name!r} are "
                    "one tensor; give a module of your own."
                )


def _copied(unit: nn.Module, where: str) -> nn.Module:
    for layer in unit.modules():
        hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
        if any(hooks):
            raise ValueError(
                f"{where}: a layer with hooks cannot be copied, as they may hold state of the network, got one on "
                f"{type(layer).__name__}; give a module of your own."
            )
    try:
        return copy.deepcopy(unit)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{where}: the layers behind the module cannot be copied ({error}).") from error


def fresh_copy(layers: nn.Module, *, where: str) -> nn.Module:
    """A copy that shares nothing with the layers, with parameters drawn anew by each layer's `reset_parameters`.

    Draws from torch's global generator. Nothing of the present weights is in the copy.

    Args:
        layers: the network's own; they are left as they are.
        where: named in errors.

    Raises:
        ValueError: a layer with hooks, or with a parameter that no `reset_parameters` draws anew.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> copied = fresh_copy(layer, where="example")
        >>> torch.equal(copied.weight, layer.weight), copied.weight.shape
        (False, torch.Size([2, 3]))
    """
    copied = _copied(layers, where).train()
    with torch.no_grad():
        for parameter in copied.parameters():
            # What no layer draws anew stays NaN, and is found.
            parameter.requires_grad_(True).fill_(torch.nan)
        for layer in reversed(list(copied.modules())):  # a layer after those that it holds
            reset = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
            if callable(reset):
                reset()
    for name, parameter in copied.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise ValueError(
                f"{where}: a copied layer starts from new weights, and no reset_parameters() draws "
                f"{name.removeprefix('trained.')!r}; give the layer one, or a module of your own."
            )
    return copied


def fitted(have: torch.Size, want: torch.Size, *, where: str) -> nn.Module | None:
    """What turns samples of one shape into those that a layer takes; None where they are those already.

    Grids are averaged to the wanted locations and mapped by a 1 x 1 convolution, vectors and tokens by a linear layer;
    a grid becomes a vector by averaging it to as many locations as the vector has entries for.

    Args:
        have: of a sample that there is.
        want: of a sample that is needed.
        where: named in errors.

    Raises:
        ValueError: no such map, as of a vector to a grid.

    Example:
        >>> fitted(torch.Size([8, 16, 16]), torch.Size([32, 4, 4]), where="example")(torch.ones(2, 8, 16, 16)).shape
        torch.Size([2, 32, 4, 4])
    """
    if have == want:
        return None
    layers = list(_fitting(have, want))
    if not layers:
        raise ValueError(
            f"{where}: samples of shape {tuple(have)} cannot be fitted to a layer that takes {tuple(want)}; give a "
            "module of your own."
        )
    return nn.Sequential(*layers)


def _fitting(have: torch.Size, want: torch.Size) -> Iterator[nn.Module]:
    if len(have) == len(want) == 3:
        if have[1:] != want[1:]:
            yield nn.AdaptiveAvgPool2d((want[1], want[2]))
        if have[0] != want[0]:
            yield nn.Conv2d(have[0], want[0], 1)
    elif len(want) == 1 and len(have) in {1, 3}:
        width = have[0]
        if len(have) == 3:
            side = max(1, min(int((want[0] / have[0]) ** 0.5), *have[1:]))
            width *= side * side
            yield nn.AdaptiveAvgPool2d(side)
            yield nn.Flatten()
        if width != want[0]:
            yield nn.Linear(width, want[0])
    elif len(have) == len(want) == 2 and have[0] == want[0]:
        yield nn.Linear(have[1], want[1])
