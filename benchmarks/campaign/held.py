"""Whether a use left a model, its samples and the global state as they were, and whether an error is our own."""

from __future__ import annotations

import random
import re
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

import infotorch
from campaign.odd_models import Odd


def is_ours(error: BaseException) -> bool:
    """Whether an error is one line of our own that begins with a public name."""
    said, raised = str(error), traceback.extract_tb(error.__traceback__)[-1].filename
    named = re.match(r"(\w+)(?:\.\w+)?(?:, [^:]*)?: ", said)
    names = {*infotorch.__all__, *infotorch.estimators.__all__, *infotorch.schedules.__all__}
    return (
        type(error) in {ValueError, TypeError}
        and named is not None
        and named[1] in names
        and "\n" not in said
        and "infotorch" in raised
    )


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        alike = isinstance(other, Tensor) and one.shape == other.shape and one.dtype == other.dtype
        return alike and (one.is_meta or torch.allclose(one, other, rtol=0, atol=0, equal_nan=True))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


def _has_values(value: Any) -> bool:
    return isinstance(value, Tensor) and not value.is_meta and not is_lazy(value) and not value.is_sparse


class Held:
    """A model, its samples and the global state as they are now."""

    def __init__(self, thing: Odd) -> None:
        self.thing, self.before = thing, dict(self._now(thing))

    def changed(self) -> list[str]:
        """What is not as it was."""
        now = dict(self._now(self.thing))
        names = self.before.keys() | now.keys()
        return sorted(name for name in names if not equal(self.before.get(name), now.get(name)))

    def _now(self, thing: Odd) -> Iterator[tuple[str, Any]]:
        yield "torch's random state", torch.get_rng_state()
        yield "numpy's random state", np.random.get_state()  # noqa: NPY002
        yield "Python's random state", random.getstate()
        yield "settings", (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled())
        if _has_values(thing.x):
            yield "samples", (thing.x.detach().clone(), thing.x.requires_grad, thing.x.grad is None)
        for path, layer in thing.model.named_modules():
            if isinstance(layer, torch.jit.ScriptModule):
                yield f"mode of {path!r}", layer.training
                continue
            holders = {"": vars(layer), "_parameters.": layer._parameters, "_buffers.": layer._buffers}
            for kind, holder in holders.items():
                for name, value in holder.items():
                    yield f"{path}.{kind}{name}", _seen(value)


def _seen(value: Any) -> Any:
    """The same object with the same content: what is compared of an attribute."""
    if isinstance(value, Tensor):
        values = value.detach().clone() if _has_values(value) else None
        grad = value.grad if value.is_leaf else None
        return id(value), values, value.requires_grad, id(grad), None if grad is None else grad.to_dense().clone()
    return (id(value), len(value)) if isinstance(value, dict | list) else id(value)
