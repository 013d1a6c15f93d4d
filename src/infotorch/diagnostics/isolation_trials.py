"""A training step on the same samples again and again, each time with one thing changed, and what that moves."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from infotorch.diagnostics.held_labels import relabel
from infotorch.diagnostics.module_calls import Seen, calls_of, shuffled_input, watching
from infotorch.diagnostics.reached_state import ReachedState, Stream, same_bits
from infotorch.diagnostics.shared_tensors import share_memory, shared_with
from infotorch.numerics.process import alone

#: One update of all modules on the samples (x, y).
Step: TypeAlias = Callable[[Any, Any], object]
#: Step by step: module -> its tensors by name, as the step left them.
Trace: TypeAlias = list[dict[str, dict[str, Tensor]]]
#: What moves in one step may show in the next: a statistic, a random stream, an optimiser's state.
STEPS = 2
#: As far as scaled weights go: what is clipped, normalised or thresholded notices. Through many layers the first is
#: more than a number can hold, and a step may refuse it.
_LARGE, _SMALL = (1000.0, 10.0), (0.001, 0.1)


@dataclass(frozen=True)
class Moved:
    """What differs in one module's tensors between two trials.

    Attributes:
        difference: the largest, 0.0 where all bits are the same, infinite where one is not a number.
        tensors: the names of those that differ, the one that differs most first.
        error: why the trial could not be made, or "".
    """

    difference: float = 0.0
    tensors: tuple[str, ...] = ()
    error: str = ""


class Trials:
    """Trials of a step, each from the same state; after each, everything that the step reaches is as it was.

    Args:
        step: the step.
        parts: the modules by name, in their order.
        x: inputs of a batch.
        y: targets, or None.

    Attributes:
        repeats: whether the step does the same twice.
        moving: module -> the names of its tensors that the steps move.
        unlisted: tensors with gradients that the steps move, and no module holds.
        seen: what was seen crossing between modules.
        watch_error: why nothing was seen, or "".

    Raises:
        ValueError: the step fails on these samples.
    """

    def __init__(self, step: Step, parts: Mapping[str, nn.Module], x: Any, y: Any) -> None:
        self.step, self.parts = step, parts
        # What another network made of the samples has a graph behind it, and could not be copied.
        self.x, self.y = tree_map_only(Tensor, lambda tensor: tensor if tensor.is_leaf else tensor.detach(), (x, y))
        self.state = ReachedState(step, *parts.values())
        before = self._read()
        self.unlisted: list[Tensor] = []
        try:
            self.baseline = self._run(then=self._find_unlisted)
        except Exception as error:
            raise ValueError(f"audit_isolation: the step fails on these samples: {_told(error)}") from error
        self.moving = {
            name: {key for after in self.baseline for key in _compare(before[name], after[name]).tensors}
            for name in parts
        }
        self.seen, self.watch_error = Seen(), ""
        with watching(parts, self.state.streams) as self.seen:
            again = self.moved(nullcontext())
        self.watch_error = next((moved.error for moved in again.values() if moved.error), "")
        if any(moved.error or moved.tensors for moved in again.values()):  # by itself, or because it was watched
            again = self.moved(nullcontext())
        self.repeats = not any(moved.error or moved.tensors for moved in again.values())

    def all_other(self, name: str, streams: list[Stream]) -> dict[str, Moved]:
        """Module -> what moves in it with other weights of module `name`, other inputs to it and other draws."""
        calls = self._calls_of(name, change=shuffled_input, leaving=lambda: _draw(streams))

        def change() -> None:
            self._disturb(name)
            self._reorder(name)

        return self.moved(calls, change)

    def other_weights(self, name: str) -> dict[str, Moved]:
        """The same, for other weights alone."""
        return self.moved(nullcontext(), lambda: self._disturb(name))

    def other_integers(self, name: str) -> dict[str, Moved]:
        """The same, for its whole numbers and truths in another order: counts, masks, tables of places."""
        return self.moved(nullcontext(), lambda: self._reorder(name))

    def large_weights(self, name: str) -> dict[str, Moved]:
        """The same, when all numbers of module `name` are a thousand times as large; ten times if need be."""
        return self._scaled_weights(name, _LARGE)

    def small_weights(self, name: str) -> dict[str, Moved]:
        """The same, when they are a thousandth of their size; a tenth if need be."""
        return self._scaled_weights(name, _SMALL)

    def _scaled_weights(self, name: str, factors: tuple[float, ...]) -> dict[str, Moved]:
        found: dict[str, Moved] = {}
        for factor in factors:
            found = self.moved(nullcontext(), partial(self._scale, name, factor))
            if not any(moved.error for moved in found.values()):
                break
        return found

    def other_inputs(self, name: str) -> dict[str, Moved]:
        """The same, for other values that go into its layers."""
        return self.moved(self._calls_of(name, change=shuffled_input))

    def other_draws(self, name: str, streams: list[Stream]) -> dict[str, Moved]:
        """The same, when its layers draw one number more of each stream."""
        return self.moved(self._calls_of(name, leaving=lambda: _draw(streams)))

    def _calls_of(self, name: str, **told: Any) -> AbstractContextManager[object]:
        return calls_of(self.parts[name], besides=[p for other, p in self.parts.items() if other != name], **told)

    def other_labels(self, y: Any) -> dict[str, Moved]:
        """The same, for other labels, also where the step reads them of its own and not from its argument."""
        return self.moved(nullcontext(), lambda: self._relabel(y), y=y)

    def moved(
        self, around: AbstractContextManager[object], change: Callable[[], None] = lambda: None, **other: Any
    ) -> dict[str, Moved]:
        """Module -> what differs from the unchanged trial, in the first step that differs."""
        try:
            with around:
                found = self._run(change, **other)
        except Exception as error:  # the changed step may be one that cannot be taken, which proves nothing
            return dict.fromkeys(self.parts, Moved(error=_told(error)))
        result: dict[str, Moved] = {}
        for name in self.parts:
            differences = [_compare(a[name], b[name]) for a, b in zip(self.baseline, found, strict=True)]
            result[name] = next((moved for moved in differences if moved.tensors), Moved())
        return result

    def _run(
        self, change: Callable[[], None] = lambda: None, then: Callable[[], None] = lambda: None, **other: Any
    ) -> Trace:
        samples = {"x": self.x, "y": self.y} | other
        trace: Trace = []
        with ExitStack() as stack:
            for context in (alone(), warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad()):
                stack.enter_context(context)
            warnings.simplefilter("ignore")  # the step has said what it has to say to its owner
            stack.callback(self.state.restore)
            change()
            for _ in range(STEPS):
                self.step(*(copy.deepcopy(samples[name]) for name in ("x", "y")))
                trace.append(self._read())
            then()
        return trace

    def _find_unlisted(self) -> None:
        held = [tensor for part in self.parts.values() for tensor in tensors_of_module(part).values()]
        trained = [tensor for tensor in self.state.moved() if tensor.is_leaf and tensor.requires_grad]
        self.unlisted = [one for one in trained if not any(share_memory(one, tensor) for tensor in held)]

    def _read(self) -> dict[str, dict[str, Tensor]]:
        return {
            name: {key: tensor.detach().clone() for key, tensor in tensors_of_module(part).items()}
            for name, part in self.parts.items()
        }

    def _disturb(self, name: str) -> None:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self._own(name):
                if isinstance(weight, nn.Parameter):
                    size = weight.abs().float().square().mean().sqrt().item() or 0.1
                    kind = torch.complex64 if weight.is_complex() else torch.float32
                    noise = torch.randn(weight.shape, generator=generator, dtype=kind) * size
                    weight.add_(noise.to(weight.device, weight.dtype))

    def _reorder(self, name: str) -> None:
        """Places stay places in another order; a single number, of steps for example, is one more."""
        with torch.no_grad():
            for tensor in self._own(name, integers=True):
                if tensor.ndim > 0:
                    tensor.copy_(tensor.flatten().roll(1).view_as(tensor))
                elif tensor.dtype == torch.bool:
                    tensor.logical_not_()
                else:
                    tensor.add_(1)

    def _scale(self, name: str, factor: float) -> None:
        with torch.no_grad():
            for tensor in self._own(name):
                tensor.mul_(factor)

    def _relabel(self, y: Any) -> None:
        held = {id(tensor) for part in self.parts.values() for tensor in tensors_of_module(part).values()}
        relabel((thing for thing in self.state.objects if id(thing) not in held), self.y, y)

    def _own(self, name: str, *, integers: bool = False) -> list[Tensor]:
        """Real tensors of a module, or those of integers, that no other one holds: what is shared is seen as such."""
        others = {other: tensors_of_module(part) for other, part in self.parts.items() if other != name}
        own = tensors_of_module(self.parts[name])
        shared = {key for names in shared_with(own, others).values() for key in names}
        kept = {key: tensor for key, tensor in own.items() if key not in shared}
        return [t for t in kept.values() if (t.is_floating_point() or t.is_complex()) != integers]


def _draw(streams: list[Stream]) -> None:
    for stream in streams:
        stream.draw()


def tensors_of_module(part: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by their names.

    Example:
        >>> list(tensors_of_module(nn.BatchNorm1d(2)))
        ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """
    named = (*part.named_parameters(), *part.named_buffers())
    return {_shown(name): tensor for name, tensor in named}


def _shown(name: str) -> str:
    """Without the names of what stands around a user's layers."""
    around = ("body.", "training_graph.", "evaluation_graph.", "layers.")
    return ".".join(part for part in name.split(".") if f"{part}." not in around[:3]).replace("/", ".")


def _compare(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Moved:
    differences = {name: _largest(tensor, other.get(name)) for name, tensor in one.items()}
    moved = {name: value for name, value in differences.items() if value is not None}
    moved |= dict.fromkeys(set(other) - set(one), float("inf"))
    if not moved:
        return Moved()
    names = sorted(moved, key=lambda name: -moved[name])
    return Moved(moved[names[0]], tuple(names))


def _largest(one: Tensor, other: Tensor | None) -> float | None:
    """The largest difference of two tensors, None where every bit is the same."""
    if other is not None and same_bits(one, other):
        return None
    if other is None or one.shape != other.shape or one.is_complex() or one.numel() == 0:
        return float("inf")
    largest = (one.double() - other.double()).abs().max().item()
    return largest if largest == largest else float("inf")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
