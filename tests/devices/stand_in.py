"""A device that is not there: its tensors hold their numbers in the CPU's memory and are kept apart from the CPU's own.

What a GPU would refuse, tensors of two devices in one operation or a generator of another device, is refused, and what
a GPU would wait for is counted: a number read by Python, a copy to the CPU, a shape that depends on values. The tests
that a GPU runs run on it in the normal suite; it says nothing about speed or about a GPU's own rounding.

torch's device type "lazy", which nothing else uses, lends its name.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest
import torch
from torch import Tensor
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("lazy", 0)
_aten: Any = torch.ops.aten

#: Their result's shape depends on values, so that a GPU is waited for.
_WAITS = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "equal", "bincount"}
#: Take numbers of another device by design: whole copies, and what only names a place.
_CROSSING = {"copy_", "_to_copy", "set_", "lift_fresh", "lift", "clone"}


class There(Tensor):
    """A tensor of the device; `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> There:
        assert not isinstance(held, There)
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=None if held.layout != torch.strided else held.stride(),
            storage_offset=None if held.layout != torch.strided else held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=DEVICE,
            requires_grad=False,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func}: a tensor of the stand-in device was used outside of its context")

    __torch_function__ = torch._C._disabled_torch_function_impl

    def untyped_storage(self) -> torch.UntypedStorage:
        """Of its numbers."""
        return self.held.untyped_storage()

    def numpy(self, *, force: bool = False) -> Any:
        """Its numbers as an array, where a copy was asked for."""
        if not force:
            raise TypeError("can't convert a tensor of the stand-in device to numpy; use Tensor.cpu() first")
        return self.detach().cpu().numpy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        """Its numbers, read by Python."""
        return self.cpu().tolist()


class _Generator(torch.Generator):
    """A generator that says it is of the device."""

    def __new__(cls, device: Any = "cpu") -> Any:
        if torch.device(device).type != DEVICE.type:
            return _made(device)
        made = super().__new__(cls, "cpu")
        _ours[made._cdata] = made
        return made

    @property
    def device(self) -> torch.device:
        return DEVICE


_made = torch.Generator
#: By the address of what they wrap: an operation is handed another wrapper of it.
_ours: WeakValueDictionary[int, _Generator] = WeakValueDictionary()


class _AnyGenerator(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, _made)

    def __call__(cls, device: Any = "cpu") -> Any:
        return _Generator(device)


class _Generators(metaclass=_AnyGenerator):
    """Stands where torch.Generator does."""


class StandIn(TorchDispatchMode):
    """Operations on tensors of the device; `waits` has the line for each time Python would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func._schema.name.split("::")[1]
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        there = [one for one in given if isinstance(one, There)]
        asked = kwargs.get("device")
        onto = asked is not None and torch.device(asked).type == DEVICE.type
        if not there and not onto:
            self._check(name, given, there, kwargs, onto=False)
            return func(*args, **kwargs)
        self._check(name, given, there, kwargs, onto=onto or asked is None)
        if name == "_local_scalar_dense" or name in _WAITS or self._waits_for_values(name, args):
            self._wait(name)
        leaves = asked is not None and not onto
        crosses = name == "copy_" and isinstance(args[0], There) != isinstance(args[1], There)
        if (name == "_to_copy" and there and leaves) or (crosses and isinstance(args[1], There)):
            self._wait("copied to the CPU")
        elif (name == "_to_copy" and not there) or crosses:
            self._wait("copied to the device")
        held_args, held_kwargs = tree_map_only(There, lambda one: one.held, (args, kwargs))
        if onto:
            held_kwargs["device"] = torch.device("cpu")
        out = func(*held_args, **held_kwargs)
        if leaves or (name == "copy_" and not isinstance(args[0], There)):
            return out
        same = {id(one.held): one for one in there}  # an operation in place gives the tensor that it was given
        if any(one.shape != one.held.shape for one in there):
            raise NotImplementedError(f"{name}: the stand-in device cannot change a shape in place")
        return tree_map_only(Tensor, lambda one: same[id(one)] if id(one) in same else There(one), out)

    def _check(self, name: str, given: list[Tensor], there: list[There], kwargs: dict[str, Any], *, onto: bool) -> None:
        other = [one for one in given if not isinstance(one, There) and one.ndim > 0]
        if there and other and name not in _CROSSING:
            if name in {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}:
                self._wait("copied to the device")  # an index may lie on the CPU, at the cost of a copy
            else:
                shapes = ", ".join(f"{tuple(one.shape)} on {one.device.type}" for one in given)
                raise RuntimeError(f"{name}: expected all tensors to be on one device, got {shapes}")
        generator = kwargs.get("generator")
        if generator is not None and onto != (generator._cdata in _ours):
            raise RuntimeError(f"{name}: expected a generator of the tensors' device")

    @staticmethod
    def _waits_for_values(name: str, args: tuple[Any, ...]) -> bool:
        if name in {"index", "index_put_", "index_put", "_index_put_impl_"}:
            return any(isinstance(one, Tensor) and one.dtype in {torch.bool, torch.uint8} for one in args[1])
        return name == "repeat_interleave"

    def _wait(self, what: str) -> None:
        frames = [frame for frame in traceback.extract_stack() if "infotorch" in Path(frame.filename).parts]
        where = f"{Path(frames[-1].filename).name}: {frames[-1].line}" if frames else "elsewhere"
        self.waits.append(f"{where} [{what}]")


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A context with the device in it."""
    mode = StandIn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "Generator", _Generators)
        patch.setattr(torch, "autocast", _as_on_the_cpu(torch.autocast))
        patch.setattr(torch, "is_autocast_enabled", _as_on_the_cpu(torch.is_autocast_enabled))
        patch.setattr(torch.accelerator, "synchronize", lambda *_: None)
        fused = [*optimizer._get_fused_kernels_supported_devices(), DEVICE.type]
        patch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: fused)
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=) then copies by an operation
        try:
            with mode:
                yield mode
        finally:
            torch._C._set_only_lift_cpu_tensors(False)


def _as_on_the_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of the device what is of the CPU, where its numbers are."""

    def call(device_type: str, *arguments: Any, **settings: Any) -> Any:
        return function("cpu" if torch.device(device_type).type == DEVICE.type else device_type, *arguments, **settings)

    return call
