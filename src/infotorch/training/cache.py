"""Outputs of frozen modules, computed once a stage instead of once a step.

A frozen module is deterministic (evaluation mode, no noise), so its output for a sample never changes. Cached and
uncached training agree to rounding: a matrix product over a batch of another size may differ in the last bit.
"""

from __future__ import annotations

import errno
import math
import os
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
        kind: "memory" keeps the outputs on x's device; "disk" in a temporary file that goes with the cache, where the
            environment variable TMPDIR says.

    Raises:
        OSError: the disk has no room for them.

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
        path, size = Path(self._directory.name) / "rows", math.prod(shape)
        _reserve(path, size * like.element_size())
        rows = torch.from_file(str(path), shared=True, size=size, dtype=like.dtype).view(shape)
        if os.name == "posix":
            # A file without a name lives as long as it is mapped: a process that is killed leaves nothing behind.
            self._directory.cleanup()
        return rows

    def __getitem__(self, index: Tensor) -> Tensor:
        return self._rows[index.to(self._rows.device)].to(self._device)


def _reserve(path: Path, size: int) -> None:
    """Take the room for a file now: one that is mapped and finds none later ends the process without a word."""
    with path.open("wb") as file:
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno != errno.ENOSPC:  # a file system that cannot reserve
                return
            wanted = f"the cache of frozen modules' outputs needs {size / 2**20:,.0f} MiB in {path.parent.parent}"
            raise OSError(error.errno, f"train: {wanted}; set TMPDIR to a folder with room, or cache=None") from error
