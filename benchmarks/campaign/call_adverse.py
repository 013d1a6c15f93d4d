"""Values that nobody should pass and somebody does: what generated calls put in an argument's place."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.objectives.base import LocalBatch

#: Counts of what is repeated: a huge one is an honest wish for an endless run.
LOOPS = {"epochs", "max_steps", "trials", "steps", "num_steps", "num_probes", "last", "stop"}


class Frame:
    """What a pandas object does with rows: an array when numpy asks, columns and no rows by `[]`."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, column: object) -> np.ndarray:
        if not isinstance(column, str):
            raise KeyError(column)
        return self.values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values if dtype is None else self.values.astype(dtype)


# Of any argument.
ANYTHING: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "'text'": lambda: "text",
    "''": lambda: "",
    "b'bytes'": lambda: b"bytes",
    "{'a': 1}": lambda: {"a": 1},
    "{}": lambda: {},
    "[]": lambda: [],
    "()": lambda: (),
    "{1, 2}": lambda: {1, 2},
    "[1, 'a']": lambda: [1, "a"],
    "[None]": lambda: [None],
    "[[1.0], [1.0, 2.0]]": lambda: [[1.0], [1.0, 2.0]],
    "object()": object,
    "int": lambda: int,
    "a lambda": lambda: lambda *_, **__: None,
    "an iterator": lambda: iter([1, 2]),
    "range(3)": lambda: range(3),
    "Path('a')": lambda: Path("a"),
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "1": lambda: 1,
    "1.5": lambda: 1.5,
    "3.0": lambda: 3.0,
    "1e-320": lambda: 1e-320,
    "1e308": lambda: 1e308,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "1j": lambda: 1j,
    "2**62": lambda: 2**62,
    "-(2**70)": lambda: -(2**70),
    "10**400": lambda: 10**400,
    "np.float32(0.5)": lambda: np.float32(0.5),
    "np.int64(2)": lambda: np.int64(2),
    "np.bool_(True)": lambda: np.bool_(True),
    "np.str_('a')": lambda: np.str_("a"),
    "np.datetime64": lambda: np.datetime64("2024-01-01"),
    "tensor(2)": lambda: torch.tensor(2),
    "tensor(0.5)": lambda: torch.tensor(0.5),
    "tensor([])": lambda: torch.empty(0),
    "np.empty((0, 3))": lambda: np.empty((0, 3)),
    "np object array": lambda: np.array([1, "a", None], dtype=object),
    "np text array": lambda: np.array(["a", "b"]),
    "np complex array": lambda: np.ones((4, 2), dtype=complex),
    "np dates": lambda: np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"),
    "a frame": lambda: Frame([0.5, 1.5, 2.5]),
    "a frame of text": lambda: Frame([["a", "b"], ["x", "y"]]),
    "nn.Linear (the class)": lambda: nn.Linear,
    "nn.Identity()": nn.Identity,
    "torch.Generator": torch.Generator,
    "np.random.default_rng": lambda: np.random.default_rng(0),
    "torch.float32": lambda: torch.float32,
}


def _of_array(change: Callable[[np.ndarray], Any]) -> Callable[[Tensor], Any]:
    return lambda values: change(values.detach().numpy())


def _read_only(array: np.ndarray) -> np.ndarray:
    held = array.copy()
    held.flags.writeable = False
    return held


def _with(value: float) -> Callable[[Tensor], Tensor]:
    def change(values: Tensor) -> Tensor:
        changed = values.detach().double().clone()
        changed.view(-1)[:1] = value
        return changed.to(values.dtype) if values.is_floating_point() else changed

    return change


def _inference(values: Tensor) -> Tensor:
    with torch.inference_mode():
        return values.detach().clone()


# Of an argument that holds a tensor.
TENSORS: dict[str, Callable[[Tensor], Any]] = {
    "float16": lambda v: v.detach().half(),
    "bfloat16": lambda v: v.detach().bfloat16(),
    "float64": lambda v: v.detach().double(),
    "int8": lambda v: v.detach().to(torch.int8),
    "uint8": lambda v: v.detach().abs().to(torch.uint8),
    "int64": lambda v: v.detach().long(),
    "bool": lambda v: v.detach() > 0,
    "complex64": lambda v: v.detach().to(torch.complex64),
    "float8": lambda v: v.detach().float().to(torch.float8_e4m3fn),
    "uint64 array": _of_array(lambda a: np.abs(a).astype(np.uint64)),
    "uint64 tensor": lambda v: v.detach().abs().to(torch.uint64),
    "2**62": lambda v: torch.full_like(v.detach(), 2**62, dtype=torch.int64),
    "1e300": lambda v: torch.full_like(v.detach(), 1e300, dtype=torch.float64),
    "zeros": lambda v: torch.zeros_like(v.detach()),
    "0-d": lambda v: v.detach().flatten()[0] if v.numel() else v.detach().sum(),
    "no rows": lambda v: v.detach()[:0],
    "no columns": lambda v: v.detach().reshape(len(v), -1)[:, :0] if v.ndim else v.detach(),
    "one row": lambda v: v.detach()[:1],
    "two rows": lambda v: v.detach()[:2],
    "fewer rows": lambda v: v.detach()[:-3],
    "(n,)": lambda v: v.detach().reshape(len(v), -1)[:, 0],
    "another axis": lambda v: v.detach()[:, None],
    "5-d": lambda v: v.detach().reshape(-1, 1, 1, 1, 1),
    "twice as wide": lambda v: torch.cat([v.detach(), v.detach()], dim=-1),
    "nan": _with(float("nan")),
    "inf": _with(float("inf")),
    "strided": lambda v: torch.stack([v.detach(), v.detach()], dim=-1)[..., 0],
    "expanded": lambda v: v.detach()[:1].expand(v.shape),
    "a negative stride": _of_array(lambda a: a[::-1]),
    "read-only": _of_array(_read_only),
    "numpy": _of_array(lambda a: a),
    "big-endian": _of_array(lambda a: a.astype(a.dtype.newbyteorder(">"))),
    "longdouble": _of_array(lambda a: a.astype(np.longdouble)),
    "objects": _of_array(lambda a: a.astype(object)),
    "text": _of_array(lambda a: a.astype(str)),
    "masked": _of_array(lambda a: np.ma.masked_greater(a, 0)),
    "lists": lambda v: v.tolist(),
    "a list of tensors": lambda v: list(v.detach()),
    "a tuple": lambda v: (v, v),
    "a frame": _of_array(lambda a: Frame(a.reshape(len(a), -1))),
    "a leaf": lambda v: v.detach().clone().requires_grad_() if v.is_floating_point() else v,
    "no leaf": lambda v: v.detach().clone().requires_grad_() * 1 if v.is_floating_point() else v,
    "a parameter": lambda v: nn.Parameter(v.detach().clone(), requires_grad=v.is_floating_point()),
    "an inference tensor": _inference,
    "sparse": lambda v: v.detach().to_sparse(),
    "meta": lambda v: v.detach().to("meta"),
    "nested": lambda v: torch.nested.nested_tensor(list(v.detach()), layout=torch.jagged),
    "quantized": lambda v: torch.quantize_per_tensor(v.detach().float(), 0.1, 0, torch.qint8),
}

# Of an argument that holds a model.
MODULES: dict[str, Callable[[nn.Module], Any]] = {
    "the class": type,
    "its forward": lambda m: m.forward,
    "double": lambda m: m.double(),
    "half": lambda m: m.half(),
    "on meta": lambda m: m.to("meta"),
    "without parameters": lambda _: nn.Identity(),
    "nothing inside": lambda _: nn.Sequential(),
    "lazy": lambda _: nn.Sequential(nn.LazyLinear(2)),
    "frozen": lambda m: m.requires_grad_(False),
    "a list": lambda m: [m],
    "a ModuleList": lambda m: nn.ModuleList([m]),
    "a bare Module": lambda _: nn.Module(),
}

# Of an argument that holds several.
SEQUENCES: dict[str, Callable[[Any], Any]] = {
    "none of them": lambda v: type(v)(),
    "the first": lambda v: type(v)(list(v)[:1]),
    "twice": lambda v: type(v)([*v, *v]),
    "with None": lambda v: type(v)([*v, None]),
    "with text": lambda v: type(v)([*v, "x"]),
    "with 0": lambda v: type(v)([*v, 0]),
    "with -1": lambda v: type(v)([*v, -1]),
    "with nan": lambda v: type(v)([*v, float("nan")]),
    "with 1.5": lambda v: type(v)([*v, 1.5]),
    "an iterator": iter,
    "a set": lambda v: {str(one) for one in v},
    "a dict": lambda v: dict(enumerate(v)),
    "nested": lambda v: [v],
}
TEXTS: dict[str, Callable[[str], Any]] = {
    "without its end": lambda v: v[:-1],
    "in capitals": str.upper,
    "with a blank": lambda v: v + " ",
    "in a list": lambda v: [v],
    "in bytes": str.encode,
}


def adverse(value: Any, name: str, chance: random.Random) -> tuple[Any, str]:
    """Something else in the place of a valid value, and what it is called."""
    own: dict[str, Callable[[Any], Any]] = {}
    if isinstance(value, Tensor) and value.ndim:
        own = TENSORS
    elif isinstance(value, nn.Module):
        own = MODULES
    elif isinstance(value, str) and value:
        own = TEXTS
    elif isinstance(value, list | tuple) and value and type(value) in (list, tuple):
        if chance.random() < 0.5 and all(isinstance(one, Tensor | nn.Module) for one in value):
            place = chance.randrange(len(value))
            changed, kind = adverse(value[place], name, chance)
            return type(value)([*value[:place], changed, *value[place + 1 :]]), f"[{place}]: {kind}"
        own = SEQUENCES
    elif isinstance(value, LocalBatch):
        part = chance.choice(["x", "module_input", "output", "y"])
        changed, kind = adverse(getattr(value, part), part, chance)
        return (lambda: replace(value, **{part: changed})), f"<batch with {part} {kind}>"
    if own and chance.random() < 0.75:
        kind = chance.choice(list(own))
        try:
            return own[kind](value), f"<{kind}>"
        except (RuntimeError, ValueError, TypeError, IndexError, OverflowError):
            pass  # there is no such form of this value
    allowed = [kind for kind in ANYTHING if not (name in LOOPS and kind in {"2**62", "10**400"})]
    kind = chance.choice(allowed)
    return ANYTHING[kind](), kind
