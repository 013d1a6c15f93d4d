"""Run the layers from one cut to the next by running the network's own forward, for networks that cannot be traced.

A transformer's forward asks its inputs for lengths, masks and settings, which no symbol answers. It can be run again
instead: the layers before the cut are not computed, they return stand-ins of the right shape; the cut's layer gets the
previous piece's output in place of its first argument; and the run ends where the next cut's layer is called. All that
the code between the layers makes of the raw inputs, such as a mask for every layer, is made anew in each piece. What
depends on a stand-in is one too, so that nothing can pass a cut in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from infotorch.networks.forward_inputs import called_with, main_output
from infotorch.networks.tracing import left_as_it_was

# What asks a tensor for its values.
_ASKING = {
    "item",
    "tolist",
    "numpy",
    "__bool__",
    "__int__",
    "__float__",
    "__index__",
    "equal",
    "allclose",
    "is_nonzero",
}


class _StandIn(Tensor):
    """The shape of what a layer would give, full of NaN; whatever is computed of it is a stand-in too."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in _ASKING:
            raise ValueError(
                "cuts: the code between the layers decides by the values of layers before the cut, which are not "
                "computed again behind it; cut elsewhere."
            )
        return super().__torch_function__(func, types, args, kwargs or {})


class _Reached(BaseException):
    """The next cut's layer is called: the piece ends with what it is given."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def is_in_a_list(model: nn.Module, cut: str) -> bool:
    """Whether a layer stands in an `nn.ModuleList`, as the layers of transformers do.

    Example:
        >>> encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, batch_first=True), 2)
        >>> is_in_a_list(encoder, "layers.1"), is_in_a_list(nn.Sequential(nn.ReLU()), "0")
        (True, False)
    """
    return isinstance(model.get_submodule(cut.rpartition(".")[0]), nn.ModuleList)


class Rerun:
    """A network, its cuts, and which layers belong to which piece: first by definition, then as they have run.

    Args:
        model: calls the cuts' layers one after the other.
        cuts: names of the layers that start a piece, in the order in which they run.

    Attributes:
        homes: layer -> number of its piece.
        moved: whether a run has found a layer in another piece than its definition says.
    """

    def __init__(self, model: nn.Module, cuts: Sequence[str]) -> None:
        self.model, self.cuts = model, tuple(cuts)
        self.homes: dict[str, int] = {}
        self.holders: list[str] = []
        number = 0
        for name, _ in model.named_modules():
            if any(name == "" or cut.startswith(name + ".") for cut in cuts):
                self.holders.append(name)
            elif name.rpartition(".")[0] in self.holders:
                number = self.cuts.index(name) + 1 if name in self.cuts else number
                self.homes[name] = number
        self.moved = False
        self._seen = set(self.cuts)
        self._shapes: dict[Any, Any] = {}
        self._checked: set[int] = set()

    def layers(self, number: int) -> dict[str, nn.Module]:
        """The layers of a piece, by their names in the model; the first also holds what no layer does."""
        own = {name: self.model.get_submodule(name) for name, home in self.homes.items() if home == number}
        if number == 0:
            for name in self.holders:
                held = self.model.get_submodule(name)
                if held._parameters or held._buffers:
                    own[f"{name}.own".removeprefix(".")] = _Own(held)
        return own

    def settle(self, name: str, number: int) -> None:
        """A layer runs in a piece: it belongs there.

        Raises:
            ValueError: it starts another piece, or has parameters and ran in another.
        """
        if self.homes[name] == number:
            self._seen.add(name)
            return
        if name in self.cuts and self.homes[name] > number:
            raise ValueError(f"cuts: name the layers in the order in which they run, got {', '.join(self.cuts)}.")
        if next(self.model.get_submodule(name).parameters(), None) is None:
            return
        if name in self._seen:
            raise ValueError(
                f"cuts: the layer {name!r} runs in modules {self.homes[name]} and {number}: training one would change "
                "the other. Cut so that a shared layer lies in one module."
            )
        self.homes[name], self.moved = number, True
        self._seen.add(name)

    def run(self, piece: nn.Module, number: int, module_input: Any, x: Any) -> Any:
        """A piece's output.

        Raises:
            ValueError: something other than the previous output passes the cut, a cut's layer is not called or out of
                order, or a layer runs in two pieces.
        """
        run = _Run(self, number, module_input)
        try:
            with self._replaced(run, training=piece.training):
                output = main_output(called_with(self.model, x))
        except _Reached as reached:
            output = reached.value
        else:
            if not run.started or number < len(self.cuts):
                cut = self.cuts[number if run.started else number - 1]
                raise ValueError(f"cuts: the forward pass never calls the layer {cut!r}.")
        if any(isinstance(one, _StandIn) for one in tree_leaves(output)):
            _refuse_a_way_around(self.cuts[number - 1])
        if number not in self._checked and not self.moved and isinstance(output, Tensor) and output.requires_grad:
            self._check_parameters(piece, number, module_input, output)
            self._checked.add(number)
        return output

    @contextmanager
    def _replaced(self, run: _Run, *, training: bool) -> Iterator[None]:
        """A context in which the layers do what the run says, and the code around them is in the piece's mode."""
        layers = {name: self.model.get_submodule(name) for name in self.homes}
        holders = [self.model.get_submodule(name) for name in self.holders]
        kept = [(holder, dict(vars(holder))) for holder in holders]
        replaced = ("forward", "_call_impl")
        own = {
            name: {key: vars(layer)[key] for key in replaced if key in vars(layer)} for name, layer in layers.items()
        }
        try:
            for holder in holders:
                vars(holder)["training"] = training
                if "use_nested_tensor" in vars(holder):  # TransformerEncoder's short cut leaves no tensor to cut at
                    vars(holder)["use_nested_tensor"] = False
            for name, layer in layers.items():
                vars(layer)["forward"] = run.instead_of(name, layer.forward)
                if name in self.cuts:  # a call of the layer with its hooks, which belong to its own piece
                    vars(layer)["_call_impl"] = run.at_a_cut(name, layer._call_impl)
            yield
        finally:
            for name, layer in layers.items():
                for key in replaced:
                    vars(layer).pop(key, None)
                vars(layer).update(own[name])
            for holder, before in kept:
                for name in ("training", "use_nested_tensor"):
                    if name in before:
                        vars(holder)[name] = before[name]

    def stand_in(self, name: str, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """What a layer would give, without its values; it runs once for every shape of its arguments.

        One without parameters is computed: a rotary embedding makes of positions what all layers read.
        """
        layer = self.model.get_submodule(name)
        if next(layer.parameters(), None) is None:
            with _looking(layer):
                return forward(*args, **kwargs)
        key = (name, tuple(map(_form, tree_leaves((args, kwargs)))))
        if key not in self._shapes:
            with _looking(layer):
                args, kwargs = tree_map(_plain, (args, kwargs))
                self._shapes[key] = tree_map(lambda one: _shape_of(one, name), forward(*args, **kwargs))
        return tree_map(lambda one: one.made() if isinstance(one, _Shape) else one, self._shapes[key])

    def _check_parameters(self, piece: nn.Module, number: int, module_input: Any, output: Tensor) -> None:
        """Refuse a parameter that forward reads itself, behind the first cut: no piece would train it."""
        known = {id(parameter) for parameter in piece.parameters()}
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        stop = module_input.grad_fn if isinstance(module_input, Tensor) else None
        seen, waiting = {stop}, [output.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
            variable = getattr(node, "variable", None)
            if id(variable) in names and id(variable) not in known:
                raise ValueError(
                    f"cuts: module {number} reads the parameter {names[id(variable)]!r} of another module; cut so that "
                    "a shared parameter lies in one module, or put it into a layer of its own."
                )


class _Run:
    """One run of the network's forward for one piece."""

    def __init__(self, rerun: Rerun, number: int, module_input: Any) -> None:
        self.rerun, self.number, self.module_input = rerun, number, module_input
        self.started = number == 0

    def instead_of(self, name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        """What the layer of that name does in this run."""

        def inside(*args: Any, **kwargs: Any) -> Any:
            if not self.started:
                return self.rerun.stand_in(name, forward, args, kwargs)
            self.rerun.settle(name, self.number)
            return forward(*args, **kwargs)

        # Of a cut, too: forward may call this itself, without the layer's hooks.
        return self.at_a_cut(name, inside, then=forward)

    def at_a_cut(
        self, name: str, call: Callable[..., Any], then: Callable[..., Any] | None = None
    ) -> Callable[..., Any]:
        """A layer's call that starts the piece with its input, by `then` if given, or ends it, at the two cuts."""
        cuts = self.rerun.cuts
        starts = self.number > 0 and name == cuts[self.number - 1]
        ends = self.number < len(cuts) and name == cuts[self.number]

        def call_in_this_run(*args: Any, **kwargs: Any) -> Any:
            if starts and not self.started:
                self.started = True
                return (then or call)(*_with_first(args, kwargs, self.module_input), **kwargs)
            if ends and self.started:
                raise _Reached(_first(args, kwargs, name))
            return call(*args, **kwargs)

        return call_in_this_run


@contextmanager
def _looking(layer: nn.Module) -> Iterator[None]:
    """A context in which a layer runs in evaluation mode and leaves no trace: no gradient, draw or statistic."""
    with torch.no_grad(), left_as_it_was(layer), torch.random.fork_rng():
        for part in layer.modules():
            vars(part)["training"] = False
        yield


class _Own(nn.Module):
    """The parameters and buffers that a module holds beside its layers, as they are."""

    def __init__(self, holder: nn.Module) -> None:
        super().__init__()
        self._parameters, self._buffers = holder._parameters, holder._buffers
        self._non_persistent_buffers_set = holder._non_persistent_buffers_set


class _Shape:
    def __init__(self, like: Tensor) -> None:
        self.size, self.dtype, self.device = like.shape, like.dtype, like.device

    def made(self) -> Tensor:
        """A stand-in of this shape."""
        fill = float("nan") if self.dtype.is_floating_point or self.dtype.is_complex else 0
        return torch.full(self.size, fill, dtype=self.dtype, device=self.device).as_subclass(_StandIn)


def _shape_of(value: Any, name: str) -> Any:
    if isinstance(value, Tensor):
        return _Shape(value)
    if isinstance(value, int | float | str | bool | None):
        return value
    raise ValueError(
        f"cuts: the layer {name!r} lies before a cut and gives a {type(value).__name__}, where tensors are needed, in "
        "tuples, lists or dicts."
    )


def _form(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.shape, value.dtype, value.device
    return value if isinstance(value, int | float | str | bool | None) else type(value)


def _plain(value: Any) -> Any:
    return value.as_subclass(Tensor) if isinstance(value, _StandIn) else value


def _key_of_first(kwargs: dict[str, Any]) -> str | None:
    return next((key for key, value in kwargs.items() if isinstance(value, Tensor)), None)


def _with_first(args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> tuple[Any, ...]:
    """The positional arguments with another first one; where there is none, it is changed among the others."""
    if args:
        return (value, *args[1:])
    kwargs[_key_of_first(kwargs) or ""] = value
    return args


def _first(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Tensor:
    """What a layer is given first: what crosses the cut before it."""
    value = args[0] if args else kwargs.get(_key_of_first(kwargs) or "")
    if not isinstance(value, Tensor):
        raise ValueError(f"cuts: the layer {name!r} must be given one tensor first, got {type(value).__name__}.")
    return value


def _refuse_a_way_around(cut: str) -> NoReturn:
    raise ValueError(
        f"cuts: something other than the first argument of {cut!r} passes the cut from the layers before it, such as a "
        "skip connection or a value that layers hand on to each other; cut elsewhere."
    )
