"""What the layers of a network give for some inputs, without leaving a trace in the network."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from infotorch.numerics.columns import as_real
from infotorch.numerics.nested import map_tensors, tensors_in

#: Name of what the network returns, where that is not the last child's own output.
OUTPUT = "output"


def layers_that_run(model: nn.Module, x: Tensor) -> tuple[str, ...]:
    """The children of a network in the order in which they first run, and "output" where it goes on after them.

    A network that is wrapped in another one is unwrapped. A network without children has its output alone.

    Args:
        model: any module that takes one tensor; it is left as it was.
        x: inputs to run it on; two rows do.

    Raises:
        ValueError: the network does not run on x.

    Example:
        >>> layers_that_run(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), torch.ones(2, 2))
        ('0', '1', '2')
    """
    everything = [name for name, _ in model.named_modules() if name]
    with torch.no_grad(), FeatureExtractor(model, everything, keep=_itself) as extract:
        result = extract.run(x)
        called = list(extract.features)
    names, prefix = _children(model, "", called), ""
    while len(names) == 1 and (below := _children(model, names[0] + ".", called)):
        names, prefix = below, names[0]
    last = extract.features[names[-1]] if names else None
    wrapped = extract.features[prefix] if prefix else result
    return (*names, OUTPUT) if not names or last is not result or wrapped is not result else tuple(names)


def _children(model: nn.Module, prefix: str, called: Sequence[str]) -> list[str]:
    inner = model.get_submodule(prefix.removesuffix(".")) if prefix else model
    own = {prefix + name for name, _ in inner.named_children()}
    return sorted(own & set(called), key=called.index)


def check_layers(model: nn.Module, layers: Sequence[str], *, where: str) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
        TypeError: a single string, or a layer of TorchScript.
        ValueError: no name, a name twice, or one that the network does not have; near misses are suggested, or its
            children and the layers in them, as far as eight names go.
    """
    if isinstance(layers, str):
        raise TypeError(f"{where}: layers must be a list of names, got the string {layers!r}.")
    known = sorted((name for name, _ in model.named_modules() if name), key=lambda name: name.count("."))
    for name in layers:
        if name not in known and name != OUTPUT:
            shown = difflib.get_close_matches(name, known, n=3) or known[:8]
            cut = ["..."] if len(shown) < len(known) else []
            raise ValueError(
                f"{where}: layers: the network has no layer {name!r}; it has {', '.join([*shown, *cut, OUTPUT])}."
            )
        if name != OUTPUT:
            _layer(model, name, where=f"{where}: ")
    if not layers or len(set(layers)) != len(layers):
        raise ValueError(f"{where}: layers must name one layer or more, each once, got {list(layers)}.")
    return tuple(layers)


class FeatureExtractor:
    """Inside `with`, calling it gives what the named layers give, flattened to (n, columns), in evaluation mode.

    Modes and buffers come back, hooks are gone afterwards. The last call counts of a layer that runs several times; of
    several tensors the columns stand side by side.

    Args:
        model: any module that takes one tensor.
        layers: names of layers, or "output".
        keep: what is kept of a layer's result; a copy where it is left out, as a later layer may change it in place.

    Raises:
        TypeError: on entry: TorchScript, whose layers take no hooks; its output can be had.

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
        self.model, self.layers, self.keep = model, tuple(layers), keep or copied
        self.features: dict[str, Any] = {}

    def __enter__(self) -> FeatureExtractor:
        layers = {name: _layer(self.model, name) for name in self.layers if name != OUTPUT}
        self._modes = [(layer, layer.training) for layer in self.model.modules()]
        # By name too, as a forward may put another tensor in a buffer's place.
        self._buffers = [
            (layer, name, buffer, None if buffer is None else buffer.detach().clone())
            for layer in self.model.modules()
            for name, buffer in layer._buffers.items()
        ]
        self.model.eval()
        self._handles = [layer.register_forward_hook(self._keep(name)) for name, layer in layers.items()]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        with torch.no_grad():
            for layer, name, buffer, value in self._buffers:
                layer._buffers[name] = buffer
                if buffer is None or value is None:
                    continue
                if buffer.shape == value.shape and not torch.equal(buffer, value):
                    buffer.copy_(value)
        for layer, training in self._modes:
            layer.training = training

    def _keep(self, name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self.features[name] = self.keep(output)

        return hook

    def run(self, x: object) -> object:
        """The network's own result; `features` are of this pass alone.

        Raises:
            ValueError: the network does not run on x.
        """
        self.features.clear()
        try:
            result = self.model(x)
        except (RuntimeError, TypeError, IndexError) as error:
            shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"the network does not run on x of shape {shape}: {reason}") from error
        if OUTPUT in self.layers:
            self.features[OUTPUT] = self.keep(result)
        return result

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Layer -> (n, columns).

        Raises:
            ValueError: the network does not run on x, or a layer is not called or gives no tensor.
        """
        self.run(x)
        return {name: as_columns(self.features.get(name), name, len(x)) for name in self.layers}


def _layer(model: nn.Module, name: str, *, where: str = "") -> nn.Module:
    """The layer of that name, which takes hooks."""
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
    drawn = [tensor[:: len(tensor) // n] for tensor in whole if n and len(tensor) and len(tensor) % n == 0]
    tensors = [tensor for tensor in whole if len(tensor) == n] or drawn
    if not tensors:
        raise ValueError(f"layers: {name!r} gives no tensor with a row for each of the {n} inputs.")
    flat = [as_real(tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None]) for tensor in tensors]
    kinds = [part if part.is_floating_point() else part.to(torch.get_default_dtype()) for part in flat]
    return kinds[0] if len(kinds) == 1 else torch.cat(kinds, dim=1)


def in_double(model: nn.Module, x: Tensor) -> tuple[nn.Module, Tensor]:
    """A copy of the network in float64 and x likewise, or the network in its own precision where it has no other.

    Rounding then hides nothing: tanh in float32 gives exactly 1 from 9 on.
    """
    try:
        twin = copy.deepcopy(model)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return model, x
    if x.device.type == "mps":  # Apple's GPUs have no float64
        return twin, x
    wide = copy.deepcopy(twin).double()
    inputs = x.double() if x.is_floating_point() else x
    return (wide, inputs) if _runs(wide, inputs) else (twin, x)


def _runs(model: nn.Module, x: Tensor) -> bool:
    try:
        with torch.no_grad(), FeatureExtractor(model, ()) as extract:
            extract.run(x[:2])
    except ValueError:
        return False
    return True
