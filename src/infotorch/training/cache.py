"""Outputs of frozen modules, computed once a stage instead of once a step.

A frozen module is deterministic (evaluation mode, no noise), so its output for a sample never changes. Cached and
uncached training agree to rounding: a matrix product over a batch of another size may differ in the last bit.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

#: Where the outputs of frozen modules are kept.
CacheKind = Literal["memory", "disk"]


class OutputCache:
    """One row of output for each sample of input.

    Args:
        function: the frozen modules, from samples to their outputs.
        x: all inputs, (n, ...).
        batch_size: samples a call, as in training.
        kind: "memory" keeps the outputs on x's device; "disk" in a temporary file that goes with the cache.

    Example:
        >>> cache = OutputCache(lambda rows: rows * 2, torch.arange(4.0), batch_size=3, kind="memory")
        >>> cache[torch.tensor([3, 0])]
        tensor([6., 0.])
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], x: Tensor, *, batch_size: int, kind: CacheKind = "memory"
    ) -> None:
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        rows: Tensor | None = None
        for whole in range(0, len(x), batch_size):
            # The last call overlaps the one before it: matrix products of another size round differently.
            start = max(0, min(whole, len(x) - batch_size))
            part = function(x[start : start + batch_size])
            if rows is None:
                rows = self._allocate((len(x), *part.shape[1:]), part, kind)
            rows[start : start + len(part)] = part
        assert rows is not None
        self._rows, self._device = rows, x.device

    def _allocate(self, shape: tuple[int, ...], like: Tensor, kind: CacheKind) -> Tensor:
        if kind == "memory":
            return torch.empty(shape, dtype=like.dtype, device=like.device)
        self._directory = tempfile.TemporaryDirectory(prefix="infotorch-cache-")
        path = str(Path(self._directory.name) / "rows")
        return torch.from_file(path, shared=True, size=math.prod(shape), dtype=like.dtype).view(shape)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self._rows[index.to(self._rows.device)].to(self._device)
