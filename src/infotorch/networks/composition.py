"""Whether the parts of a network, one after the other, still are that network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from infotorch.networks.forward_inputs import main_output, result_of, unpacked
from infotorch.networks.model_state import ModelState
from infotorch.networks.segments import Segment
from infotorch.numerics.seeds import SeedStreams


def check_composition(parts: Sequence[nn.Module], x: Any) -> None:
    """Refuse parts of a network that together give something else than the network does.

    A trace follows forward with symbols in place of values. What Python decides there by a value's type or attributes,
    as `isinstance(h, torch.Tensor)` does, may come out otherwise than in a run. So both run on x, in training and in
    evaluation mode, without gradients and from one random state; the network is left as it was. One that does not give
    the same twice tells nothing of its parts.

    Args:
        parts: all segments of one network, in their order; other parts are nobody's, and are not looked at.
        x: a raw input of the network.

    Raises:
        ValueError: they do not give the same values, for x.

    Example:
        >>> from infotorch.networks.segments import split
        >>> class Asks(nn.Sequential):
        ...     def forward(self, x):
        ...         h = self[0](x)
        ...         return self[1](h * 2 if isinstance(h, Tensor) else h)
        >>> check_composition(split(Asks(nn.Linear(2, 2), nn.Linear(2, 2)), ["1"]), torch.ones(3, 2))
        Traceback (most recent call last):
            ...
        ValueError: cuts: the parts of the Asks together give other values than it does. ...
    """
    segments = [part for part in parts if isinstance(part, Segment)]
    if len(segments) != len(parts) or not segments[0].are_all(segments):
        return
    network = segments[0].network
    if any(is_lazy(parameter) for parameter in network.parameters()):
        return
    for training in (True, False):
        try:
            wanted = _result(network, segments, x, training=training, whole=True)
        except Exception:  # the step that meets it says which module cannot take what
            continue
        found = _result(network, segments, x, training=training, whole=False)
        if _are_same(found, wanted):
            continue
        if _are_same(_result(network, segments, x, training=training, whole=True), wanted):
            raise ValueError(
                f"cuts: the parts of the {type(network).__name__} together give other values than it does. A trace "
                "does not see what forward decides by a value's type or attributes, such as isinstance(h, "
                "torch.Tensor) or hasattr(h, ...); decide by something else, cut elsewhere, or give the parts as "
                "modules of your own: ProximalSplit(f, g, ...), or the LocalModules of a Plan."
            )


def _result(network: nn.Module, segments: Sequence[Segment], x: Any, *, training: bool, whole: bool) -> Any:
    """What the whole network gives, or what its segments give."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    draws = SeedStreams(0).as_global_everywhere("composition", device=device)
    with torch.no_grad(), unpacked(), _left_as_it_was(network, segments), draws:
        network.train(training)
        if whole:
            return main_output(result_of(network, x))
        found = x
        for segment in segments:
            segment.training = training
            found = segment(found, x)
        return main_output(found)


@contextmanager
def _left_as_it_was(network: nn.Module, segments: Sequence[Segment]) -> Iterator[None]:
    state, modes = ModelState(network), [segment._mode for segment in segments]
    try:
        yield
    finally:
        state.restore()
        for segment, mode in zip(segments, modes, strict=True):
            segment._mode = mode


def _are_same(found: Any, wanted: Any) -> bool:
    one, other = ([leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)] for value in (found, wanted))
    return len(one) == len(other) and all(_is_close(a, b) for a, b in zip(one, other, strict=True))


def _is_close(found: Tensor, wanted: Tensor) -> bool:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    if not (wanted.is_floating_point() or wanted.is_complex()):
        return torch.equal(found, wanted)
    largest = wanted[wanted.isfinite()].abs().max() if wanted.isfinite().any() else 0.0
    tolerance = torch.finfo(wanted.dtype).eps ** 0.5 * float(largest)  # kernels may round otherwise
    return torch.allclose(found, wanted, rtol=0.0, atol=tolerance, equal_nan=True)
