"""What the layers of a network give for some inputs, without leaving a trace in the network."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from infotorch.networks.forward_inputs import result_of
from infotorch.networks.model_state import ModelState
from infotorch.numerics.checks import as_tensor, check_callable, check_module
from infotorch.numerics.columns import as_real
from infotorch.numerics.kinds import check_names
from infotorch.numerics.model_copy import model_copy
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.nested import map_tensors, tensors_in

#: Name of what the network returns, where that is not the last child's own output.
OUTPUT = "output"


def layers_that_run(model: nn.Module, x: object) -> tuple[str, ...]:
    """The children of a network in the order in which they first run, and "output" where it goes on after them.

    A network that is wrapped in another one is unwrapped. A network without children has its output alone. What is not
    called itself, such as an `nn.ModuleList` or an `nn.ModuleDict`, is left out for the layers that it holds.

    Args:
        model: any module; it is left as it was.
        x: inputs to run it on, a tensor, several by name or a graph; two rows do.

    Raises:
        ValueError: the network does not run on x.

    Example:
        >>> layers_that_run(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), torch.ones(2, 2))
        ('0', '1', '2')
    """
    everything = [name for name, _ in model.named_modules() if name]
    with torch.no_grad(), FeatureExtractor(model, [*everything, OUTPUT], keep=_itself) as extract:
        extract.run(x)
        result = extract.features.pop(OUTPUT)
        called = list(extract.features)
    names, prefix = _children(model, "", called), ""
    while len(names) == 1 and (below := _children(model, names[0] + ".", called)):
        names, prefix = below, names[0]
    last = extract.features[names[-1]] if names else None
    wrapped = extract.features[prefix] if prefix else result
    return (*names, OUTPUT) if not names or last is not result or wrapped is not result else tuple(names)


def _children(model: nn.Module, prefix: str, called: Sequence[str]) -> list[str]:
    """The called layers of a module; of what is not called itself, such as an nn.ModuleList, its own stand for it."""
    inner = model.get_submodule(prefix.removesuffix(".")) if prefix else model
    found: list[str] = []
    for name in (prefix + name for name, _ in inner.named_children()):
        found += [name] if name in called else _children(model, name + ".", called)
    return sorted(found, key=called.index)


def check_layers(model: nn.Module, layers: Sequence[str], *, where: str) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
        TypeError: a single string, or a layer of TorchScript.
        ValueError: no name, a name twice, or one that the network does not have; near misses are suggested, or its
            children and the layers in them, as far as eight names go.
    """
    layers = check_names(layers, where=where, name="layers")
    known = sorted((name for name, _ in model.named_modules() if name), key=lambda name: name.count("."))
    for name in layers:
        if name not in known and name != OUTPUT:
            close = difflib.get_close_matches(name, known, n=3) or known[:8]
            cut = ["..."] if len(close) < len(known) else []
            raise ValueError(
                f"{where}: layers: the network has no layer {name!r}; it has {', '.join([*close, *cut, OUTPUT])}."
            )
        if name != OUTPUT:
            layer_of(model, name, where=f"{where}: ")
    if not layers or len(set(layers)) != len(layers):
        raise ValueError(f"{where}: layers must name one layer or more, each once, got {list(layers)}.")
    return tuple(layers)


class FeatureExtractor:
    """Inside `with`, calling it gives what the named layers give, flattened to (n, columns), in evaluation mode.

    Modes, buffers and attributes come back, hooks are gone afterwards, and a compiled model runs uncompiled, as its
    layers are not called else. The last call counts of a layer that runs several times; of several tensors the columns
    stand side by side, but for the state of a recurrent layer, which is left out.

    Args:
        model: any module.
        layers: names of layers, or "output".
        keep: what is kept of a layer's result; a copy where it is left out, as a later layer may change it in place.

    Raises:
        TypeError: no module, no names or no function; on entry: TorchScript, whose layers take no hooks; its output can
            be had.
        ValueError: on entry: a layer without weights, as it is lazy or on the meta device.

    Attributes:
        features: layer -> what was kept of its last call, in the order in which the layers first ran.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
        >>> with FeatureExtractor(model, ["0", "output"]) as extract:
        ...     {name: tuple(t.shape) for name, t in extract(torch.ones(5, 2)).items()}
        {'0': (5, 3), 'output': (5, 3)}
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[str], *, keep: Callable[[object], object] | None = None
    ) -> None:
        check_module(model, where="FeatureExtractor", name="model")
        if keep is not None:
            check_callable(keep, where="FeatureExtractor", name="keep")
        self.model, self.keep = model, keep or copied
        self.layers = check_names(layers, where="FeatureExtractor", name="layers")
        self.features: dict[str, Any] = {}

    def __enter__(self) -> FeatureExtractor:
        check_weights(self.model)
        layers = {name: layer_of(self.model, name) for name in self.layers if name != OUTPUT}
        self._state = ModelState(self.model)
        self.model.eval()
        self._handles = [layer.register_forward_hook(self._keep(name)) for name, layer in layers.items()]
        self._uncompiled = _uncompiled(self.model)
        self._uncompiled.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._uncompiled.__exit__(None, None, None)
        for handle in self._handles:
            handle.remove()
        self._state.restore()

    def _keep(self, name: str) -> Any:
        def hook(layer: nn.Module, _inputs: Any, output: Any) -> None:
            self.features[name] = self.keep(_rows_first(layer, output))

        return hook

    def run(self, x: object) -> object:
        """The network's own result; `features` are of this pass alone, and x is left as it was.

        Real numbers on which the network does not run come in the precision of its weights.

        Raises:
            ValueError: the network does not run on x.
        """
        before: Any = x.clone() if isinstance(x, Tensor) else x
        try:
            result = _rows_first(self.model, self._passed(x, before))
        except Exception as error:  # whatever the network raises
            raise ValueError(f"the network does not run on x of {_described(x)}: {_reason(error)}") from error
        if OUTPUT in self.layers:
            self.features[OUTPUT] = self.keep(result)
        # A backward pass may follow through what requires a gradient.
        if isinstance(x, Tensor) and not (x.requires_grad and torch.is_grad_enabled()) and _changed(x, before):
            result = copied(result)  # which may be x itself
            with torch.no_grad():
                x.copy_(before)
        return result

    def _passed(self, x: Any, before: object) -> object:
        self.features.clear()
        try:
            # Of what is no tensor a copy is passed, as forward may change it in place.
            return result_of(self.model, x.clone() if isinstance(x, NamedTensors) or hasattr(x, "edge_index") else x)
        except Exception:
            given = _as_weights(before, self.model)
            if given is before:
                raise
        self.features.clear()
        return self.model(given)

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Layer -> (n, columns).

        Raises:
            ValueError: the network does not run on x, or a layer is not called or gives no tensor.
        """
        self.run(x)
        return {name: as_columns(self.features.get(name), name, len(x)) for name in self.layers}


@contextmanager
def errors_of(where: str) -> Iterator[None]:
    """A context in which the errors of this module begin with the public function that ran into them.

    Example:
        >>> with errors_of("diagnose"), FeatureExtractor(nn.LazyLinear(2), []):
        ...     pass
        Traceback (most recent call last):
        ...
        ValueError: diagnose: the network has no weights yet; run the model on some rows first.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{where}: {str(error).removeprefix(where + ': ')}") from error


def one_tensor(values: object, *, where: str) -> Tensor:
    """Inputs as one tensor, whose rows are the samples.

    Raises:
        TypeError: several tensors in a dict or tuple, or no real numbers.
        ValueError: a single number.
    """
    several = isinstance(values, tuple) and any(isinstance(value, Tensor) for value in values)
    if isinstance(values, Mapping) or several:
        raise TypeError(
            f"{where}: x must be one tensor or array, got a {type(values).__name__}; wrap a model of several inputs in "
            "one whose forward takes a single tensor and splits it."
        )
    x = as_tensor(values, where=where, name="x")
    if x.ndim == 0:
        raise ValueError(f"{where}: x must have rows, got a single number.")
    return x


def check_weights(model: nn.Module) -> None:
    """Refuse a layer that has no numbers yet.

    Raises:
        ValueError: it is lazy, or on the meta device.
    """
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        layer = f"layer {name.rpartition('.')[0]!r}" if "." in name else "the network"
        if is_lazy(tensor):
            raise ValueError(f"{layer} has no weights yet; run the model on some rows first.")
        if tensor.is_meta:
            raise ValueError(f"{layer} is on the meta device, which holds no numbers; load its weights first.")


def _uncompiled(model: nn.Module) -> Any:
    """A context without torch.compile where something is compiled, which would not call its layers' hooks."""
    compiled = any(
        type(layer).__name__ == "OptimizedModule" or getattr(layer, "_compiled_call_impl", None) is not None
        for layer in model.modules()
    )
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


def _changed(x: Tensor, before: Tensor) -> bool:
    if x.layout != torch.strided or torch.equal(x, before):
        return False
    return not bool(torch.isclose(x, before, rtol=0.0, atol=0.0, equal_nan=True).all())


def _as_weights(x: Any, model: nn.Module) -> Any:
    """Real numbers in the precision of the network's first real weights."""
    weight = next((weight for weight in model.parameters() if weight.is_floating_point()), None)
    return x if weight is None or not isinstance(x, Tensor) or not x.is_floating_point() else x.to(weight.dtype)


def _rows_first(layer: nn.Module, output: Any) -> Any:
    """What a layer gives, a row for each sample: of a recurrent layer without its state, whose rows are its layers'."""
    if not isinstance(layer, nn.RNNBase | nn.MultiheadAttention) or not isinstance(output, tuple):
        return output
    first, *others = output
    if not layer.batch_first and isinstance(first, Tensor) and first.ndim == 3:
        first = first.transpose(0, 1)  # from (time, n, columns)
    return first if isinstance(layer, nn.RNNBase) else (first, *others)


def _described(x: Any) -> str:
    if isinstance(x, NamedTensors):
        return "several inputs, " + ", ".join(f"{name} {tuple(x[name].shape)}" for name in x.keys())
    return f"shape {tuple(x.shape)}, {x.dtype}" if isinstance(x, Tensor) else type(x).__name__


def _reason(error: Exception) -> str:
    said = next(iter(str(error).splitlines()), "")
    own = isinstance(error, RuntimeError | TypeError | ValueError | IndexError) and said
    return said if own else f"{type(error).__name__}: {said}".removesuffix(": ")


def layer_of(model: nn.Module, name: str, *, where: str = "") -> nn.Module:
    """The layer of that name, which takes hooks.

    Raises:
        TypeError: it is in TorchScript.
    """
    layer = model if isinstance(model, torch.jit.ScriptModule) else model.get_submodule(name)
    if isinstance(layer, torch.jit.ScriptModule):
        raise TypeError(
            f"{where}layers: {name!r} is in TorchScript, which shows no layer: give the network that it was made from "
            f"(of TorchScript itself only {OUTPUT!r} can be named)."
        )
    return layer


def copied(result: Any) -> Any:
    """The same tensors in memory of their own."""
    return map_tensors(result, torch.clone)


def _itself(result: Any) -> Any:
    return result


def as_columns(value: Any, name: str, n: int) -> Tensor:
    """What a layer gives, flattened to (n, columns); of several tensors the columns stand side by side.

    A layer that gives k n rows is taken to draw k times for each input, the draws of one input together, as
    `StochasticLayer` does: the first draw of each counts.

    Raises:
        ValueError: it gives no tensor with n rows, or k n.

    Example:
        >>> as_columns(torch.tensor([[1.0], [1.1], [2.0], [2.1]]), "code", 2).tolist()
        [[1.0], [2.0]]
    """
    whole = [tensor for tensor in tensors_in(value) if tensor.ndim > 0]
    check_unpacked(whole, name)
    drawn = [tensor[:: len(tensor) // n] for tensor in whole if n and len(tensor) and len(tensor) % n == 0]
    tensors = [tensor for tensor in whole if len(tensor) == n] or drawn
    if not tensors:
        raise ValueError(f"layers: {name!r} gives no tensor with a row for each of the {n} inputs.")
    flat = [as_real(tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None]) for tensor in tensors]
    real = [part if part.is_floating_point() else part.to(torch.get_default_dtype()) for part in flat]
    wide = [part if part.element_size() > 2 else part.float() for part in real]  # 16 bits are for the network alone
    return wide[0] if len(wide) == 1 else torch.cat(wide, dim=1)


def check_unpacked(tensors: Iterable[Tensor], name: str) -> None:
    """Refuse padded sequences that a layer has packed.

    Raises:
        ValueError: a nested tensor.
    """
    if any(tensor.is_nested for tensor in tensors):
        raise ValueError(
            f"layers: {name!r} gives a nested tensor, whose samples differ in length; "
            "torch.backends.mha.set_fastpath_enabled(False) keeps padded sequences at one."
        )


class _Placed(Protocol):
    @property
    def device(self) -> torch.device: ...


_Inputs = TypeVar("_Inputs", bound=_Placed)


def _doubled(x: Any) -> Any:
    return x.double() if x.is_floating_point() else x


def _first_two(x: Any) -> Any:
    return x[:2]


def in_double(
    model: nn.Module,
    x: _Inputs,
    *,
    wide: Callable[[_Inputs], _Inputs] = _doubled,
    first: Callable[[_Inputs], Any] = _first_two,
) -> tuple[nn.Module, _Inputs]:
    """A copy of the network in float64 and x likewise, or the network in its own precision where it has no other.

    Rounding then hides nothing: tanh in float32 gives exactly 1 from 9 on.

    Args:
        model: any module.
        x: its inputs.
        wide: x with its real numbers in float64.
        first: some of them as the network takes them, on which the copy is tried.
    """
    try:
        twin = model_copy(model)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return model, x
    if x.device.type == "mps":  # Apple's GPUs have no float64
        return twin, x
    copied, inputs = model_copy(twin).double(), wide(x)
    return (copied, inputs) if _runs(copied, first(inputs)) else (twin, x)


def _runs(model: nn.Module, x: Any) -> bool:
    try:
        with torch.no_grad(), FeatureExtractor(model, ()) as extract:
            extract.run(x)
    except ValueError:
        return False
    return True
