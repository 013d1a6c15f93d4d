"""The calls of some modules' layers: what goes into them, and what moves while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from infotorch.diagnostics.reached_state import Stream, same_bits

#: Changes the tensors that go into a call.
Changing = Callable[[Tensor], Tensor]


@contextmanager
def calls_of(
    module: nn.Module,
    *,
    besides: Iterable[nn.Module] = (),
    change: Changing | None = None,
    within: bool = False,
    entering: Callable[[], None] = lambda: None,
    leaving: Callable[[], None] = lambda: None,
) -> Iterator[list[int]]:
    """A context that is told of every call of a module's layers from outside of it, the module's own among them.

    Args:
        module: whose layers; a mere list of layers is no layer.
        besides: modules whose layers do not count: an activation that several hold may run for any of them.
        change: of every tensor that goes into such a call.
        within: change what goes into calls within such calls, too.
        entering: before each such call.
        leaving: after it.

    Yields:
        A list of one number, how many calls there were.

    Example:
        >>> layers = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 1)])
        >>> with calls_of(layers) as count:
        ...     _ = layers[1](layers[0](torch.ones(1, 2)))
        >>> count
        [2]
    """
    count, depth = [0], [0]

    def before(_: nn.Module, args: Any, kwargs: Any) -> Any:
        depth[0] += 1
        if depth[0] == 1:
            count[0] += 1
            entering()
        if change is None or not (within or depth[0] == 1):
            return None
        return tree_map_only(Tensor, change, (args, kwargs))

    def after(*_: object) -> None:
        depth[0] -= 1
        if depth[0] == 0:
            leaving()

    elsewhere = {layer for other in besides for layer in other.modules()}
    with ExitStack() as hooks:
        for layer in dict.fromkeys(layer for layer in module.modules() if layer not in elsewhere):
            if not isinstance(layer, torch.jit.ScriptModule):
                hooks.callback(layer.register_forward_pre_hook(before, with_kwargs=True).remove)
                hooks.callback(layer.register_forward_hook(after, always_call=True).remove)
        yield count


def shuffled_input(tensor: Tensor) -> Tensor:
    """Every sample with another's values, and real numbers at half their size: other values of the same kind.

    Example:
        >>> shuffled_input(torch.tensor([2.0, 4.0]))
        tensor([2., 1.])
    """
    rolled = tensor.roll(1, 0) if tensor.ndim else tensor
    return rolled * 0.5 if rolled.is_floating_point() else rolled


@dataclass
class Seen:
    """What was seen of the modules' calls in one trial.

    Attributes:
        calls: module -> how often its layers were called.
        gradients: (module whose call a gradient left, module whose weights it goes on to) -> its largest entry.
        buffers: (module that ran, module whose buffer moved) -> the buffers' names.
        weights: the same of parameters that were written.
        streams: module -> the random streams that moved in its calls.
    """

    calls: dict[str, list[int]] = field(default_factory=dict)
    gradients: dict[tuple[str, str], float] = field(default_factory=dict)
    buffers: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    weights: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    streams: dict[str, list[Stream]] = field(default_factory=dict)


@contextmanager
def watching(parts: Mapping[str, nn.Module], streams: list[Stream]) -> Iterator[Seen]:
    """A context that sees what crosses between modules: gradients, writes into buffers, draws."""
    seen = Seen()
    with ExitStack() as stack:
        for name, part in parts.items():
            watch = _Watch(name, parts, streams, seen, stack)
            calls = calls_of(
                part,
                besides=watch.others.values(),
                change=watch.passing,
                within=True,
                entering=watch.entering,
                leaving=watch.leaving,
            )
            seen.calls[name] = stack.enter_context(calls)
        yield seen


class _Watch:
    """What one module's calls do to the others."""

    def __init__(
        self, name: str, parts: Mapping[str, nn.Module], streams: list[Stream], seen: Seen, hooks: ExitStack
    ) -> None:
        self.name, self.streams, self.seen, self.hooks = name, streams, seen, hooks
        self.others = {other: part for other, part in parts.items() if other != name}
        self.owner = {id(weight): other for other, part in self.others.items() for weight in part.parameters()}
        self.own = {id(weight) for weight in parts[name].parameters()}
        self.awaited: set[int] = set()
        self.passed: dict[int, float] = {}
        self.before: tuple[dict[str, dict[str, Tensor]], dict[str, dict[str, int]], list[Any]] = ({}, {}, [])

    def passing(self, tensor: Tensor) -> Tensor:
        """The same tensor, through a node of its own, which sees the gradients of this call alone."""
        leaves = _leaves_behind(tensor)
        reached = {leaf: weight for leaf, weight in leaves.items() if leaf in self.owner}
        if not reached:
            return tensor
        passed = tensor.view_as(tensor)
        if not passed.requires_grad:
            return passed
        if leaves.keys() & self.own:
            passed.register_hook(self._may_cross)
            for leaf in reached.keys() - self.awaited:
                self.awaited.add(leaf)
                told = reached[leaf].register_hook(partial(self._has_crossed, self.owner[leaf]))
                self.hooks.callback(told.remove)
        else:
            passed.register_hook(partial(self._crosses, {self.owner[leaf] for leaf in reached}))
        return passed

    def _crosses(self, reached: set[str], gradient: Tensor) -> None:
        for other in reached:
            self._note(other, _largest(gradient))

    def _may_cross(self, gradient: Tensor) -> None:
        # Behind this tensor are the module's own weights, too: `autograd.grad(loss, own)` may want no more than these.
        task = torch._C._current_graph_task_id()
        self.passed[task] = max(self.passed.get(task, 0.0), _largest(gradient))

    def _has_crossed(self, other: str, _: Tensor) -> None:
        if (task := torch._C._current_graph_task_id()) in self.passed:
            self._note(other, self.passed[task])

    def _note(self, other: str, size: float) -> None:
        pair = (self.name, other)
        self.seen.gradients[pair] = max(self.seen.gradients.get(pair, 0.0), size)

    def entering(self) -> None:
        self.before = (
            {other: _buffers(part) for other, part in self.others.items()},
            {other: _versions(part) for other, part in self.others.items()},
            [stream.state() for stream in self.streams],
        )

    def leaving(self) -> None:
        held, versions, states = self.before
        for other, part in self.others.items():
            now = _buffers(part)
            moved = {name for name, kept in held[other].items() if name in now and not same_bits(now[name], kept)}
            if moved:
                self.seen.buffers.setdefault((self.name, other), set()).update(moved)
            if written := {name for name, version in _versions(part).items() if versions[other].get(name) != version}:
                self.seen.weights.setdefault((self.name, other), set()).update(written)
        drawn = self.seen.streams.setdefault(self.name, [])
        drawn += [s for s, state in zip(self.streams, states, strict=True) if s not in drawn and s.has_moved(state)]


def _buffers(part: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.detach().clone() for name, buffer in part.named_buffers()}


def _versions(part: nn.Module) -> dict[str, int]:
    """How often each parameter was written in place, but through `.data`: no copies of what may be large."""
    return {name: parameter._version for name, parameter in part.named_parameters()}


def _largest(gradient: Tensor) -> float:
    return gradient.detach().abs().max().item() if gradient.numel() else 0.0


def _leaves_behind(tensor: Tensor) -> dict[int, Tensor]:
    """By their ids the leaves that a gradient of this tensor would reach."""
    if tensor.grad_fn is None:
        return {id(tensor): tensor} if tensor.requires_grad else {}
    found: dict[int, Tensor] = {}
    met, waiting = {tensor.grad_fn}, [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)  # a leaf's own node holds it
        if isinstance(leaf, Tensor):
            found[id(leaf)] = leaf
        following = {following for following, _ in node.next_functions if following is not None} - met
        met |= following
        waiting.extend(following)
    return found
