"""All that a call can change, as it was: what some objects reach in the heap, and the process's random streams.

A closure cannot be copied in general, so a stranger's step is run on its own objects, and everything that it reaches is
put back: tensors, with their gradients, arrays, dicts, lists, sets, attributes, the cells of closures, the global names
that a function reads, in its own file and in other files of the user's, and generators. Python's iterators cannot be
put back.
"""

from __future__ import annotations

import functools
import pickle
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

#: Of the standard library, whose objects lead to the whole interpreter, these hold what users keep.
_OPENED = {"builtins", "collections", "functools", "random", "types"}
#: Classes and functions of these hold no state of a user's, but in closures.
# Code that was run by `exec` without a name says "builtins", which itself has no function or class written in Python.
_STATELESS = {"infotorch", *sys.stdlib_module_names} - {"__main__", "builtins"}
_WRITTEN_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_UNSET = object()


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal in every bit: NaN equals itself, and 0.0 is not -0.0.

    Example:
        >>> same_bits(torch.tensor([torch.nan]), torch.tensor([torch.nan])), same_bits(torch.zeros(1), -torch.zeros(1))
        (True, False)
    """
    if one.shape != other.shape or one.dtype != other.dtype or one.layout != other.layout:
        return False
    if one.layout != torch.strided:
        return same_bits(one.to_dense(), other.to_dense())
    pair = (tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other))
    return torch.equal(*pair)


class Stream:
    """A random stream: a generator of torch, numpy or Python, or the global one of `random` or `numpy.random`.

    Example:
        >>> stream = Stream(torch.Generator().manual_seed(0), "mine")
        >>> before = stream.state()
        >>> stream.draw()
        >>> stream.has_moved(before)
        True
        >>> stream.restore(before)
        >>> stream.has_moved(before)
        False
    """

    def __init__(self, source: Any, name: str) -> None:
        self.source, self.name = source, name

    def state(self) -> Any:
        """Where it stands."""
        if isinstance(self.source, np.random.Generator):
            return self.source.bit_generator.state
        return self.source.getstate() if hasattr(self.source, "getstate") else self.source.get_state()

    def restore(self, state: Any) -> None:
        """Go back to where it stood."""
        if isinstance(self.source, np.random.Generator):
            self.source.bit_generator.state = state
        elif hasattr(self.source, "setstate"):
            self.source.setstate(state)
        else:
            self.source.set_state(state)

    def has_moved(self, since: Any) -> bool:
        """Whether it stands elsewhere."""
        now = self.state()
        return not torch.equal(now, since) if isinstance(now, Tensor) else pickle.dumps(now) != pickle.dumps(since)

    def draw(self) -> None:
        """Take one number."""
        if isinstance(self.source, torch.Generator):
            torch.rand((), generator=self.source, device=self.source.device)
        else:
            self.source.random()


def global_streams() -> list[Stream]:
    """The process's own: torch's for every device in use, `random` and `numpy.random`."""
    found = [Stream(torch.default_generator, "torch's global stream")]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found += [
            Stream(one, f"torch's global stream of cuda:{n}") for n, one in enumerate(torch.cuda.default_generators)
        ]
    return [*found, Stream(random, "random"), Stream(np.random, "numpy.random")]


class ReachedState:
    """What some objects reach, as it is now; `restore` puts all of it back.

    Args:
        roots: functions, modules, or anything else.

    Attributes:
        tensors: every tensor that was reached.
        streams: the global random streams, and the generators that were reached.

    Example:
        >>> seen, weight = [], torch.zeros(2)
        >>> def made(weight):
        ...     return lambda: seen.append(weight.add_(1))
        >>> step = made(weight)
        >>> state = ReachedState(step, seen)
        >>> step()
        >>> state.restore()
        >>> seen, weight
        ([], tensor([0., 0.]))
    """

    def __init__(self, *roots: object) -> None:
        self.tensors: list[Tensor] = []
        self.streams = global_streams()
        self._returns: list[Callable[[], None]] = []
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._held: dict[int, object] = {}  # also keeps an id from being given twice
        waiting: list[object] = list(roots)
        while waiting:
            thing = waiting.pop()
            if id(thing) not in self._held:
                self._held[id(thing)] = thing
                waiting.extend(self._take(thing))
        for stream in self.streams:
            self._returns.append(functools.partial(stream.restore, stream.state()))

    @property
    def objects(self) -> list[object]:
        """All that was reached."""
        return list(self._held.values())

    def restore(self) -> None:
        """Put everything back."""
        with torch.no_grad():
            for back in self._returns:
                back()

    def moved(self) -> list[Tensor]:
        """The tensors that are other than they were."""
        return [tensor for tensor, kept in self._kept if not same_bits(tensor, kept)]

    def _take(self, thing: Any) -> Iterable[object]:
        """Remember one object; what it leads to."""
        if thing is None or isinstance(thing, str | bytes | int | float | complex | types.ModuleType):
            return ()
        if isinstance(thing, type):
            return self._take_class(thing)
        if isinstance(thing, Tensor):
            return self._take_tensor(thing)
        if isinstance(thing, np.ndarray):
            return self._take_array(thing)
        if isinstance(thing, torch.Generator | np.random.Generator | np.random.RandomState | random.Random):
            if all(thing is not stream.source for stream in self.streams):
                self.streams.append(Stream(thing, f"a {type(thing).__module__}.{type(thing).__qualname__}"))
            return ()
        if isinstance(thing, types.FunctionType):
            return self._take_function(thing)
        if isinstance(thing, types.MethodType | types.BuiltinMethodType):
            return (thing.__self__, getattr(thing, "__func__", None))
        if isinstance(thing, types.CellType):
            return self._take_cell(thing)
        if isinstance(thing, tuple | frozenset):
            return tuple(thing)
        if type(thing) in {list, set, deque}:
            return self._take_values(thing)
        if isinstance(thing, dict):
            return (*self._take_dict(thing), *self._take_object(thing))
        return self._take_object(thing)

    def _take_tensor(self, tensor: Tensor) -> Iterable[object]:
        self.tensors.append(tensor)
        if torch.nn.parameter.is_lazy(tensor) or tensor.is_inference():
            return ()
        data, kept = tensor.detach(), tensor.detach().clone()
        grad, needs = (tensor.grad, tensor.requires_grad) if tensor.is_leaf else (None, False)

        def back() -> None:
            if tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape:
                tensor.data = data
            if not same_bits(data, kept):
                data.copy_(kept)
            if tensor.is_leaf:
                tensor.requires_grad_(needs)
                tensor.grad = grad

        self._kept.append((tensor, kept))
        self._returns.append(back)
        return (grad, *vars(tensor).values())

    def _take_array(self, array: np.ndarray) -> Iterable[object]:
        kept = array.copy()

        def back() -> None:
            if array.flags.writeable and array.tobytes() != kept.tobytes():
                array[...] = kept

        if array.dtype != object:
            self._returns.append(back)
        return ()

    def _take_function(self, function: types.FunctionType) -> Iterable[object]:
        inner = (function.__closure__, function.__defaults__, function.__kwdefaults__, function.__dict__)
        if _is_stateless(function.__module__):
            return inner
        names, found = _names_in(function.__code__), []
        for space in _spaces(function.__globals__, names):
            for name in names & space.keys():
                self._returns.append(functools.partial(space.__setitem__, name, space[name]))
                found.append(space[name])
        return (*inner, *found)

    def _take_class(self, kind: type) -> Iterable[object]:
        """What a user's class holds, and what its functions reach."""
        if _is_stateless(kind.__module__) or not kind.__flags__ & _WRITTEN_IN_PYTHON:
            return ()
        held = {name: value for name, value in vars(kind).items() if not name.startswith("__") or callable(value)}
        values = {name: getattr(value, "__func__", getattr(value, "fget", value)) for name, value in held.items()}

        def back() -> None:
            for name, value in held.items():
                if vars(kind).get(name) is not value:
                    setattr(kind, name, value)

        self._returns.append(back)
        return tuple(values.values())

    def _take_cell(self, cell: types.CellType) -> Iterable[object]:
        try:
            held = cell.cell_contents
        except ValueError:  # nothing was put into it yet
            return ()
        self._returns.append(functools.partial(setattr, cell, "cell_contents", held))
        return (held,)

    def _take_values(self, values: Any) -> Iterable[object]:
        kept = list(values)

        def back() -> None:
            if len(values) != len(kept) or any(a is not b for a, b in zip(values, kept, strict=False)):
                values.clear()
                values.update(kept) if isinstance(values, set) else values.extend(kept)

        self._returns.append(back)
        return kept

    def _take_dict(self, held: dict[Any, Any]) -> Iterable[object]:
        kept = dict(held)

        def back() -> None:
            if len(held) != len(kept) or any(held.get(key, _UNSET) is not value for key, value in kept.items()):
                held.clear()
                held.update(kept)

        self._returns.append(back)
        return (*kept.keys(), *kept.values())

    def _take_object(self, thing: Any) -> Iterable[object]:
        home = type(thing).__module__.partition(".")[0]
        closed = home in sys.stdlib_module_names and home not in _OPENED
        if closed or (type(thing).__module__.startswith("torch.fx") and not isinstance(thing, nn.Module)):
            return ()
        attributes = getattr(thing, "__dict__", None)
        found: list[object] = list(self._take_dict(attributes)) if isinstance(attributes, dict) else []
        found += [one for one in type(thing).__mro__ if not _is_stateless(one.__module__)]
        if isinstance(thing, list | set | deque):  # of a class of its own
            found += self._take_values(thing)
        if isinstance(thing, functools.partial):
            found += [thing.func, thing.args, thing.keywords]
        for slot in _slots_of(type(thing)):
            value = getattr(thing, slot, _UNSET)
            if value is not _UNSET:
                self._returns.append(functools.partial(object.__setattr__, thing, slot, value))
                found.append(value)
        return found


@functools.cache
def _is_stateless(module: str | None) -> bool:
    """Whether what a module defines is the standard library's or an installed package's, not a user's own."""
    package = (module or "__main__").partition(".")[0]
    if package in _STATELESS or package == "__main__":  # a notebook's main program lies among installed packages
        return package in _STATELESS
    return "site-packages" in Path(getattr(sys.modules.get(package), "__file__", None) or "").parts


def _names_in(code: types.CodeType) -> set[str]:
    """The global names, and the attributes, that a function and those within it read."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names_in, inner))


def _spaces(space: dict[str, Any], names: set[str]) -> list[dict[str, Any]]:
    """A function's global names, and those of the user's modules that it finds among them: `training.step(x, y)`."""
    found = [space]
    for held in found:  # which grows: a module leads to modules
        for name in names & held.keys():
            value = held[name]
            own = isinstance(value, types.ModuleType) and not _is_stateless(value.__name__)
            if own and not any(vars(value) is known for known in found):
                found.append(vars(value))
    return found


def _slots_of(kind: type) -> list[str]:
    slots = (vars(one).get("__slots__", ()) for one in kind.__mro__ if one.__module__.partition(".")[0] != "builtins")
    names = [name for held in slots for name in ([held] if isinstance(held, str) else held)]
    return [name for name in names if not name.startswith("__")]
