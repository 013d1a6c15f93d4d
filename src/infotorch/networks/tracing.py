"""Trace a network's forward pass, and remember what of the network the trace depends on.

Tensors stay live: every buffer, parameter or plain tensor attribute is a node of the graph, which reads it anew in
every run. Numbers and other attributes decide what is traced; they are remembered as `Read`s, which tell whether a
trace still holds.
"""

from __future__ import annotations

import inspect
import operator
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from infotorch.networks.contexts import Condition, Contexts, LeftOut
from infotorch.networks.crossing import writes
from infotorch.networks.forward_inputs import TracedInputs
from infotorch.numerics.process import alone

# Where torch_geometric keeps its functions: pooling over the nodes of a graph, and what else a forward may call.
_GRAPH_MODULES = ("torch_geometric.nn", "torch_geometric.utils")
_OWN_ATTRIBUTES = {*vars(nn.Module()), *dir(nn.Module)}
# An attribute longer than this is watched as an object, and one nested deeper likewise.
_LONGEST, _DEEPEST = 1000, 6


class _Same:
    """Equal to what holds the same object."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    __hash__ = None  # pyright: ignore[reportAssignmentType]


@dataclass
class Read:
    """An attribute of a module, as a trace found it.

    Args:
        owner: the module.
        name: of the attribute.
        token: what it was, see `_token`.
    """

    owner: nn.Module
    name: str
    token: Any

    def holds(self) -> bool:
        """Whether the attribute is still what the trace found."""
        return hasattr(self.owner, self.name) and _token(getattr(self.owner, self.name)) == self.token


def _token(value: Any, depth: int = 0, seen: set[int] | None = None) -> Any:
    """Equal for two values that a trace cannot tell apart."""
    seen = set() if seen is None else seen
    if isinstance(value, Tensor):
        form = (value.shape, value.dtype, value.device)
        if depth == 0 and not isinstance(value, nn.Parameter):
            return form  # a buffer is read anew whenever the graph runs
        changes = 0 if depth == 0 or value.is_inference() else value._version
        return (_Same(value), form, changes)
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return (type(value), value)
    if id(value) in seen or depth > _DEEPEST:
        return _Same(value)
    seen.add(id(value))
    if isinstance(value, list | tuple | dict) and len(value) <= _LONGEST:
        entries = value if isinstance(value, list | tuple) else [*value.keys(), *value.values()]
        return (type(value), [_token(entry, depth + 1, seen) for entry in entries])
    if hasattr(value, "__dict__") and not isinstance(value, type | ModuleType | nn.Module):  # settings in an object
        return (_Same(value), _token(vars(value), depth + 1, seen))
    return _Same(value)


class _LiveTensor(fx.Proxy):
    """A tensor of the model within a trace. Its form is known, its values are those of the run."""

    def __init__(self, node: fx.Node, tracer: fx.Tracer, tensor: Tensor) -> None:
        super().__init__(node, tracer)
        self.__dict__.update({name: getattr(tensor, name) for name in ("shape", "ndim", "dtype", "device")})
        self.__dict__.update({name: getattr(tensor, name) for name in ("size", "dim", "numel", "is_floating_point")})
        self.__dict__["length"] = len(tensor) if tensor.ndim else None

    def __len__(self) -> int:
        if self.__dict__["length"] is None:
            raise TypeError("len() of a 0-d tensor")
        return self.__dict__["length"]

    # Other proxies have no such methods: Python would make `self.count += 1` a new value that nobody keeps.
    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})

    def __isub__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.isub, (self, other), {})

    def __imul__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.imul, (self, other), {})

    def __itruediv__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.itruediv, (self, other), {})

    def __iter__(self) -> Iterator[fx.Proxy]:
        return (self.tracer.create_proxy("call_function", operator.getitem, (self, n), {}) for n in range(len(self)))


class _CutTracer(fx.Tracer):
    """Looks only into modules that contain a cut; any other module is one opaque call."""

    def __init__(self, model: nn.Module, cuts: Sequence[str], inputs: TracedInputs) -> None:
        super().__init__(autowrap_functions=_graph_functions())
        # Where forward may find these functions: its file's own names, the package's ("gnn.global_mean_pool"), and the
        # model's attributes (the steps of torch_geometric's Sequential).
        holders: list[Any] = [sys.modules[name] for name in _GRAPH_MODULES if name in sys.modules]
        self._autowrap_search += [*holders, *model.modules()]
        self._cuts = cuts
        self._model = model
        self._inputs = inputs
        self._names = {id(tensor): name for name, tensor in _tensors_of(model)}
        self._live: dict[str, fx.Proxy] = {}
        self.reads: dict[tuple[int, str], Read] = {}
        self.contexts = Contexts(model)

    def create_args_for_root(
        self,
        root_fn: Callable[..., Any],
        is_module: bool,
        concrete_args: dict[str, Any] | tuple[Any, ...] | None = None,
    ) -> tuple[Callable[..., Any], list[Any]]:
        """What to call in place of forward, and its arguments.

        One that takes `*args` or `**kwargs` is called as users call it, with none: fx would make a symbol of each.
        """
        if not self._inputs.is_open:
            return super().create_args_for_root(root_fn, is_module, concrete_args)
        names, by_name = self._inputs.read()
        values = [self.create_proxy("placeholder", name, (), {}) for name in names]
        if not by_name:
            return root_fn, [self.root, *values]
        return (lambda model, *given: root_fn(model, **dict(zip(names, given, strict=True)))), [self.root, *values]

    def create_node(self, kind: str, *args: Any, **kwargs: Any) -> fx.Node:
        """A node of the graph, unless forward sets contexts around it that matter."""
        node = super().create_node(kind, *args, **kwargs)
        if kind.startswith("call_"):
            self.contexts.check(node)
        return node

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not any(cut.startswith(module_qualified_name + ".") for cut in self._cuts)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        """What `nn.Module.__getattr__` finds: a live tensor, or a layer."""
        return self.live(attr_val)

    def live(self, value: Any) -> Any:
        """A tensor of the model as a node of the graph; anything else as it is."""
        name = self._names.get(id(value)) if isinstance(value, Tensor) else None
        if name is None:
            return value
        if name not in self._live:
            proxy = self.create_proxy(
                "get_attr", name, (), {}, proxy_factory_fn=lambda node: _LiveTensor(node, self, value)
            )
            proxy.node.meta["parameter" if isinstance(value, nn.Parameter) else "live"] = True
            owner, _, attribute = name.rpartition(".")
            self.note(self._model.get_submodule(owner), attribute, value)
            self._live[name] = proxy
        return self._live[name]

    def is_changed(self, tensor: object, value: object) -> bool:
        """Whether a value of the trace is this tensor of the model, changed in place, as `self.count += 1` sets it."""
        if not isinstance(value, fx.Proxy) or not isinstance(tensor, Tensor):
            return False
        node: Any = value.node
        while writes(node):
            node = node.args[0]
        return isinstance(node, fx.Node) and node.op == "get_attr" and node.target == self._names.get(id(tensor))

    def note(self, owner: nn.Module, name: str, value: Any) -> None:
        """Remember that the trace read this attribute."""
        if (id(owner), name) not in self.reads:
            self.reads[id(owner), name] = Read(owner, name, _token(value))


def _tensors_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters, buffers and plain attributes, by their qualified names."""
    for path, module in model.named_modules():
        holders = (module._parameters, module._buffers, vars(module))
        for name, value in (item for holder in holders for item in holder.items()):
            if isinstance(value, Tensor):
                yield (f"{path}.{name}" if path else name), value


def _graph_functions() -> tuple[Callable[..., Any], ...]:
    """torch_geometric's functions between a graph's layers, as opaque as layers: inside, they look at shapes."""
    modules = [sys.modules[name] for name in _GRAPH_MODULES if name in sys.modules]
    return tuple(
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isfunction(value) and not name.startswith("_")
    )


def trace(
    model: nn.Module, cuts: Sequence[str], inputs: TracedInputs, *, training: bool
) -> tuple[fx.Graph, list[Condition]]:
    """The forward pass of `model` with every layer that holds no cut as one step, and what the graph depends on.

    Args:
        model: left as it was, but for constants of the graph (`_tensor_constant0`), see `left_as_it_was`.
        cuts: names of layers.
        inputs: which arguments of forward are read, and which are fixed.
        training: the mode in which it is traced.

    Raises:
        LeftOut: forward sets contexts that the parts would leave out, or is not all that a call of the model runs.
        RuntimeError: forward draws random numbers that do not depend on its input, or sets attributes of the model.
        Exception: whatever forward raises when it is given a symbol for its input.
    """
    if replaced := _around_forward(model):
        raise LeftOut(replaced)
    tracer = _CutTracer(model, cuts, inputs)
    traced = [m for name, m in model.named_modules() if not name or not tracer.is_leaf_module(m, name)]
    for module in model.modules():
        module.training = training
    before = [_held(module) for module in traced]
    with _refusing_draws(), torch.enable_grad(), _watching(tracer):
        graph = tracer.trace(model, concrete_args=inputs.defaults)
    for module, attributes in zip(traced, before, strict=True):
        _check_unchanged(tracer, module, attributes)
        tracer.note(module, "_modules", module._modules)
    return graph, [_PlainCall(model), *tracer.reads.values(), *tracer.contexts.conditions]


def _around_forward(model: nn.Module) -> str:
    """What a call of the model runs beside its class's forward, which alone is traced; "" where there is nothing."""
    if "forward" in vars(model):
        return (
            "a forward was set on the model itself, and the parts would follow that of its class; write it into the "
            "class"
        )
    for hooks, name in ((model._forward_pre_hooks, "pre-hook"), (model._forward_hooks, "hook")):
        if hooks:
            return (
                f"a forward {name} stands on the model itself, and the parts would leave it out; register it on a "
                "layer, or do in forward what it does"
            )
    return ""


@dataclass(eq=False)
class _PlainCall:
    model: nn.Module

    def holds(self) -> bool:
        return not _around_forward(self.model)


@contextmanager
def _refusing_draws() -> Iterator[None]:
    """A context whose code may draw from no global generator, and after which all of them are as they were.

    Those of Python and NumPy are put back here, and not in `left_as_it_was`, which layers that a rerun looks at are in
    at every step: NumPy takes half a millisecond to tell its state and set it.

    Raises:
        RuntimeError: it draws.
    """
    generators = [torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ())]
    states = [generator.get_state() for generator in generators]
    python, numpy = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002 what forward draws from
    moved = ""
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            if not torch.equal(generator.get_state(), state):
                moved = "torch"
                generator.set_state(state)
        if not _same_state(np.random.get_state(legacy=False), numpy):  # noqa: NPY002
            moved = "numpy.random"
            np.random.set_state(numpy)  # noqa: NPY002
        if random.getstate() != python:
            moved = "random"
            random.setstate(python)
    if moved == "torch":
        raise RuntimeError("it draws random numbers that would stay the same in every step; torch.randn_like is fine")
    if moved:
        raise RuntimeError(
            f"it draws random numbers from {moved} that would stay the same in every step; draw in a layer that holds "
            "no cut, such as one that skips what it holds"
        )


def _same_state(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(_same_state(one[key], other[key]) for key in one)
    return bool(np.all(one == other))


@contextmanager
def _watching(tracer: _CutTracer) -> Iterator[None]:
    """A context in which attributes that modules hold outside their registers are noted too."""

    def read(module: nn.Module, name: str) -> Any:
        value = object.__getattribute__(module, name)
        if name in _OWN_ATTRIBUTES or name.startswith("__") or isinstance(value, MethodType | fx.Proxy):
            return value
        if isinstance(value, Tensor):
            return tracer.live(value)
        if not isinstance(inspect.getattr_static(type(module), name, None), property):
            tracer.note(module, name, value)
        return value

    nn.Module.__getattribute__ = read
    try:
        yield
    finally:
        del nn.Module.__getattribute__


def _held(module: nn.Module) -> dict[str, Any]:
    """Everything that a module holds by name: plain attributes, buffers and parameters."""
    return {**vars(module), **module._buffers, **module._parameters}


def _check_unchanged(tracer: _CutTracer, module: nn.Module, before: dict[str, Any]) -> None:
    """Refuse a forward that keeps intermediate values or counts on the module, which its pieces would not do."""
    for name, value in _held(module).items():
        changed = name not in before or before[name] is not value
        if changed and isinstance(value, fx.Proxy | int | float) and not tracer.is_changed(before.get(name), value):
            raise RuntimeError(
                f"forward sets the attribute {name!r} of {type(module).__name__}, which the parts would not; return "
                f"the value, or count in a buffer that is changed in place, as by self.{name}.copy_(...)"
            )


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """A context after which every module's attributes and mode, and the random state, are what they were."""
    attributes = [(module, dict(vars(module))) for module in model.modules()]
    held_by_name: list[dict[str, Any]] = [held for m in model.modules() for held in (m._buffers, m._parameters)]  # pyright: ignore[reportAssignmentType]
    registers = [(held, dict(held)) for held in held_by_name]
    with alone():
        random_state = torch.get_rng_state()
        try:
            # Constants that are made here serve in training, whatever surrounds the run that asked for a new trace.
            with torch.inference_mode(False):
                yield
        finally:
            torch.set_rng_state(random_state)
            for module, kept in attributes:
                for name in vars(module).keys() - kept.keys():
                    del vars(module)[name]
                vars(module).update(kept)
            for held, kept in registers:
                held.clear()
                held.update(kept)
